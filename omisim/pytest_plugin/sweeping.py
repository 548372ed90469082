"""The marker `omisim_sweep`: run a test once per way in which its cloud could have answered."""

from __future__ import annotations

import inspect
from collections import Counter
from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager, nullcontext
from dataclasses import fields
from functools import partial
from typing import Any, Final

import pytest
from _pytest.unittest import TestCaseFunction

from omisim import Cloud
from omisim.base.texts import pluralize
from omisim.engine.marks import Saved
from omisim.pytest_plugin.marker_options import iter_arguments
from omisim.testing.sweeps import OUTCOMES, Options, Sweep, SweepReport
from omisim.testing.sweeps.report import explain_emptiness
from omisim.testing.sweeps.worlds import PATIENCE

__all__ = [
    "describe_sweep", "merge_sweeps", "parametrize", "read_sweep_options", "summarize_sweeps", "sweep_test",
]  # fmt: skip

MARKER: Final = "omisim_sweep"
REPORT: Final = pytest.StashKey[SweepReport]()
SHARD: Final = "_omisim_sweep_shard"
KNOWN: Final = tuple(field.name for field in fields(Options))


def read_sweep_options(node: pytest.Item) -> Options:
    """Return the options of a test's markers; a closer marker overrides a farther one. Raises ValueError."""
    options: dict[str, Any] = {}
    for arguments in iter_arguments(node, MARKER, KNOWN):
        options = arguments | options
    return Options(**options)


def parametrize(metafunc: pytest.Metafunc) -> None:
    """Split the worlds of a test into one part per worker of pytest-xdist."""
    count = getattr(metafunc.config, "workerinput", {}).get("workercount", 1)
    if count > 1:
        metafunc.fixturenames.append(SHARD)
        shards = [(number, count) for number in range(count)]
        metafunc.parametrize(SHARD, shards, indirect=True, ids=[f"sweep{number + 1}of{count}" for number, _ in shards])


def sweep_test(item: pytest.Item, run_test: Callable[[], object], cloud: Cloud | None) -> None:
    """Run a test cleanly, then once per deviation, and fail it with the report if there are findings.

    Its fixtures are set up once, and so is a TestCase: its test method alone is swept, between setUp and tearDown.
    """
    if not isinstance(item, TestCaseFunction):
        with pytest.MonkeyPatch.context() as patch:
            if (subtests := getattr(item, "funcargs", {}).get("subtests")) is not None:
                patch.setattr(type(subtests), "test", _run_subtest)
            _sweep(item, run_test, cloud)
        return
    method = item.obj
    if inspect.iscoroutinefunction(method):
        text = "cannot run a coroutine of a TestCase: use a test function, or asyncio.run in the method"
        pytest.fail(f"{MARKER} {text}", pytrace=False)

    def sweep_method() -> None:
        own = getattr(item.instance, "cloud", None)  # of omisim.unittest
        _sweep(item, partial(_run_method, item.instance, method), own if cloud is None else cloud)

    item.obj = sweep_method
    run_test()


def _run_subtest(*_args: object, **_kwargs: object) -> nullcontext[None]:
    """Run a subtest as a part of its test, which a failure ends: a run of a sweep has one outcome."""
    return nullcontext()


def _run_method(testcase: Any, method: Callable[[], object]) -> None:
    """Run a method of a TestCase and the clean-ups that it adds. A failing subtest fails it at once."""
    cleanups: list[Any] = []
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(testcase, "_cleanups", cleanups)  # doCleanups would record errors, and raise none
        patch.setattr(testcase, "subTest", _run_subtest)
        try:
            method()
        finally:
            while cleanups:
                function, args, kwargs = cleanups.pop()
                function(*args, **kwargs)


