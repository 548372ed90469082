"""Compare the answer to one call with what the model expects of it."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any

from omisim.base.data_files import load_toml
from omisim.base.subset import shorten
from omisim.probe.connection import NO_PERMISSION, THROTTLED, Answer
from omisim.probe.experiments import Call, Outcome, fill
from omisim.probe.matching import find_differences, read_path
from omisim.spec.errors import ERRORS

__all__ = ["AGREES", "CANNOT_TELL", "DEFAULTS", "DIFFERS", "Finding", "judge"]

AGREES, DIFFERS, CANNOT_TELL = "agrees", "differs", "could not tell"
# switch → its default value
DEFAULTS: Mapping[str, Any] = {name: row["default"] for name, row in load_toml("omisim.spec", "switches.toml").items()}
UNKNOWN = "unknown"  # the value of an outcome that decides nothing
_FIRST_QUOTA, _LAST_QUOTA = 10_000, 10_999


@dataclass(frozen=True)
class Finding:
    """What one call has shown about its rules. `value` is the value of `switch` that the answer shows, or None."""

    experiment: str
    rules: tuple[str, ...]
    verdict: str
    expected: str
    measured: str
    action: str = ""
    parameters: Mapping[str, Any] = field(default_factory=dict)
    code: str = ""
    switch: str = ""
    value: Any = None
    door: str = ""


def judge(
    experiment: str, call: Call, answer: Answer, names: Mapping[str, str], switches: Mapping[str, Any]
) -> Finding:
    """Return the finding of a call. `switches` override the model's defaults, and the error of a rule by its id."""
    value: Any = None
    if call.switch:
        assumed = switches.get(call.switch, DEFAULTS[call.switch])
        text = f"{call.switch} = {assumed!r}"
        verdict, measured, value = _judge_switch(call, answer, names, assumed)
    else:
        expected = _get_expected(call, switches)
        text = _describe(expected)
        differences = _list_differences(expected, answer, names)
        verdict = DIFFERS if differences else AGREES
        measured = "; ".join(differences) if differences and answer.code == expected.code else str(answer)
    if verdict == DIFFERS and value is None and (reason := _find_obstacle(answer)):
        verdict, measured = CANNOT_TELL, f"{reason}: {answer}"
    return Finding(
        experiment=experiment,
        rules=call.rules,
        verdict=verdict,
        expected=text,
        measured=measured,
        action=call.do,
        code=answer.code,
        switch=call.switch,
        value=value,
        door=call.door,
    )


def _judge_switch(call: Call, answer: Answer, names: Mapping[str, str], assumed: Any) -> tuple[str, str, Any]:
    """Return the verdict about a switch, what the answer shows, and the value that it shows, or None.

    `assumed` is the value with which the model agrees.
    """
    matching = [outcome for outcome in call.outcomes if not _list_differences(outcome, answer, names)]
    if not matching:
        return DIFFERS, f"{answer}: none of the known answers", None
    value = DEFAULTS[call.switch] if matching[0].value is None else matching[0].value
    if value == UNKNOWN:
        return CANNOT_TELL, "the answer is the same for every value", None
    return AGREES if value == assumed else DIFFERS, f"{call.switch} = {value!r}", value


def _get_expected(call: Call, switches: Mapping[str, Any]) -> Outcome:
    """Return the expected answer. A switch with the id of the rule replaces its error."""
    code = call.code
    if code and (error := next((switches[rule] for rule in call.rules if rule in switches), None)):
        code = (ERRORS[error].fcu or "") if call.door == "fcu" else ERRORS[error].code
    return Outcome(None, code, call.shows, call.lacks)


def _list_differences(expected: Outcome, answer: Answer, names: Mapping[str, str]) -> list[str]:
    if expected.code != answer.code:
        return [str(answer)]
    shows = fill(dict(expected.shows), names)
    return [
        *find_differences(shows, answer.whole),
        *(f"{path} is present" for path in expected.lacks if _has(answer, path)),
    ]


def _has(answer: Answer, path: str) -> bool:
    try:
        read_path(answer.whole, path)
    except KeyError:
        return False
    return True


def _describe(expected: Outcome) -> str:
    if expected.code:
        return f"code {expected.code}"
    parts = [shorten(dict(expected.shows))] if expected.shows else []
    parts += [f"without {path}" for path in expected.lacks]
    return " with ".join(filter(None, ("success", ", ".join(parts))))


def _find_obstacle(answer: Answer) -> str:
    """Return why an unexpected answer decides nothing, or ""."""
    if answer.status in NO_PERMISSION:
        return "no permission"
    code = answer.code
    if (code.isdecimal() and _FIRST_QUOTA <= int(code) <= _LAST_QUOTA) or code.endswith("LimitExceeded"):
        return "a quota of the account is reached"
    return "the endpoint throttles" if answer.status in THROTTLED else ""
