"""Hunt the planted bugs (`support/planted_bugs.py`): the machine finds each of them.

python tests/tools/planted.py            # all of them, from three places each: writes the table of evidence.md
python tests/tools/planted.py NAME       # one, as a failing run shows it
"""

from __future__ import annotations

import re
import sys
import traceback
from collections.abc import Callable, Sequence
from multiprocessing import Pool
from pathlib import Path
from statistics import median
from typing import Any

import pytest
from hypothesis import HealthCheck, Phase, settings

sys.path.insert(0, str(Path(__file__).parents[1]))
from support.planted_bugs import PLANTED

from omisim.testing.exploration import in_rounds
from omisim.testing.laws import Broken
from omisim.testing.machine import CloudMachine

EVIDENCE = Path(__file__).parents[2] / "docs" / "explanation" / "evidence.md"
SEEDS = (0, 1, 2)
MOST = 20_000  # steps in which a bug has to be found
LENGTH = 50  # steps of a history, its preparation not counted


class Enough(BaseException):
    """A hunt has taken as many steps as it may. Hypothesis runs again what raises an Exception, and not this."""


class Counting(CloudMachine):
    """A machine that counts its steps, and stops when they are enough."""

    steps, most = 0, MOST

    def count(self) -> None:
        """Count a step."""
        if Counting.steps >= Counting.most:
            raise Enough
        Counting.steps += 1

    def call(self, name: str, action: str, /, **parameters: Any) -> dict[str, Any] | None:
        """Count a call."""
        self.count()
        return super().call(name, action, **parameters)

    def do(self, text: str, what: Callable[[], Any]) -> Any:
        """Count anything else."""
        self.count()
        return super().do(text, what)


def hunt(name: str, number: int, *, shrink: bool = False, length: int = LENGTH) -> tuple[int, Exception | None]:
    """Plant a bug, and return after how many steps the machine found it, and how it said so; None: it did not.

    The number says where the seeds begin. Raises RuntimeError for a planted bug that fails by itself.
    """
    chosen = settings(
        max_examples=MOST,
        stateful_step_count=length,
        phases=(Phase.generate, Phase.shrink) if shrink else (Phase.generate,),
        database=None,
        deadline=None,
        report_multiple_bugs=False,
        suppress_health_check=list(HealthCheck),
    )
    Counting.steps, Counting.most = 0, sys.maxsize if shrink else MOST
    with pytest.MonkeyPatch.context() as patch:
        PLANTED[name][1](patch)
        try:
            in_rounds(Counting, chosen, number * MOST)
        except (Enough, Exception) as found:
            if Path(traceback.extract_tb(found.__traceback__)[-1].filename).name == "planted_bugs.py":
                raise RuntimeError(f"the code of the planted bug fails: {name}") from found
            # Hypothesis may complain that the history it was stopped in is another than before
            return Counting.steps, None if Counting.steps >= Counting.most or isinstance(found, Enough) else found
    return Counting.steps, None


def describe_failure(failure: Exception) -> str:
    """Name the law that was broken, or the error that a bug came out as."""
    return f"`{failure.law if isinstance(failure, Broken) else type(failure).__name__}`"


def hunt_and_describe(name: str, number: int) -> tuple[int, str | None]:
    """Hunt a bug from a place, and return the steps and what found it."""
    steps, failure = hunt(name, number)
    return steps, describe_failure(failure) if failure else None


def row(name: str, runs: Sequence[tuple[int, str | None]]) -> str:
    """Return the row of the table that the hunts of a bug make."""
    laws = [law for _, law in runs if law is not None]
    steps = median(steps if law else MOST for steps, law in runs)
    step_text = f"{steps:,.0f}" if steps < MOST else f"over {MOST:,}"
    found = f"{len(laws)} of {len(SEEDS)}"
    return f"| {name} | {PLANTED[name][0]} | {step_text} | {found} | {', '.join(sorted(set(laws)))} |\n"


def table() -> str:
    """Hunt all bugs on all cores, and return what came of it, telling each as it is done."""
    rows = ["| planted bug | what is wrong | steps (median) | found | by the laws |\n|---|---|---|---|---|\n"]
    with Pool(maxtasksperchild=1) as pool:  # a bug may spoil what a process keeps for all its clouds
        hunts = {name: [pool.apply_async(hunt_and_describe, (name, number)) for number in SEEDS] for name in PLANTED}
        for name, runs in hunts.items():
            rows.append(row(name, [run.get() for run in runs]))
            sys.stdout.write(rows[-1])
            sys.stdout.flush()
    return "".join(rows)


def main(names: list[str]) -> None:
    """Write the table into evidence.md, or print one failing run."""
    if names:
        steps, failure = hunt(names[0], 0, shrink=True)
        sys.stdout.write(
            f"{steps} steps, shrinking included\n{failure}\n{''.join(getattr(failure, '__notes__', ()))}\n"
        )
        return
    between = re.compile("(<!-- planted -->\n).*?(<!-- /planted -->)", re.DOTALL)
    rows = table()
    EVIDENCE.write_text(between.sub(lambda marks: marks[1] + rows + marks[2], EVIDENCE.read_text()))


if __name__ == "__main__":
    main(sys.argv[1:])
