"""Run experiments against an endpoint: create what they need, judge the answers, and clean up."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator, Mapping
from contextlib import suppress
from dataclasses import dataclass, field, replace
from functools import partial
from typing import Any

from omisim.base.frozen import frozen
from omisim.base.texts import pluralize
from omisim.probe.connection import Absent, Answer, Unreachable
from omisim.probe.experiments import Call, Experiment, fill
from omisim.probe.fcu import is_creation
from omisim.probe.judge import AGREES, CANNOT_TELL, DIFFERS, Finding, judge
from omisim.probe.ledger import KINDS, Ledger, find_kind, is_brief, read_resource
from omisim.probe.matching import read_path
from omisim.probe.objects import Objects
from omisim.probe.quotas import read_quota
from omisim.probe.world import Recipe, list_needed

__all__ = ["CannotTell", "Limits", "Runner", "Stopped"]

WRITES = ("PUT", "POST", "DELETE")  # of object storage
MAX_UNANSWERED = 3  # calls without an answer in a row
# names of the world that a run may lack → what it needs
OPTIONAL = {
    "bob": "a second account", "carol": "an account in another Region", "other_region": "another Region",
    "subregion_b": "a second Subregion",
}  # fmt: skip
Sender = Callable[[str, str, Mapping[str, Any], Mapping[str, str], str], Answer]


class CannotTell(Exception):
    """The rest of an experiment decides nothing; the text says why."""


class Stopped(Exception):
    """The run cannot go on; the text says why."""


@frozen()
class Limits:
    """The bounds of a run: resources created, seconds to wait for one state, seconds between two reads at most."""

    resources: int = 200
    wait: float = 300
    pause: float = 5


@dataclass
class Runner:
    """One run. `initial` are the values that exist before it: account ids, Regions, the prefix.

    `send` makes a call: caller, action, parameters, changes of the request, door. `callers` are those that it knows.
    """

    send: Sender
    callers: frozenset[str]
    initial: Mapping[str, str]
    sleep: Callable[[float], None]
    limits: Limits = field(default_factory=Limits)
    switches: Mapping[str, Any] = field(default_factory=dict)

    def __post_init__(self) -> None:
        """Start with nothing but the initial names."""
        self.ledger: Ledger = Ledger(self._request, self.initial["prefix"].rstrip("-"), self.sleep, self.limits.pause)
        self.objects: Objects = Objects(partial(self._request, door="oos"), self.initial["prefix"].rstrip("-"))
        if "bucket" in self.initial:
            self.objects.record("alice", self.initial["bucket"])
        self.unanswered: list[tuple[str, str]] = []  # creations whose answer, with the id, was lost: action and caller
        self._names: dict[str, str] = dict(self.initial)
        self._stale: set[str] = set()  # ids of the world that a call may have changed
        self._failed: dict[str, str] = {}  # recipe → why it cannot be made
        self._silent = 0

    def run(self, experiment: Experiment) -> list[Finding]:
        """Run an experiment and return its findings. Raises Stopped if the endpoint cannot be used any more."""
        with suppress(CannotTell, Unreachable):  # the call that needs it reports it
            self.create(experiment.needs)  # first: it takes time, in which transient states end
        before = set(self.ledger.owners)
        names = dict[str, str]()
        findings: list[Finding] = []
        reason = ""  # why the rest of the experiment decides nothing
        for call in experiment.calls:
            try:
                finding = None if reason else self._decide(experiment, call, names)
            except (CannotTell, Unreachable) as error:
                reason, finding = str(error), None
            if finding is None:
                finding = Finding(experiment.name, call.rules, CANNOT_TELL, "", reason, call.do, switch=call.switch)
            elif finding.verdict == DIFFERS and call.code and not finding.code:
                reason = f"{call.do} was accepted"
            if finding.rules or finding.switch:
                findings.append(finding)
        self._tidy(before, patient=bool(experiment.quotas))  # others need what it has used up
        return findings

    def create(self, names: Iterable[str]) -> dict[str, str]:
        """Create these names of the world, and return the value of every known name. Raises CannotTell."""
        for recipe, calls in list_needed(names).items():
            self._build(recipe, calls)
        return dict(self._names)

    def adopt(self, run: str, owners: Mapping[str, str]) -> Ledger:
        """Return a ledger of what another run has created, to clean it up."""
        ledger = Ledger(self._request, run, self.sleep, self.limits.pause)
        ledger.owners |= owners
        return ledger

    def perform(self, call: Call, names: Mapping[str, str]) -> tuple[Answer, dict[str, str]]:
        """Make one call, and wait until what it creates has left its transient states. Raises CannotTell."""
        self._prepare(call)
        answer, saved = self._make(call, {**self._names, **names})
        for row_id in saved.values():
            for _ in self._poll():
                if not is_brief(row_id, self._read_state(call.by, row_id)[0]):
                    break
        return answer, saved

    def _poll(self) -> Iterator[None]:
        """Yield before each of the reads that wait for a state, with growing pauses between them."""
        waited, pause = 0.0, 0.01
        yield
        while waited < self.limits.wait:
            self.sleep(pause)
            waited, pause = waited + pause, min(pause * 2, self.limits.pause)
            yield

    def _read_state(self, by: str, row_id: str) -> tuple[str, Answer]:
        """Return the state of a resource, "" if there is none, and the answer to the read."""
        row, answer = read_resource(self._request, by, row_id)
        return "" if row is None else str(row.get("State", "")), answer

    def clean(self) -> dict[str, str]:
        """Delete everything that the run has created; return what remains, with the reason."""
        self._names = dict(self.initial)
        left = self.ledger.clean()
        with suppress(Absent):
            left |= self.objects.clean()
        return left

    def _decide(self, experiment: Experiment, call: Call, names: dict[str, str]) -> Finding:
        """Make a call of an experiment and judge it."""
        self._prepare(call)
        values = self._names | names | self._count(call)
        if missing := [name for name in call.uses if name not in values]:
            raise CannotTell(f"an earlier call did not return {missing[0]}")
        parameters = fill(call.give, values)
        if call.of and self._has_ended(call, values):
            return Finding(experiment.name, call.rules, CANNOT_TELL, "", f"the state {call.state} had ended", call.do)
        answer, where = self._make(call, values)
        names |= where
        expected = _with_state(call, values)
        finding = replace(
            judge(experiment.name, expected, answer, values | where, self.switches), parameters=parameters
        )
        if call.of and finding.verdict == DIFFERS and self._has_ended(call, values):
            finding = replace(finding, verdict=CANNOT_TELL, measured=f"the state {call.state} had ended: {answer}")
        if call.fleeting and answer.accepted:
            finding = replace(finding, verdict=CANNOT_TELL, measured="the refusal had ended")
        if answer.accepted and (call.code or call.switch):
            self._forget(set(call.uses))
        decides = finding.rules or finding.switch
        if (
            finding.verdict != AGREES
            and not decides
            and not is_brief(fill(call.wait, values), call.state.partition("|")[0])
        ):
            raise CannotTell(f"{call.do or 'waiting'}: {finding.measured}")
        return finding

    def _has_ended(self, call: Call, names: Mapping[str, str]) -> bool:
        """Whether a resource has left the transient state for which a call is meant."""
        return self._read_state(call.by, fill(call.of, names))[0] != call.state

    def _make(self, call: Call, names: Mapping[str, str]) -> tuple[Answer, dict[str, str]]:
        """Make a call, or wait for a state; return the answer, and the saved names."""
        answer = self._wait(call, fill(call.wait, names)) if call.wait else self._repeat(call, names)
        saved = {}
        for name, path in call.save.items() if answer.accepted else ():
            try:
                saved[name] = str(read_path(answer.whole, path))
            except KeyError:
                raise CannotTell(f"{call.do or 'the read'}: the answer has no {path}") from None
        return answer, saved

    def _count(self, call: Call) -> dict[str, str]:
        """Return the names by which a call counts: how much its quota leaves. Raises CannotTell."""
        left = call.repeat
        if call.quota:
            limit, left = read_quota(self._request, call.by, call.quota)
            least, most = (0, call.repeat) if call.repeat else call.room
            if not limit:
                raise CannotTell(f"the account has no limit {call.quota}")
            if not least <= left <= most:
                raise CannotTell(f"the quota {call.quota} leaves {left}; this decides with {least} to {most}")
        return {"left": str(left), "over": str(left + 1), "number": "1"}

    def _repeat(self, call: Call, names: Mapping[str, str]) -> Answer:
        """Make a call, or repeat it until it is refused."""
        for number in range(1, (int(names["left"]) if call.repeat else 0) + 2):
            self._check_bound(call)
            values = {**names, "number": str(number)}
            answer = self._request(call.by, call.do, fill(call.give, values), fill(dict(call.http), values), call.door)
            if not answer.accepted:
                break
        return answer

    def _wait(self, call: Call, row_id: str) -> Answer:
        """Read a resource until it has the state of a call, fails, or takes too long; return the last read."""
        expected = call.state.split("|")
        for _ in self._poll():
            state, answer = self._read_state(call.by, row_id)
            is_over = is_brief(row_id, expected[0]) and not is_brief(row_id, state)
            if is_over or state in (*expected, "error", "failed", "terminated"):
                break
        return answer

    def _check_bound(self, call: Call) -> None:
        if call.requested and self.ledger.created + call.requested > self.limits.resources:
            raise CannotTell(f"the bound of {pluralize(self.limits.resources, 'resource')} is reached")

    def _prepare(self, call: Call) -> None:
        """Create the names of the world that a call uses. Raises CannotTell if one cannot be created."""
        for recipe, calls in list_needed(call.uses).items():
            self._build(recipe, calls)
        self._check_caller(call)
        for name in call.uses:
            if name in OPTIONAL and name not in self._names:
                raise CannotTell(f"needs {OPTIONAL[name]}")

    def _check_caller(self, call: Call) -> None:
        if call.by not in self.callers:
            raise CannotTell(f"needs {OPTIONAL.get(call.by, f'the account {call.by}')}")

    def _build(self, recipe: str, calls: Recipe) -> None:
        """Create the resources of a recipe unless they exist. Raises CannotTell if that fails, now or before."""
        if all(name in self._names for call in calls for name in call.save):
            return
        if recipe in self._failed:
            raise CannotTell(self._failed[recipe])
        if self._stale:  # their names and addresses are needed again
            self.ledger.clean(self._stale)
            self._stale = set()
        try:
            for call in calls:
                self._build_step(recipe, call)
        except CannotTell as error:
            self._failed[recipe] = str(error)
            raise

    def _build_step(self, recipe: str, call: Call) -> None:
        self._check_caller(call)
        answer, names = self._make(call, self._names)
        known = self._names | names
        finding = judge(recipe, _with_state(call, known), answer, known, {})
        if finding.verdict != AGREES:
            raise CannotTell(f"{recipe}: {call.do or 'waiting'}: {finding.measured}")
        self._names = known

    def _forget(self, names: set[str]) -> None:
        """Forget the resources that an accepted call may have changed, and those made from them."""
        changed = {name for name in names if name not in self.initial and name != "bucket"}  # no call changes that one
        for calls in list_needed(self._names).values():
            used = {name for call in calls for name in call.uses}
            saved = {name for call in calls for name in call.save}
            if changed & (used | saved):
                changed |= saved
        self._stale |= {self._names.pop(name) for name in changed if name in self._names}

    def _tidy(self, before: set[str], *, patient: bool) -> None:
        """Delete what an experiment has created, except the world; what cannot be deleted yet waits for the end."""
        kept = {*before, *self._names.values()}
        self.ledger.clean([one for one in self.ledger.owners if one not in kept], patient=patient)

    def _request(
        self, by: str, action: str, parameters: Mapping[str, Any], options: Mapping[str, str] = {}, door: str = ""
    ) -> Answer:
        """Make a call, and record what it creates. Raises Stopped if the endpoint does not answer any more."""
        if door == "oos" and action in WRITES and not self.objects.is_ours(str(parameters.get("Path"))):
            raise CannotTell(f"{action} {parameters.get('Path')}: the name does not begin with the run")
        try:
            answer = self.send(by, action, parameters, options, door)
        except Absent:
            raise
        except Unreachable as error:
            if door != "oos" and is_creation(action):
                self.unanswered.append((action, by))
            self._silent += 1
            if self._silent >= MAX_UNANSWERED:
                raise Stopped(f"{MAX_UNANSWERED} calls in a row had no answer: {error}") from None
            raise
        self._silent = 0
        if not answer.accepted:
            return answer
        if door == "oos" and action in WRITES:
            self.objects.record(by, str(answer.body["Bucket"]))
        elif problem := self.ledger.record(by, action, parameters, answer.body, fcu=door == "fcu"):
            raise Stopped(problem)
        return answer


def _with_state(call: Call, names: Mapping[str, str]) -> Call:
    """Return a call that waits, with the pattern of its state."""
    if not call.wait:
        return call
    items = KINDS[find_kind(fill(call.wait, names))]["items"]
    state = f"~{call.state}" if "|" in call.state else call.state
    return replace(call, shows={items: [{"State": state}] if state else [], **call.shows})
