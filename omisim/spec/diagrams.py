"""Rendering of lifecycles: as text with the matrix of allowed actions, as mermaid or SVG diagrams, or as JSON data."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from textwrap import wrap
from typing import Any

from omisim.base.graph import Edge, Graph, Node
from omisim.spec.errors import ERRORS
from omisim.spec.legend import NOTES, format_delay, get_cause
from omisim.spec.lifecycle import Lifecycle, No, PerGib, get_automatic_event

__all__ = ["render_mermaid", "render_svg", "render_text", "to_data"]

GONE = "gone"


def render_text(lifecycle: Lifecycle, width: int = 100) -> str:
    """Return the transitions of a kind with their causes, then the actions in each state, and a legend.

    A cell is "yes" or the error code of the refusal. Lines are at most `width` columns long, but at least 60.
    """
    width = max(width, 60)
    lines = [lifecycle.kind]
    if lifecycle.kind in NOTES:
        lines += _wrap(NOTES[lifecycle.kind], width, "  ", "  ")
    lines.append("")
    first = max(len(state) for state in lifecycle.moves) + 2
    second = max(len(to.state or GONE) for events in lifecycle.moves.values() for to in events.values()) + 4
    for state, events in lifecycle.moves.items():
        lines += [] if events else [f"  {state:<{first}}the end"]
        for number, (event, to) in enumerate(events.items()):
            start = f"  {state if not number else '':<{first}}{f'→ {to.state or GONE}':<{second}}"
            cause = f"{event}: {', '.join(filter(None, (get_cause(lifecycle, state, event), format_delay(to))))}"
            lines += _wrap(cause, width, start, " " * len(start))
    if lifecycle.refused:
        lines += ["", *_format_matrix(lifecycle, width), *_format_legend(lifecycle, width)]
    return "\n".join(line.rstrip() for line in lines)


def _wrap(text: str, width: int, first: str, rest: str) -> list[str]:
    return wrap(text, width, initial_indent=first, subsequent_indent=rest, break_on_hyphens=False)


def _format_matrix(lifecycle: Lifecycle, width: int) -> Iterator[str]:
    """Yield the matrix of actions and states; where it is too wide, a list of the states of each action."""
    states = list(dict.fromkeys([*lifecycle.moves, *(state for row in lifecycle.refused.values() for state in row)]))
    first = max(len(action) for action in lifecycle.refused) + 2
    widths = [max(len(state), 5) + 2 for state in states]
    pairs = list(zip(states, widths, strict=True))
    if 2 + first + sum(widths) > width + 2:
        for action, refusals in lifecycle.refused.items():
            yield from _list_answers(action, refusals, states, first, width)
        return
    yield f"  {'':<{first}}" + "".join(f"{state:<{w}}" for state, w in pairs).rstrip()
    for action, refusals in lifecycle.refused.items():
        answers = (f"{_format_answer(refusals, state):<{w}}" for state, w in pairs)
        yield f"  {action:<{first}}" + "".join(answers).rstrip()


def _list_answers(action: str, refusals: Mapping[str, No], states: list[str], first: int, width: int) -> Iterator[str]:
    by_answer: dict[str, list[str]] = {}
    for state in states:
        by_answer.setdefault(_format_answer(refusals, state), []).append(state)
    text = "; ".join(f"{answer}: {', '.join(group)}" for answer, group in sorted(by_answer.items(), reverse=True))
    yield from _wrap(text, width, f"  {action:<{first}}", " " * (first + 2))


def _format_answer(refusals: Mapping[str, No], state: str) -> str:
    return ERRORS[refusals[state].error].code if state in refusals else "yes"


def _format_legend(lifecycle: Lifecycle, width: int) -> Iterator[str]:
    """Yield what the cells mean: the error codes that occur."""
    errors = {no.error: ERRORS[no.error] for row in lifecycle.refused.values() for no in row.values()}
    yield ""
    yield "  yes: the state allows the action; other checks may still refuse it"
    for kind in sorted(errors.values(), key=lambda kind: kind.code):
        yield from _wrap(f"{kind.code}: {kind.name}, HTTP {kind.status} {kind.type}", width, "  ", "      ")
    yield from _wrap("`omisim explain` with a code, a state or an action says more.", width, "  ", "  ")


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
            delay = format_delay(to, short=True)
            lines.append(f"  {_escape_state(state)} --> {target}: {event}{f' ({delay})' if delay else ''}")
    return "\n".join(lines)


def _escape_state(state: str) -> str:
    return state.replace("-", "_").replace("/", "_")


def render_svg(lifecycle: Lifecycle) -> str:
    """Return the transitions of a kind as an SVG picture."""
    nodes = [Node(state, (state,), _choose_style(lifecycle, state)) for state in lifecycle.moves]
    arrows: dict[tuple[str, str], list[str]] = {}
    for state, events in lifecycle.moves.items():
        for event, to in events.items():
            delay = format_delay(to, short=True)
            arrows.setdefault((state, to.state or GONE), []).append(f"{event} {delay}".strip())
    if any(target == GONE for _, target in arrows):
        nodes.append(Node(GONE, (GONE,), "deleted"))
    edges = [Edge(source, target, tuple(lines)) for (source, target), lines in arrows.items()]
    return Graph(nodes, edges, f"Lifecycle: {lifecycle.kind}").to_svg()


def _choose_style(lifecycle: Lifecycle, state: str) -> str:
    event = get_automatic_event(lifecycle.kind, state)
    if event and not lifecycle.moves[state][event].timer:
        return "transient"
    return "" if lifecycle.moves[state] else "final"


def to_data(lifecycle: Lifecycle) -> dict[str, Any]:
    """Return a lifecycle as JSON data.

    `moves` maps state → event → the next state `to` (null: gone), the delay `after` in seconds ("by size"; null: not
    automatic), `per_gib`, the seconds per GiB of a delay by size, its `cause`, and whether it is a `timer`. `refused`
    maps action → state → error code.
    """
    return {
        "moves": {
            state: {event: _to_row(lifecycle, state, event) for event in events}
            for state, events in lifecycle.moves.items()
        },
        "refused": {
            action: {state: ERRORS[no.error].code for state, no in states.items()}
            for action, states in lifecycle.refused.items()
        },
    }


def _to_row(lifecycle: Lifecycle, state: str, event: str) -> dict[str, Any]:
    to = lifecycle.moves[state][event]
    by_size = to.after if isinstance(to.after, PerGib) else None
    return {
        "to": to.state,
        "after": "by size" if by_size else to.after,
        "per_gib": by_size.seconds if by_size else None,
        "cause": get_cause(lifecycle, state, event),
        "timer": to.timer,
    }
