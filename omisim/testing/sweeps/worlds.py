"""Run code once, then once per deviation, and judge each run."""

from __future__ import annotations

from collections import Counter
from collections.abc import Callable, Iterable, Iterator, Sequence
from contextlib import AbstractContextManager, contextmanager
from dataclasses import dataclass
from itertools import pairwise
from typing import Any, Final

from omisim.base.frozen import replace
from omisim.base.suggest import suggest
from omisim.cloud.cloud import Cloud
from omisim.engine.session import CallRecord
from omisim.model.ids import derive_hex
from omisim.state.state import State
from omisim.testing.sweeps.deviations import INTERFERENCES, KINDS, Deviation, Kind, enumerate_deviations
from omisim.testing.sweeps.inventory import compare, find_extras, find_lost, normalize, take_inventory
from omisim.testing.sweeps.judge import Holds, check_holds, judge
from omisim.testing.sweeps.report import HARMLESS, SweepReport, World, split_at_kill
from omisim.testing.sweeps.runs import Code, Expected, Run, perform

__all__ = ["PATIENCE", "Options", "Sweep", "sweep"]

Open = Callable[[], AbstractContextManager[Cloud]]
PATIENCE: Final = 2.0  # real seconds until threads that wait for a killed one are given up
_MAX_DEPTH: Final = 2
_RERUNS: Final = 2  # how often killed code may run again until it succeeds
_SECOND: Final = frozenset({"refused", "lost", "killed", "cut"})


@dataclass(frozen=True, slots=True)
class Options:
    """The options of a sweep; see `sweep`."""

    holds: Holds | None = None
    limit: int | None = None
    depth: int = 1
    expected: Expected | None = None
    kinds: Iterable[Kind] | None = None
    interfere: Iterable[str] | bool = ()
    delay: float = 600.0
    seed: int = 0

    def __post_init__(self) -> None:
        """Raise ValueError for an invalid option."""
        if self.limit is not None and (type(self.limit) is not int or self.limit < 1):
            raise ValueError(f"limit must be a positive integer or None, not {self.limit!r}")
        if type(self.depth) is not int or not 1 <= self.depth <= _MAX_DEPTH:
            raise ValueError(f"depth must be 1 or 2, not {self.depth!r}")
        if self.holds is not None and not callable(self.holds):
            raise ValueError(f"holds must be a function of a cloud, not {self.holds!r}")
        if type(self.seed) is not int:
            raise ValueError(f"seed must be an int, not {self.seed!r}")
        if isinstance(self.delay, bool) or not isinstance(self.delay, int | float) or not 0 < self.delay < 1e9:  # noqa: PLR2004
            raise ValueError(f"delay must be a positive number of seconds, not {self.delay!r}")
        types = self.expected if isinstance(self.expected, tuple) else (self.expected or Exception,)
        if not all(isinstance(kind, type) and issubclass(kind, BaseException) for kind in types):
            raise ValueError(f"expected must be an exception class or a tuple of them, not {self.expected!r}")
        if self.kinds is not None:
            self._set_names("kinds", self.kinds, KINDS)
            if not self.kinds:
                raise ValueError("kinds must not be empty: no run would have a deviation")
        if not isinstance(self.interfere, bool):
            self._set_names("interfere", self.interfere, INTERFERENCES)

    def _set_names(self, option: str, names: Iterable[str], choices: Sequence[str]) -> None:
        """Keep the names of an option as a tuple, so that each run can read them, also of an iterator."""
        if isinstance(names, str) or not isinstance(names, Iterable):
            raise ValueError(f"{option} must be a list of names, for example [{choices[0]!r}], not {names!r}")
        object.__setattr__(self, option, tuple(names))
        for name in getattr(self, option):
            if name not in choices:
                raise ValueError(f"{option} must be among {', '.join(choices)}, not {name!r}{suggest(name, choices)}")

    @property
    def interference(self) -> tuple[str, ...]:
        """What a second client does."""
        if isinstance(self.interfere, bool):
            return INTERFERENCES if self.interfere else ()
        return tuple(self.interfere)


