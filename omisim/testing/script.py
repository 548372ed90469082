"""A history as a Python script that anybody can run: the steps of a machine, in omisim's own API."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

from omisim.account import Account
from omisim.model import Bucket

__all__ = ["Did", "Step", "bucket", "script"]

_HEAD = '''"""{title}"""

from contextlib import suppress

from omisim import ApiError, Cloud
from omisim.faults import Dropped
from omisim.testing import laws
from omisim.testing.script import bucket

'''


@dataclass(frozen=True, slots=True)
class Step:
    """A call: who made it, of what action, with which parameters, and what it was refused with, "" for nothing."""

    account: str
    action: str
    parameters: dict[str, Any]
    refused: str

    def lines(self, *, last: bool) -> list[str]:
        """Return it as Python; the last one is held against the laws."""
        caller = f"cloud.account({self.account!r})"
        given = "".join(f", {name}={value!r}" if name.isidentifier() else "" for name, value in self.parameters.items())
        odd = {name: value for name, value in self.parameters.items() if not name.isidentifier()}
        given += f", **{odd!r}" if odd else ""
        if last:
            return ["with suppress(ApiError, Dropped):", f"    laws.call({caller}, {self.action!r}{given})"]
        call = f"{caller}.call({self.action!r}{given})"
        if not self.refused:
            return [call]
        return [f"with suppress(ApiError, Dropped):  # {self.refused}", f"    {call}"]


@dataclass(frozen=True, slots=True)
class Did:
    """Anything else that was done, as a line of Python."""

    text: str

    def lines(self, *, last: bool) -> list[str]:
        """Return it as Python; the last one is held against the laws."""
        return ["mark = cloud.mark()", self.text, "laws.check(cloud, since=mark)"] if last else [self.text]


def bucket(account: Account, name: str) -> None:
    """Make a bucket in an account's Region, as object storage does, for exports to go to: without boto3 and moto."""
    cloud = account._cloud
    row = Bucket(
        account_id=account.account_id,
        bucket_id=f"{account.region}/{name}",
        creation_date=cloud.now,
        name=name,
        region=account.region,
    )
    with cloud._writing("bucket") as tx:
        tx.add(row)


def script(title: str, steps: Sequence[Step | Did], ends: Sequence[str] = ()) -> str:
    """Return a script that repeats the steps, holds the last one against the laws, and then the whole cloud."""
    lines = [line for number, step in enumerate(steps, 1) for line in step.lines(last=number == len(steps))]
    head = _HEAD.format(title=title.replace('"""', "'''").replace("\\", "/"))
    return head + "\n".join([*lines, "laws.check(cloud)", *ends]) + "\n"
