"""The table of API errors, and the exception `ApiError`.

Every refusal of omisim is an `ApiError`: one row of `errors.toml` (what the API answers) joined to one rule (why).
A rule refers to its error by the row's name. Codes, types and HTTP statuses are defined nowhere else.
"""

from __future__ import annotations

from functools import partial
from typing import TYPE_CHECKING, Any, ClassVar

from omisim.base.data_files import load_toml
from omisim.base.frozen import frozen
from omisim.base.renamed import Renamed
from omisim.base.suggest import suggest

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping

    from omisim.spec.rules import Rule

__all__ = ["ERRORS", "ApiError", "ErrorKind", "suggest_error"]


@frozen()
class ErrorKind:
    """One error of the API: its name in omisim, and its code, type and HTTP status.

    `fcu` is the code of the same error in the EC2-compatible FCU API, if it is known.
    """

    name: str
    code: str
    type: str
    status: int
    fcu: str | None = None


ERRORS: Mapping[str, ErrorKind] = {
    name: ErrorKind(name, **row) for name, row in load_toml("omisim.spec", "errors.toml").items()
}


def suggest_error(name: object) -> str:
    """Return the end of a text about a wrong name of an error: the error with this code, a similar one, or the list."""
    coded = next((kind.name for kind in ERRORS.values() if name in (kind.code, kind.fcu)), "")
    return f"; did you mean {coded}?" if coded else suggest(name, ERRORS) or "; see omisim.errors.ERRORS"


class ApiError(Exception):
    """A refused request: the API's answer, and the rule with the facts that broke it. The cloud is unchanged.

    Attributes: `code` (the API's error code, a string), `status` (HTTP status), `type`, `details`, `name` (the row of
    `ERRORS`), `rule` (the rule's id), `facts` (the values of the call that broke it), `fcu` (the code of the error in
    the EC2-compatible FCU API, or None).
    """

    near: ClassVar[Renamed] = Renamed("similar_ids")

    def __init__(self, rule: Rule, facts: Mapping[str, Any], kind: ErrorKind | None = None) -> None:
        kind = kind or ERRORS[rule.error]
        self.name: str = kind.name
        self.code: str = kind.code
        self.type: str = kind.type
        self.status: int = kind.status
        self.fcu: str | None = kind.fcu
        self.rule: str = rule.id
        self.facts: dict[str, Any] = dict(facts)
        self.request_id = ""  # of the call it refused
        self.origins: tuple[str, ...] = ()  # of the OMIs in its facts that the caller may see, and who supports them
        self.find_similar_ids: Callable[[], tuple[str, ...]] = tuple  # set by the call that it refused
        self._row = rule
        self._kind = kind
        super().__init__()

    def __str__(self) -> str:
        """Return the error of the API, the rule and the Details in one line."""
        return f"{self.status} {self.code} {self.type} ({self.rule}): {self.details}"

    def __repr__(self) -> str:
        """Return the class with the text."""
        return f"{type(self).__name__}({str(self)!r})"

    @property
    def details(self) -> str:
        """The text of the answer."""
        return self._row.render_details(self.facts)

    @property
    def similar_ids(self) -> tuple[str, ...]:
        """Ids similar to an unknown one, among those that the caller may see now. Finding them visits all of a kind."""
        return self.find_similar_ids()

    def explain(self) -> str:
        """Return an explanation: the rule, the facts of this call, the fix, the evidence and the documentation page."""
        text = "\n  OMI: ".join((self._row.explain(self.facts, self._kind), *self.origins))
        similar_ids = self.similar_ids
        return f"{text}\n  Similar ids: {', '.join(similar_ids)}" if similar_ids else text

    def spell_names(self, spell: Callable[[str], str]) -> None:
        """Spell the names of the API in the texts, and an action in the facts, as a caller spells snake_case names."""
        if "action" in self.facts:
            from omisim.model.serialize import snake_name  # noqa: PLC0415 - `omisim explain` needs no model

            self.facts["action"] = spell(snake_name(self.facts["action"]))
        self._row = self._row.in_names_of(spell)

    def with_error(self, kind: ErrorKind) -> ApiError:
        """Return the same refusal with another error (the switch `{rule id: error name}`)."""
        return ApiError(self._row, self.facts, kind)

    def without_traceback(self) -> ApiError:
        """Return the same refusal without its traceback, which keeps the frames of a call and what they refer to."""
        twin = ApiError.__new__(ApiError, *self.args)
        vars(twin).update(vars(self))
        return twin

    def __reduce__(self) -> tuple[type[ApiError], tuple[Rule, dict[str, Any], ErrorKind], dict[str, Any]]:
        """Support pickling, which pytest-xdist needs, with the similar ids of this moment."""
        state = vars(self) | {"find_similar_ids": partial(tuple, self.similar_ids)}
        return ApiError, (self._row, self.facts, self._kind), state
