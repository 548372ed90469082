"""A history as a Python script that anybody can run: the steps of a machine, in omisim's own API."""

from __future__ import annotations

import re
from collections.abc import Sequence
from dataclasses import dataclass
from itertools import pairwise
from typing import Any

from omisim.cloud.account import Account
from omisim.model import Bucket
from omisim.model.ids import PREFIXES, make_id

__all__ = ["ScriptCall", "ScriptLine", "bucket", "render_script", "shorten_script"]

SEED = "0"  # of the cloud of a script
MANY = 30  # ids that the last step may make
_ID = re.compile(r"\b[a-z-]+-[0-9a-f]{8,32}\b")
# what a script imports, and the word that asks for it
_IMPORTS = (
    ("suppress(", "from contextlib import suppress\n"),
    ("suppress(", "from omisim import ApiError, Cloud"),
    ("suppress(", "from omisim.engine.faults import Dropped"),
    ("laws.", "from omisim.testing import laws"),
    ("bucket(", "from omisim.testing.script import bucket"),
)


@dataclass(frozen=True, slots=True)
class ScriptCall:
    """A call: who made it, of what action, with which parameters, and what it was refused with, "" for nothing."""

    account: str
    action: str
    parameters: dict[str, Any]
    refused: str
    number: int = 0  # of ids that were made before
    escapes: bool = False  # whether the refusal is what has failed

    def lines(self, *, last: bool) -> list[str]:
        """Return it as Python; the last one is held against the laws."""
        caller = f"cloud.account({self.account!r})"
        given = "".join(f", {name}={value!r}" if name.isidentifier() else "" for name, value in self.parameters.items())
        odd = {name: value for name, value in self.parameters.items() if not name.isidentifier()}
        given += f", **{odd!r}" if odd else ""
        call = f"laws.call({caller}, {self.action!r}{given})" if last else f"{caller}.call({self.action!r}{given})"
        if self.escapes or not (last or self.refused):
            return [call]
        return ["with suppress(ApiError, Dropped):" + (f"  # {self.refused}" if self.refused else ""), f"    {call}"]


@dataclass(frozen=True, slots=True)
class ScriptLine:
    """Anything else that was done, as a line of Python; and what must hold of it at the end, another line."""

    text: str
    end: str = ""
    number: int = 0  # of ids that were made before

    def lines(self, *, last: bool) -> list[str]:
        """Return it as Python; the last one is held against the laws."""
        return ["mark = cloud.mark()", self.text, "laws.check(cloud, since=mark)"] if last else [self.text]


def bucket(account: Account, name: str) -> None:
    """Make a bucket in an account's Region, as object storage does, for exports to go to: without boto3 and moto."""
    cloud = account.cloud
    row = Bucket(
        account_id=account.account_id,
        bucket_id=f"{account.region}/{name}",
        creation_date=cloud.now,
        name=name,
        region=account.region,
    )
    with cloud.engine.transaction("bucket") as tx:
        tx.add(row)


def render_script(title: str, steps: Sequence[ScriptCall | ScriptLine], kept: Sequence[int] | None = None) -> str:
    """Return a script that repeats the steps, holds the last one against the laws, and then the whole cloud.

    `kept`: the places of those that it repeats, if not all; what they make has other ids then.
    """
    told = [steps[place] for place in (range(len(steps)) if kept is None else kept)]
    lines = [line for number, step in enumerate(told, 1) for line in step.lines(last=number == len(told))]
    lines += ["laws.check(cloud)", *(step.end for step in told if isinstance(step, ScriptLine) and step.end)]
    body = "\n".join(lines)
    imports = "\n".join(line for word, line in _IMPORTS if word in body)
    imports = imports if "Cloud" in imports else f"from omisim import Cloud\n{imports}"
    said = title.replace('"""', "'''").replace("\\", "/")
    text = f'"""{said}"""\n\n{imports}\n\n{body}\n'
    ids = {} if kept is None else _ids(steps, kept)
    return _ID.sub(lambda found: ids.get(found[0], found[0]), text)


def _ids(steps: Sequence[ScriptCall | ScriptLine], kept: Sequence[int]) -> dict[str, str]:
    """Return what becomes of the ids that the steps have made, when only those that are kept make any."""
    ids: dict[str, str] = {}
    gone = 0
    numbers = [step.number for step in steps]
    for place, (before, after) in enumerate(pairwise([*numbers, numbers[-1] + MANY])):
        if place not in kept:
            gone += max(after - before, 0)
        elif gone:
            for number in range(before + 1, after + 1):
                ids |= {make_id(kind, SEED, number): make_id(kind, SEED, number - gone) for kind in PREFIXES}
    return ids


def shorten_script(steps: Sequence[ScriptCall | ScriptLine], failed: Exception) -> Sequence[int] | None:
    """Return the places of the steps that a failure needs, each of them; None if the script of all does not fail so.

    Hypothesis shrinks what it draws, and knows neither what a preparation consists of nor which accounts matter.
    """
    kept = list(range(len(steps)))
    if not _fails(steps, kept, failed):
        return None
    for size in (8, 1):  # eight at a time first: most of a long history goes
        for place in range(len(kept) - size, -1, -size):
            fewer = [*kept[:place], *kept[place + size :]]
            if _fails(steps, fewer, failed):
                kept = fewer
    return kept


def _fails(steps: Sequence[ScriptCall | ScriptLine], kept: Sequence[int], failed: Exception) -> bool:
    try:
        exec(render_script("", steps, kept), {})  # noqa: S102 - what is printed is what is tried
    except Exception as found:  # noqa: BLE001 - whatever the model raises
        return _kind(found) == _kind(failed)
    return False


def _kind(failed: Exception) -> tuple[object, ...]:
    return type(failed), getattr(failed, "law", ""), getattr(failed, "rule", "")
