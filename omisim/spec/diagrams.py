"""Rendering of lifecycles: as text with the matrix of allowed actions, as a mermaid diagram, or as JSON data."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from typing import Any

from omisim.spec.errors import ERRORS
from omisim.spec.lifecycle import Lifecycle, No, To

__all__ = ["render_mermaid", "render_text", "to_data"]


def render_text(lifecycle: Lifecycle) -> str:
    """Return the transitions of a kind, then a matrix of actions and states: "yes", or the error code."""
    lines = [lifecycle.kind]
    for state, events in lifecycle.moves.items():
        leads = [f"{event} → {to.state or 'gone'}{_format_delay(to)}" for event, to in events.items()]
        lines.append(f"  {state:<15}{'; '.join(leads) or 'the end'}")
    if lifecycle.refused:
        lines += ["", *_format_matrix(lifecycle)]
    return "\n".join(lines)


def _format_delay(to: To) -> str:
    if to.after is None:
        return ""
    seconds = "by size" if callable(to.after) else f"{to.after:g} s"
    return f" ({seconds}{', timer' if to.timer else ''})"


def _format_matrix(lifecycle: Lifecycle) -> Iterator[str]:
    states = list(dict.fromkeys([*lifecycle.moves, *(state for row in lifecycle.refused.values() for state in row)]))
    first = max(len(action) for action in lifecycle.refused) + 2
    widths = [max(len(state), 5) + 2 for state in states]
    pairs = list(zip(states, widths, strict=True))
    yield f"  {'':<{first}}" + "".join(f"{state:<{width}}" for state, width in pairs).rstrip()
    for action, refusals in lifecycle.refused.items():
        answers = (f"{_format_answer(refusals, state):<{width}}" for state, width in pairs)
        yield f"  {action:<{first}}" + "".join(answers).rstrip()


def _format_answer(refusals: Mapping[str, No], state: str) -> str:
    return ERRORS[refusals[state].error].code if state in refusals else "yes"


def render_mermaid(lifecycle: Lifecycle) -> str:
    """Return the transitions of a kind as a mermaid state diagram."""
    lines = ["stateDiagram-v2"]
    lines += [
        f'  state "{state}" as {_escape_state(state)}' for state in lifecycle.moves if _escape_state(state) != state
    ]
    lines.append(f"  [*] --> {_escape_state(next(iter(lifecycle.moves)))}")
    for state, events in lifecycle.moves.items():
        for event, to in events.items():
            target = "[*]" if to.state is None else _escape_state(to.state)
            lines.append(f"  {_escape_state(state)} --> {target}: {event}{_format_delay(to)}")
    return "\n".join(lines)


def _escape_state(state: str) -> str:
    return state.replace("-", "_")


def to_data(lifecycle: Lifecycle) -> dict[str, Any]:
    """Return a lifecycle as JSON data.

    `moves` maps state → event → the next state `to` (null: gone), the delay `after` in seconds ("by size"; null: not
    automatic), and whether it is a `timer`. `refused` maps action → state → error code.
    """
    return {
        "moves": {
            state: {
                event: {"to": to.state, "after": "by size" if callable(to.after) else to.after, "timer": to.timer}
                for event, to in events.items()
            }
            for state, events in lifecycle.moves.items()
        },
        "refused": {
            action: {state: ERRORS[no.error].code for state, no in states.items()}
            for action, states in lifecycle.refused.items()
        },
    }