def sweep(
    setup: Callable[[], Cloud],
    code: Code,
    holds: Holds | None = None,
    limit: int | None = None,
    depth: int = 1,
    *,
    expected: Expected | None = None,
    kinds: Iterable[Kind] | None = None,
    interfere: Iterable[str] | bool = (),
    delay: float = 600.0,
    seed: int = 0,
) -> SweepReport:
    """Run code once to record its calls, then once per way in which the cloud could have answered otherwise.

    Every run has a fork of the cloud. During a run, requests of this process to OUTSCALE reach that fork, and sleeps
    move its clock.

    Args:
        setup: returns the cloud in which the code starts. It is called once.
        code: the code under test, a function of the cloud. It may be a coroutine function.
        holds: a condition that is true after every run: a function of the cloud that raises an exception or returns
            False otherwise. By default, the laws hold, nothing is left beyond what the clean run leaves, and a run that
            succeeds has the result of the clean run.
        limit: the maximum number of worlds, sampled evenly.
        depth: 2 to combine each deviation with a second one, in the calls that the first one has caused.
        expected: the exceptions with which the code reports a failure. By default, every exception that neither
            Python nor a client library defines.
        kinds: the kinds of deviations, by default all of `KINDS`.
        interfere: what a second client does between two calls: "delete", "stop", "share", or True for all.
        delay: the seconds of a delayed answer.
        seed: the seed of the sample.

    Returns:
        The report; `str(report)` is its text, and `report.findings` lists the worlds in which the code coped badly.

    Raises:
        ValueError: An option is invalid, `setup` or `code` is not a function, or `setup` does not return a Cloud.
        AssertionError: `holds` does not hold after the clean run, the code makes no call, or two clean runs differ.
        Exception: Whatever the code raises in the clean run.
    """
    options = Options(holds, limit, depth, expected, kinds, interfere, delay, seed)
    if not callable(setup):
        raise ValueError(f"setup must be a function that returns a Cloud, such as cloud.fork, not {setup!r}")
    if not callable(code):
        raise ValueError(f"code must be a function of a cloud, not {code!r}")
    base = setup()
    if not isinstance(base, Cloud):
        raise ValueError(f"setup must return a Cloud, not {base!r}")

    with base.intercept(), base.sleeping(patience=PATIENCE):  # the patches of the libraries stay for all worlds
        report = Sweep.over_forks(base, code, options).run()
    if not report.calls:
        raise AssertionError(f"the sweep tries nothing: the code makes no call of the cloud that it gets\n{report}")
    if report.unstable:
        raise AssertionError(str(report))
    return report


