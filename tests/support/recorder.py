"""Check every answer against the official description of the API, and check that the suite covers the description.

A pytest plugin, registered by `tests/conftest.py`. In each process that runs tests, the fixture `recorder` checks every
answer, and records which fields and values of the official description the request and the answer contain. Under
pytest-xdist the workers send their records to the controller at their end.

When a run of the whole suite has passed, the records are evaluated (`support/surface.py`) and the verdict is reported
as one more test, `VERDICT`. A run of a part of the suite, or one with a failure, has no verdict.
"""

from __future__ import annotations

import inspect
import json
from collections.abc import Generator, Iterator
from functools import wraps
from typing import Any, Literal

import pytest
from hypothesis import currently_in_test_context
from support import surface
from support.official import find_mismatches, get_schema

from omisim.actions.framework.request import Request
from omisim.doors.oapi import render
from omisim.engine import calls
from omisim.engine.dispatch import Answer
from omisim.engine.engine import Engine
from omisim.model.serialize import to_api_names

__all__ = ["VERDICT"]

FILE, NAME = "tests/support/recorder.py", "test_suite_shows_the_whole_official_description"
VERDICT = f"{FILE}::{NAME}"
SEEN = pytest.StashKey[set[str]]()  # fields and values in the calls of this process and its workers


@pytest.fixture(name="recorder", scope="session", autouse=True)
def _recorder(pytestconfig: pytest.Config) -> Iterator[None]:
    """Check every answer of this process against the official description, and record its fields and values."""
    answer_call = calls.answer_call
    checked: set[tuple[str, str]] = set()
    names = pytestconfig.stash[SEEN]

    @wraps(answer_call)
    def record_call(engine: Engine, request: Request, *args: Any) -> Any:
        answer = answer_call(engine, request, *args)
        if not isinstance(answer, Answer) or request.action in request.dialect.own:  # the description is that of OAPI
            return answer
        name, body, parameters = request.action, render.render_body(answer), to_api_names(request.parameters)
        body.pop("ResponseContext")
        text = json.dumps([parameters, body], default=str)
        if (name, text) not in checked:
            checked.add((name, text))
            assert find_mismatches(body, get_schema(f"{name}Response"), name) == []
            if (
                name in surface.list_core_actions() and not currently_in_test_context()
            ):  # drawn values may differ in the next run
                names.update(surface.iter_sent_names(name, parameters), surface.iter_answered_names(name, body))
        return answer

    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(calls, "answer_call", record_call)
        yield


@pytest.fixture
def unrecorded(recorder: None, monkeypatch: pytest.MonkeyPatch) -> None:
    """Let answers pass unchecked, for a test that measures what calls cost."""
    monkeypatch.setattr(calls, "answer_call", inspect.unwrap(calls.answer_call))


def pytest_configure(config: pytest.Config) -> None:
    """Start without records."""
    config.stash[SEEN] = set()


def pytest_sessionfinish(session: pytest.Session) -> None:
    """Send the records of a worker to the controller."""
    if _is_worker(session.config):
        names: set[str] = session.config.stash[SEEN]
        session.config.workeroutput["seen"] = sorted(names)  # type: ignore[attr-defined]  # xdist sets it


@pytest.hookimpl(optionalhook=True)
def pytest_testnodedown(node: Any) -> None:
    """Add the records of a worker to those of the controller."""
    node.config.stash[SEEN].update(getattr(node, "workeroutput", {}).get("seen", ()))


@pytest.hookimpl(wrapper=True)
def pytest_runtestloop(session: pytest.Session) -> Generator[None, object, object]:
    """Report the verdict as the last test of a whole run that has passed."""
    result = yield
    if not session.testsfailed and not _is_worker(session.config) and _is_whole(session.config):
        names: set[str] = session.config.stash[SEEN]
        session.testscollected += 1
        session.config.hook.pytest_runtest_logreport(report=_verdict(surface.find_gaps(names)))
    return result


def _verdict(unseen: list[str]) -> pytest.TestReport:
    outcome: Literal["passed", "failed"] = "failed" if unseen else "passed"
    text = "\n".join(["The official description is not shown as a whole:", *unseen]) if unseen else None
    return pytest.TestReport(VERDICT, (FILE, None, NAME), {}, outcome, text, "call")


def _is_worker(config: pytest.Config) -> bool:
    return hasattr(config, "workeroutput")


def _is_whole(config: pytest.Config) -> bool:
    selections = ("keyword", "markexpr", "deselect", "ignore", "ignore_glob", "lf", "collectonly", "stepwise")
    has_default_paths = config.args_source is pytest.Config.ArgsSource.TESTPATHS
    return has_default_paths and not any(getattr(config.option, name, None) for name in selections)
