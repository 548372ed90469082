"""Render the steps of a machine as a standalone Python script."""

from __future__ import annotations

import re
from collections.abc import Sequence
from itertools import pairwise
from typing import Any

from omisim.base.frozen import frozen
from omisim.cloud.account import Account
from omisim.model import Bucket
from omisim.model.ids import PREFIXES, make_id

__all__ = ["ScriptCall", "ScriptLine", "bucket", "leave_out_unused", "render_script", "shorten_script"]

SEED = "0"  # seed of the cloud of a script
MAX_IDS = 30  # upper bound of the ids that the last step creates
_ID = re.compile(r"\b[a-z-]+-[0-9a-f]{8,32}\b")
# text that needs an import, and the import
_IMPORTS = (
    ("suppress(", "from contextlib import suppress\n"),
    ("suppress(", "from omisim import ApiError, Cloud"),
    ("suppress(", "from omisim.engine.faults import Dropped"),
    ("laws.", "from omisim.testing import laws"),
    ("bucket(", "from omisim.testing.script import bucket"),
)


@frozen()
class ScriptCall:
    """A call by an account; `refused` is the refusal as text, "" if the call succeeded."""

    account: str
    action: str
    parameters: dict[str, Any]
    refused: str
    id_count: int = 0  # ids that were created before the step
    is_uncaught: bool = False  # whether the refusal is the failure that ends the history

    def render_lines(self, *, last: bool) -> list[str]:
        """Return the step as lines of Python; the last step of a script also checks the laws."""
        caller = f"cloud.account({self.account!r})"
        arguments = "".join(
            f", {name}={value!r}" if name.isidentifier() else "" for name, value in self.parameters.items()
        )
        other_names = {name: value for name, value in self.parameters.items() if not name.isidentifier()}
        arguments += f", **{other_names!r}" if other_names else ""
        call = (
            f"laws.call({caller}, {self.action!r}{arguments})" if last else f"{caller}.call({self.action!r}{arguments})"
        )
        if self.is_uncaught or not (last or self.refused):
            return [call]
        return ["with suppress(ApiError, Dropped):" + (f"  # {self.refused}" if self.refused else ""), f"    {call}"]


@frozen()
class ScriptLine:
    """Any other operation as a line of Python; `end` is a line to run at the end of the script."""

    text: str
    end: str = ""
    id_count: int = 0  # ids that were created before the step
    account: str = ""  # the account that the line only creates, or whose bucket it creates

    def render_lines(self, *, last: bool) -> list[str]:
        """Return the step as lines of Python; the last step of a script also checks the laws."""
        return ["mark = cloud.mark()", self.text, "laws.check(cloud, since=mark)"] if last else [self.text]


def bucket(account: Account, name: str) -> None:
    """Create a bucket in an account's Region as a target for exports, without boto3 and moto."""
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


def render_script(
    title: str, steps: Sequence[ScriptCall | ScriptLine], kept: Sequence[int] | None = None, *, checks: bool = True
) -> str:
    """Return a script that repeats the steps, checks the laws for the last step, and then for the whole cloud.

    Args:
        title: The docstring of the script.
        steps: The steps of the history.
        kept: The indexes of the steps to include, by default all. Ids are adapted when steps are left out.
        checks: Whether the script checks the laws.
    """
    kept_steps = [steps[index] for index in (range(len(steps)) if kept is None else kept)]
    last = kept_steps[-1] if checks and kept_steps else None
    lines = [line for step in kept_steps for line in step.render_lines(last=step is last)]
    lines += ["laws.check(cloud)"] if checks else []
    lines += [step.end for step in kept_steps if isinstance(step, ScriptLine) and step.end]
    body = "\n".join(lines)
    imports = "\n".join(line for word, line in _IMPORTS if word in body)
    imports = imports if "Cloud" in imports else f"from omisim import Cloud\n{imports}"
    docstring = title.replace('"""', "'''").replace("\\", "/")
    text = f'"""{docstring}"""\n\n{imports}\n\n{body}\n'
    new_ids = {} if kept is None else _map_ids(steps, kept)
    return _ID.sub(lambda match: new_ids.get(match[0], match[0]), text)


def _map_ids(steps: Sequence[ScriptCall | ScriptLine], kept_steps: Sequence[int]) -> dict[str, str]:
    """Map the ids that the steps have created to the ids that the kept steps alone create."""
    new_ids: dict[str, str] = {}
    dropped_ids = 0
    counts = [step.id_count for step in steps]
    for index, (before, after) in enumerate(pairwise([*counts, counts[-1] + MAX_IDS])):
        if index not in kept_steps:
            dropped_ids += max(after - before, 0)
        elif dropped_ids:
            for number in range(before + 1, after + 1):
                new_ids |= {make_id(kind, SEED, number): make_id(kind, SEED, number - dropped_ids) for kind in PREFIXES}
    return new_ids


def shorten_script(steps: Sequence[ScriptCall | ScriptLine], failure: Exception) -> Sequence[int] | None:
    """Return the indexes of the steps that reproduce a failure; None if the script of all steps does not reproduce it.

    This complements Hypothesis's shrinking, which cannot leave out parts of `prepare` or unused accounts.
    """
    kept_steps = list(range(len(steps)))
    if not _reproduces(steps, kept_steps, failure):
        return None
    for size in (8, 1):  # eight at a time first: most steps of a long history are not needed
        for start in range(len(kept_steps) - size, -1, -size):
            fewer = [*kept_steps[:start], *kept_steps[start + size :]]
            if _reproduces(steps, fewer, failure):
                kept_steps = fewer
    return kept_steps


def leave_out_unused(steps: Sequence[ScriptCall | ScriptLine]) -> Sequence[int]:
    """Return the indexes of the steps without accounts that no other step uses, and without unused buckets."""
    calls = [step for step in steps if isinstance(step, ScriptCall)]
    texts = [step.text for step in steps if isinstance(step, ScriptLine) and not step.account]
    uses_buckets = any("Export" in step.action or step.action.startswith("oos.") for step in calls)
    accounts = {step.account for step in calls}

    def is_used(step: ScriptCall | ScriptLine) -> bool:
        if isinstance(step, ScriptCall) or not step.account:
            return True
        has_user = step.account in accounts or any(repr(step.account) in text for text in texts)
        return has_user and (uses_buckets or not step.text.startswith("bucket("))

    return [index for index, step in enumerate(steps) if is_used(step)]


def _reproduces(steps: Sequence[ScriptCall | ScriptLine], kept_steps: Sequence[int], failure: Exception) -> bool:
    try:
        exec(render_script("", steps, kept_steps), {})  # noqa: S102 - the printed script itself is executed
    except Exception as error:  # noqa: BLE001 - the model may raise anything
        return _classify(error) == _classify(failure)
    return False


def _classify(error: Exception) -> tuple[object, ...]:
    return type(error), getattr(error, "law", ""), getattr(error, "rule", "")