class Sweep:
    """A sweep in progress: the clean run, and the means to make another.

    `open_world` returns a context manager that provides the same cloud each time. `deviations` are the single
    deviations of the clean run.
    """

    def __init__(self, open_world: Open, code: Code, options: Options) -> None:
        self._open = open_world
        self._code = code
        self._options = options
        self._budget = 10_000
        self.deviations: list[Deviation]
        self._end: tuple[Cloud, State]  # the cloud after the clean run, and its state before
        self._clean, self.deviations = self._record()
        self._budget = 1_000 + 20 * len(self._clean.calls)

    @classmethod
    def over_forks(cls, base: Cloud, code: Code, options: Options) -> Sweep:
        """Return a sweep whose runs have forks of a cloud."""

        @contextmanager
        def open_fork() -> Iterator[Cloud]:
            cloud = base.fork()
            cloud.engine.session.copy_faults(base.engine.session)
            with cloud.intercept(), cloud.sleeping(patience=PATIENCE):
                yield cloud

        return cls(open_fork, code, options)

    def run(self, shard: tuple[int, int] = (0, 1)) -> SweepReport:
        """Run the worlds of one shard: its number, and the number of shards."""
        calls = len(self._clean.calls)
        if unstable := list(_find_instability(self._clean, self._record()[0])):
            return SweepReport(calls, unstable=unstable)
        number, count = shard
        limit = self._options.limit
        singles = _sample(self.deviations, limit and -(-limit // self._options.depth), self._options.seed)
        left_out = len(self.deviations) - len(singles) if number == 0 else 0  # the parts are added up
        worlds, pairs = [], []
        for deviation in singles[number::count]:
            world, runs = self.try_deviations((deviation,))
            worlds.append(world)
            if self._options.depth > 1:
                pairs += [(deviation, second) for second in self._follow(deviation, runs)]
        room = None if limit is None else (limit - len(singles) + number) // count
        sampled = _sample(pairs, room, self._options.seed)
        worlds += [self.try_deviations(pair)[0] for pair in sampled]
        return SweepReport(calls, worlds, left_out + len(pairs) - len(sampled))

    def _record(self) -> tuple[Run, list[Deviation]]:
        """Make a clean run, and enumerate its deviations. Raises what the code raises."""
        with self._open() as cloud:
            before = cloud.engine.state.fork()
            run = perform(cloud, self._code, before, self._budget, self._options.expected)
            if run.failure is not None:
                if run.failure.error is not None:
                    raise run.failure.error
                raise RuntimeError(f"the code does not end without a deviation: {run.failure.text}")
            for finding in check_holds(cloud, self._options.holds) if self._options.holds else ():
                raise AssertionError(f"after a clean run, {finding}")
            self._end = cloud.fork(), before
            kinds = self._options.kinds or KINDS
            interference = self._options.interference
            return run, enumerate_deviations(run, cloud, kinds, delay=self._options.delay, interfere=interference)

    def try_deviations(self, deviations: tuple[Deviation, ...]) -> tuple[World, list[Run]]:
        """Run the code with deviations; after a kill, until it succeeds. Return the world and its runs."""
        options, stages = self._options, split_at_kill(deviations)
        with self._open() as cloud:
            before = cloud.engine.state.fork()
            runs: list[Run] = []
            while not runs or _must_run_again(runs, max_runs=len(stages) + _RERUNS):
                for deviation in reversed(stages[len(runs)] if len(runs) < len(stages) else ()):  # see World.script
                    deviation.apply(cloud)
                try:
                    runs.append(perform(cloud, self._code, before, self._budget, options.expected))
                except BaseException as error:  # of a time limit of the test, or KeyboardInterrupt
                    error.add_note(f"omisim: the sweep tried this deviation: {World(deviations, 'survived').title}")
                    raise
            call = min(deviation.call or deviation.start for deviation in deviations)
            first = judge(runs[-1], self._clean, cloud, options.holds, call)
            others = () if options.holds or first[0] in HARMLESS else self._list_clean_after(deviations)
            judgements = (judge(runs[-1], clean, cloud, None, call) for clean in others)
            outcome, details = next((judgement for judgement in judgements if judgement[0] in HARMLESS), first)
        if len(runs) > 1 and runs[-1].failure:
            outcome = "wrong result" if outcome == "failed cleanly" else outcome
            details = ("it fails each time it runs again", *details)
        return World(deviations, outcome, details), runs

    def _list_clean_after(self, deviations: Sequence[Deviation]) -> Iterator[Run]:
        """Yield the clean run as if a second client had come after it, for each of its deviations."""
        for deviation in deviations:
            if deviation.kind == "interfered":
                cloud, before = self._end[0].fork(), self._end[1]
                deviation.apply(cloud)
                for fault in cloud.faults:
                    if fault.meanwhile is not None:
                        fault.meanwhile()
                yield replace(self._clean, inventory=take_inventory(cloud, before))

    def _follow(self, deviation: Deviation, runs: Sequence[Run]) -> list[Deviation]:
        """Return the second deviations of the run that a first one has affected: after a kill, of the next run.

        A call that the clean run makes too, with as many results, is left out: the first deviation has changed nothing
        for it.
        """
        run = runs[-1 if deviation.kind != "killed" else min(1, len(runs) - 1)]
        clean_calls = Counter(map(_summarize, self._clean.calls))
        new = set()
        for number, call in enumerate(run.calls, 1):
            clean_calls[_summarize(call)] -= 1
            if clean_calls[_summarize(call)] < 0:
                new.add(number)
        with self._open() as cloud:
            kinds: Any = _SECOND & set(self._options.kinds or KINDS)
            deviations = enumerate_deviations(run, cloud, kinds)
        earliest = 0 if deviation.kind == "killed" else deviation.call or 0
        return [second for second in deviations if second.call in new and second.call > earliest]


def _must_run_again(runs: Sequence[Run], max_runs: int) -> bool:
    """Whether the code has to run once more: it was killed, or it has failed after a kill and may still succeed."""
    failure = runs[-1].failure
    if failure is None or len(runs) == max_runs:
        return False
    return failure.kind == "killed" or (len(runs) > 1 and failure.kind == "own")


def _summarize(call: CallRecord) -> tuple[str, str, int | None]:
    """Return what a call and its answer have in common with those of another run that do the same."""
    return call.action, repr(normalize(call.parameters)), call.results


def _find_instability(first: Run, second: Run) -> Iterator[str]:
    """Yield the differences between two clean runs."""
    call_counts = [
        Counter(f"{call.action} {normalize(call.parameters)}" for call in run.calls) for run in (first, second)
    ]
    yield from (f"only the first run calls {call}" for call in call_counts[0] - call_counts[1])
    yield from (f"only the second run calls {call}" for call in call_counts[1] - call_counts[0])
    yield from find_extras(second.inventory, first.inventory.created)
    yield from find_lost(second.inventory, first.inventory)
    yield from compare(second.inventory, first.inventory)
    if first.value != second.value:
        yield f"the second run returns {second.value!r}, not {first.value!r}"


def _sample(items: Sequence[Any], limit: int | None, seed: int) -> list[Any]:
    """Return at most `limit` items: one, chosen by the seed, of each of as many equal parts."""
    if limit is None or len(items) <= limit:
        return list(items)
    bounds = [len(items) * part // limit for part in range(limit + 1)] if limit else []
    return [items[start + _draw(seed, start) % (end - start)] for start, end in pairwise(bounds)]


def _draw(seed: int, number: int) -> int:
    """Return a large number that depends on the seed."""
    return int(derive_hex(f"{seed}:sweep:{number}")[:8], 16)
