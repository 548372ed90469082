"""Answers to official actions that omisim does not serve: the user's own, and the empty lists of reads."""

from __future__ import annotations

import json
from collections.abc import Callable, Mapping
from functools import cache
from typing import Any

from omisim.actions.framework.registry import ACTIONS, Action, empty_lists, not_served
from omisim.actions.framework.request import Request
from omisim.actions.framework.schema import Field, Problems, Shape, compile_signature, report_wrong_type
from omisim.base.frozen import frozen
from omisim.base.suggest import suggest_action
from omisim.engine.dispatch import Answer, Body
from omisim.engine.session import CallRecord
from omisim.spec.errors import ApiError
from omisim.state.settings import Settings

__all__ = ["OwnAnswer", "UnservedAction", "check_answer", "find_unserved", "parse_answers"]

# the user's answer: its JSON object, or a function from the record of a call
OwnAnswer = Mapping[str, Any] | Callable[[CallRecord], Mapping[str, Any]]


@frozen()
class UnservedAction:
    """An action that omisim does not serve and yet answers. `own` is the user's answer; without it, a list is empty."""

    name: str
    own: OwnAnswer | None = None

    def list_refusals(self, request: Request) -> list[ApiError]:
        """Return the refusals of the request of a read. The user's answer is not asked: it may have side effects."""
        refusals: list[ApiError] = []
        if self.own is None:
            _read_shape().parse(request, refusals.append)
        return refusals

    def answer(self, request: Request, record: CallRecord) -> Answer:
        """Return the answer. Raises ApiError for a refusal, and TypeError if the user's answer is not a dict."""
        if refusals := self.list_refusals(request):
            raise refusals.pop(0)  # not held here any more: its traceback holds this frame
        dry = request.parameters.get("dry_run") is True
        content: dict[str, Any]
        if dry:
            content = {}
        elif self.own is None:
            content = {empty_lists()[self.name]: []}
        else:
            content = _copy(self.name, self.own(record) if callable(self.own) else self.own)
        return Answer(self.action, Body(content), (), dry)

    @property
    def action(self) -> Action:
        """The action for the answer, which is not registered."""
        return Action(self.name, None, _read_nothing, paged=False, dry_run=True, open=False, combinations=None)


def find_unserved(settings: Settings, name: str) -> UnservedAction | None:
    """Return the action of this name if omisim answers it without serving it, else None."""
    if name in ACTIONS:
        return None
    if name in settings.answers:
        return UnservedAction(name, settings.answers[name])
    return UnservedAction(name) if settings.unserved == "empty" and name in empty_lists() else None


def parse_answers(answers: Any) -> dict[str, OwnAnswer]:
    """Return the argument `answers` of a cloud. Raises ValueError for another value, and as `check_answer` does."""
    if answers is not None and not isinstance(answers, Mapping):
        raise ValueError(f"answers must be a mapping of actions to answers, not {answers!r}")
    return {action: check_answer(action, answer) for action, answer in (answers or {}).items()}


def check_answer(action: str, answer: Any) -> OwnAnswer:
    """Return a user's answer to an action. Raises ValueError for a served or unknown action, and a wrong answer."""
    if action in ACTIONS:
        raise ValueError(f"omisim serves {action}: answer() is for other actions; to make calls fail, use faults.add()")
    if action not in not_served():
        raise ValueError(f"unknown action {action!r}{suggest_action(action, not_served())}")
    if callable(answer):
        return answer  # type: ignore[no-any-return]  # called with the record of the call
    try:
        return _copy(action, answer)
    except TypeError as error:
        raise ValueError(str(error)) from None


def _copy(action: str, content: Any) -> dict[str, Any]:
    """Return a copy of the content of an answer. Raises TypeError if it is not a dict of JSON values."""
    try:
        copied = json.loads(json.dumps(content, allow_nan=False)) if isinstance(content, Mapping) else None
    except (TypeError, ValueError):
        copied = None
    if not isinstance(copied, dict):
        expected = "a dict of JSON values or a function that returns one"
        raise TypeError(f"the answer to {action} must be {expected}, not {content!r}")
    return copied


@cache
def _read_shape() -> Shape:
    """Return the parameters that all reads of the API have in common."""
    shape = compile_signature(_read_nothing, paged=True, dry_run=True)
    filters = Field("filters", required=False, id=None, read=_read_object, shape=None, type=dict)
    shape.all_fields = {**shape.all_fields, "filters": filters}
    return shape


def _read_nothing(call: Any, *, first_item: int | None = None) -> None:
    """Stand for a read: its signature has the parameter that only reads of users and policies have."""


def _read_object(value: Any, path: str, problems: Problems) -> Any:
    return value if isinstance(value, Mapping) else report_wrong_type(value, path, "an object", problems)
