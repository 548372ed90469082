"""The report of a sweep: its worlds by outcome, the findings, and the open questions that the code rests on."""

from __future__ import annotations

import re
from collections import Counter
from collections.abc import Mapping, Sequence
from typing import Any, Final, Literal, get_args

from omisim.base.frozen import frozen
from omisim.base.texts import pluralize
from omisim.spec.rules import load_rules
from omisim.state.settings import SWITCHES
from omisim.testing.sweeps.deviations import Deviation

__all__ = ["HARMLESS", "OUTCOMES", "Outcome", "SweepReport", "World", "explain_emptiness", "split_at_kill"]

Outcome = Literal["survived", "failed cleanly", "left something behind", "wrong result", "never ended"]
OUTCOMES: Final[tuple[Outcome, ...]] = get_args(Outcome)
HARMLESS: Final = ("survived", "failed cleanly")
_MAX_DETAILS: Final = 8  # lines of one finding
_RULE: Final = re.compile(r"\(([A-Z]{2,4}-\d+)\)")


def explain_emptiness(calls: int, left_out: int, unstable: Sequence[str]) -> str:
    """Return why a sweep has no worlds."""
    if unstable:
        return "none: two clean runs differ"
    if left_out:
        return "none: limit has left them out"
    return "none: no deviation of the selected kinds applies" if calls else "none: the code makes no call"


def split_at_kill(deviations: Sequence[Deviation]) -> list[Sequence[Deviation]]:
    """Return the deviations of each run: those after a kill concern the next run of the code."""
    if len(deviations) > 1 and deviations[0].kind == "killed":
        return [deviations[:1], deviations[1:]]
    return [deviations]


@frozen()
class World:
    """One run that met a deviation, or two: its outcome, and what went wrong, a line each."""

    deviations: tuple[Deviation, ...]
    outcome: Outcome
    details: tuple[str, ...] = ()

    @property
    def is_finding(self) -> bool:
        """Whether the code coped badly. A world with another behaviour switch is an open question instead."""
        return self.outcome not in HARMLESS and self.switch is None

    @property
    def is_open_question(self) -> bool:
        """Whether the code fails only because a behaviour switch is decided otherwise."""
        return self.outcome != "survived" and self.switch is not None

    @property
    def switch(self) -> str | None:
        """The switch that this world decides otherwise, or None."""
        names = (deviation.line.split("'")[1] for deviation in self.deviations if deviation.kind == "switch")
        return next(names, None)

    @property
    def title(self) -> str:
        """The deviations as a phrase."""
        then = ", then in the next run, " if len(split_at_kill(self.deviations)) > 1 else ", then "
        return then.join(map(str, self.deviations))

    @property
    def place(self) -> str:
        """The call of the deviation, or the deviation itself if it concerns the run as a whole."""
        return ", then ".join(f"call {d.call}" if d.call else d.says for d in self.deviations)

    @property
    def script(self) -> str:
        """Lines of Python that reproduce the world alone, with `cloud` and `code` as in the sweep."""
        lines = []
        for stage in split_at_kill(self.deviations):
            # a later deviation counts the calls from the start, so its fault is added first
            lines += [deviation.line for deviation in reversed(stage)]
            if any(deviation.kind == "killed" for deviation in stage):
                lines += ["with suppress(BaseException):", "    code(cloud)", "cloud.faults.clear()"]
        is_killed = any(deviation.kind == "killed" for deviation in self.deviations)
        return "\n".join([*lines, "code(cloud)"] if is_killed else lines)

    def __str__(self) -> str:
        """Return the deviations, the outcome, the details and the script as lines."""
        more = len(self.details) - _MAX_DETAILS
        details = [*self.details[:_MAX_DETAILS], *([f"… and {more} more"] if more > 0 else [])]
        script = self.script.splitlines()
        return "\n".join([f"{self.title}: {self.outcome}", *(f"  {line}" for line in details),
                          "  reproduce:", *(f"    {line}" for line in script)])  # fmt: skip

    def to_dict(self) -> dict[str, Any]:
        """Return the world as JSON data."""
        deviations = [{"kind": d.kind, "call": d.call, "says": d.says, "line": d.line} for d in self.deviations]
        return {
            "deviations": deviations,
            "outcome": self.outcome,
            "details": list(self.details),
            "script": self.script,
        }