def _sweep(item: pytest.Item, run_test: Callable[[], object], cloud: Cloud | None) -> None:
    """Sweep a test. Its cloud returns to its state before the test for each run, and in the end to the clean run's."""
    if cloud is None:
        text = "needs a cloud: request omi_cloud, or a fixture that uses it"
        if hasattr(getattr(item, "obj", None), "hypothesis"):
            text = "cannot run a test with @given: use pytest.mark.parametrize"
        pytest.fail(f"{MARKER} {text}", pytrace=False)
    engine = cloud.engine
    start = engine.save()
    after: list[Saved] = []

    @contextmanager
    def open_world() -> Iterator[Cloud]:
        engine.restore(start)
        yield cloud
        if not after:
            after.append(engine.save())

    shard = item.callspec.params.get(SHARD, (0, 1)) if hasattr(item, "callspec") else (0, 1)
    has_virtual_sleep = "omi_sleep" in getattr(item, "fixturenames", ())
    try:
        with nullcontext() if has_virtual_sleep else cloud.sleeping(patience=PATIENCE):
            report = Sweep(open_world, lambda _: run_test(), read_sweep_options(item)).run(shard)
    finally:
        if after:
            engine.restore(after[0])
    item.stash[REPORT] = report
    if not report.calls:
        text = "tries nothing: the test makes no call of its cloud. A client that the test makes needs omi_env"
        pytest.fail(f"{MARKER} {text}", pytrace=False)
    if report.findings or report.unstable:
        pytest.fail(str(report), pytrace=False)


def merge_sweeps(sweeps: list[dict[str, Any]]) -> dict[str, dict[str, Any]]:
    """Return the reports as JSON data, by test. The parts of one test are added up."""
    merged: dict[str, dict[str, Any]] = {}
    for sweep in sweeps:
        name, data = sweep["test"], sweep["report"]
        merged[name] = _add(merged[name], data) if name in merged else data
    return merged


def _add(first: Mapping[str, Any], second: Mapping[str, Any]) -> dict[str, Any]:
    counts = Counter(first["outcomes"]) + Counter(second["outcomes"])
    lists = ("findings", "open_questions", "worlds")
    return {
        "calls": first["calls"],
        "outcomes": {outcome: counts[outcome] for outcome in OUTCOMES if outcome in counts},
        "left_out": first["left_out"] + second["left_out"],
        "unstable": first["unstable"] or second["unstable"],
        **{name: [*first[name], *second[name]] for name in lists},
    }


def name_test(item: pytest.Item) -> str:
    """Return the node id of a test, without the number of its part."""
    callspec = getattr(item, "callspec", None)
    if callspec is None or SHARD not in callspec.params:
        return item.nodeid
    number, count = callspec.params[SHARD]
    part = f"sweep{number + 1}of{count}"
    return item.nodeid.replace(f"-{part}", "").replace(f"{part}-", "").replace(f"[{part}]", "")


def describe_sweep(item: pytest.Item) -> dict[str, Any] | None:
    """Return the report of a test for `TestReport`, which crosses to another process as JSON."""
    report = item.stash.get(REPORT, None)
    if report is None:
        return None
    return {"test": name_test(item), "report": report.to_dict()}


def summarize_sweeps(sweeps: list[dict[str, Any]]) -> Iterator[str]:
    """Yield the lines of the terminal's summary: the outcomes of each test, and the open questions it rests on."""
    for name, data in merge_sweeps(sweeps).items():
        outcomes = ", ".join(f"{count} {outcome}" for outcome, count in data["outcomes"].items())
        if not data["worlds"]:
            outcomes = explain_emptiness(data["calls"], data["left_out"], data["unstable"])
        yield f"{name}: {pluralize(len(data['worlds']), 'run')}: {outcomes}"
        for question in data["open_questions"]:
            says = ", then ".join(deviation["says"] for deviation in question["deviations"])
            yield f"  rests on an open question: with {says}: {question['outcome']}"
            yield f"    {question['question']}"
            yield f"    evidence: {question['evidence']}"
