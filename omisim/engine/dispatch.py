"""Run one call: check it in order (REQ-014), run its action, then commit every write or none."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from functools import partial
from typing import Any

import omisim.actions  # noqa: F401 - registers every action
from omisim.actions.framework.call import Call, Stop
from omisim.actions.framework.paging import find_page, has_size, paginate
from omisim.actions.framework.registry import ACTIONS, Action, not_served
from omisim.actions.framework.request import NOTHING, Request
from omisim.actions.sharing import is_visible
from omisim.base.clock import Clock
from omisim.base.frozen import frozen
from omisim.base.suggest import ACTION_CUTOFF, suggest
from omisim.engine.similar_ids import find_similar_ids, get_unknown_id
from omisim.model import AccountRow
from omisim.spec.errors import ERRORS, ApiError
from omisim.spec.rules import refuse
from omisim.state.image_origins import explain_origin
from omisim.state.transaction import Transaction

__all__ = ["Answer", "Body", "collect_refusals", "dispatch", "refuse_action"]


@dataclass(slots=True)
class Answer:
    """The result of a call, for a door to render.

    `value` holds instances of the model's classes. `next_page_token` is None after the last page. `dry` marks a dry
    run, whose writes were rolled back. `page_size` is the largest number of results that a fault leaves to a door
    that pages by itself.
    """

    action: Action
    value: Any
    warnings: tuple[str, ...]
    dry: bool = False
    next_page_token: str | None = None
    request_id: str = ""
    page_size: int | None = None


@frozen()
class Body:
    """The value of an answer that is rendered as it is: its JSON object by API names, without ResponseContext."""

    content: dict[str, Any]


def refuse_action(name: str) -> ApiError:
    """Return the refusal of an official action that omisim does not serve (8010), or of an unknown action (404)."""
    reason = not_served().get(name)
    if reason is not None:
        return refuse("REQ-002/not-served", action=name, reason=reason)
    hint = suggest(name, {*ACTIONS, *not_served()}, " Did you mean {}?", cutoff=ACTION_CUTOFF)
    return refuse("REQ-002", action=name, hint=hint)


def dispatch(
    tx: Transaction,
    clock: Clock,
    action: Action,
    request: Request,
    account: AccountRow | None,
    region: str,
    log: Sequence[Any] = (),
    page_size: int | None = None,
) -> Answer:
    """Run one call as a transaction: commit everything it writes, or nothing.

    `log` is the call log, which ReadApiLogs reads. `page_size` is the largest number of results that the platform
    returns at once. Raises ApiError if the call is refused.
    """
    state = tx.state
    position = state.position
    number = (state.get("counter", "calls") or 0) + 1
    tx.cause = f"{action.name}#{number}"
    call = Call(action.name, account, region, tx, log, request.dialect.spell)
    try:
        answer = _run(call, action, request, page_size)
    except ApiError as error:
        state.undo_to(position)
        raise _complete_refusal(call, error) from None
    if answer.dry:
        state.undo_to(position)
    elif state.position != position:
        tx.write("counter", "calls", number)
        clock.tick()
    return answer


def collect_refusals(
    tx: Transaction, action: Action, request: Request, account: AccountRow | None, region: str
) -> list[ApiError]:
    """Return every refusal of a call that one pass can find, in check order. The state does not change."""
    position = tx.state.position
    call = Call(action.name, account, region, tx, collect=True, spell=request.dialect.spell)
    try:
        _run(call, action, request)
    except ApiError as error:
        call.refusals.append(error.with_traceback(None))  # whose frames hold the call
    except Stop:
        pass
    finally:
        tx.state.undo_to(position)
    return [_complete_refusal(call, error) for error in call.refusals]


def _run(call: Call, action: Action, request: Request, page_size: int | None = None) -> Answer:
    shape, dialect = action.shape, request.dialect
    values = shape.parse(request, call.report)
    dry, size, token = False, None, None
    if dialect.controls:
        dry = values.pop("dry_run", False)
        size, token = values.pop("results_per_page", None), values.pop("next_page_token", None)
    if dry:
        call.tx.observer = None
    call.stop_if_refused()
    if token is not None:
        call.check(has_size(size, token, call.switch("default_page_size")), "PAG-007")
    if action.combinations is not None:
        action.combinations(call, values)
    if shape.with_ids:
        shape.report_malformed_ids(values, "", call.spell, call.report)
    call.stop_if_refused()
    call.values, call.page, call.decoded, request.decoded = values, request.page, request.decoded, NOTHING
    if not (action.paged and dialect.controls and dialect.pages):
        return Answer(action, action.function(call, **values), call.warnings, dry)
    default = call.switch("default_page_size")
    assert isinstance(default, int)
    call.page = find_page(size, token, default, page_size)
    rows = action.function(call, **values)
    rows, next_token = paginate(call.state, action.name, rows, values, size, token, default, page_size)
    return Answer(action, rows, call.warnings, dry, None if dry else next_token)


def _complete_refusal(call: Call, error: ApiError) -> ApiError:
    """Add origins and the search for similar ids to a refusal, and replace its error where a switch names another."""
    name = call.tx.settings.switches.get(error.rule)
    assert isinstance(name, str | None)
    refusal = error if name is None else error.with_error(ERRORS[name])
    refusal.origins = _explain_origins(call, error) if call.has_account else ()
    if (unknown_id := get_unknown_id(error)) and call.has_account:
        refusal.find_similar_ids = partial(find_similar_ids, call.tx, call.account, call.region, unknown_id)
    return refusal


def _explain_origins(call: Call, error: ApiError) -> tuple[str, ...]:
    """Return the origin of each OMI in the facts of a refusal that the caller may see (SHR-017/support)."""
    ids = [fact for fact in error.facts.values() if isinstance(fact, str) and fact.startswith("ami-")]
    if not ids:
        return ()
    images = (call.state.get("image", image_id) for image_id in dict.fromkeys(ids))
    visible = [image for image in images if image is not None and is_visible(call, image)]
    return tuple(explain_origin(call.state, image, call.account.account_id) for image in visible)