@frozen()
class SweepReport:
    """The result of a sweep.

    Attributes:
        calls: the number of calls of the clean run.
        worlds: the worlds that were run.
        left_out: the number of worlds that `limit` has left out.
        unstable: how the second clean run differs from the first, one line each. No world is run in that case.
    """

    calls: int
    worlds: Sequence[World] = ()
    left_out: int = 0
    unstable: Sequence[str] = ()

    @property
    def findings(self) -> list[World]:
        """The worlds in which the code left something behind, had a wrong result, or never ended."""
        return [world for world in self.worlds if world.is_finding]

    @property
    def open_questions(self) -> list[World]:
        """The worlds in which the code fails only because a behaviour switch is decided otherwise."""
        return [world for world in self.worlds if world.is_open_question]

    @property
    def counts(self) -> Mapping[Outcome, int]:
        """The number of worlds by outcome, open questions left out."""
        counts = Counter(world.outcome for world in self.worlds if not world.is_open_question)
        return {outcome: counts[outcome] for outcome in OUTCOMES if counts[outcome]}

    def __str__(self) -> str:
        """Return the report as text."""
        total = f"sweep over {pluralize(self.calls, 'call')}: {pluralize(len(self.worlds), 'run')}"
        lines = [f"{total} ({self.left_out} left out by limit)" if self.left_out else total]
        lines += [f"  {count} {outcome}" for outcome, count in self.counts.items()]
        if not self.worlds:
            lines.append(f"  {explain_emptiness(self.calls, self.left_out, self.unstable)}")
        if self.unstable:
            lines.append("The code keeps state between two runs, or sends times or random values other than UUIDs:")
            lines += [f"  {line}" for line in self.unstable]
        for first, *others in self._group_findings():
            lines += ["", *str(first).splitlines()]
            if others:
                places = "; ".join(dict.fromkeys(world.place for world in others))
                lines += [f"  the same in {pluralize(len(others), 'more run')}: {places}"]
        for world in self.open_questions:
            lines += ["", *self._describe_question(world)]
        return "\n".join(lines)

    def _group_findings(self) -> list[list[World]]:
        """Return the findings by outcome; those that differ only in their call are one group."""
        groups: dict[object, list[World]] = {}
        for world in sorted(self.findings, key=lambda world: OUTCOMES.index(world.outcome)):
            kinds = [deviation.kind for deviation in world.deviations]
            groups.setdefault((world.outcome, world.details, *kinds), []).append(world)
        return list(groups.values())

    def _describe_question(self, world: World) -> list[str]:
        name = world.switch or ""
        switch = SWITCHES[name]
        match = _RULE.search(switch.says)
        rule = load_rules().get(match[1]) if match else None
        return [
            f"rests on an open question: with {world.title}: {world.outcome}",
            *(f"  {line}" for line in world.details[:_MAX_DETAILS]),
            f"  question: {switch.says}",
            *([f"  rule: {rule.id}: {rule.says}"] if rule else []),
            f"  evidence: {switch.evidence}",
        ]

    def to_dict(self) -> dict[str, Any]:
        """Return the report as JSON data."""
        return {
            "calls": self.calls,
            "outcomes": dict(self.counts),
            "left_out": self.left_out,
            "unstable": list(self.unstable),
            "findings": [world.to_dict() for world in self.findings],
            "open_questions": [
                world.to_dict() | {"question": switch.says, "evidence": switch.evidence}
                for world in self.open_questions
                for switch in (SWITCHES[world.switch or ""],)
            ],
            "worlds": [world.to_dict() for world in self.worlds],
        }
