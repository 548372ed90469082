"""How the exceptions of swept code are judged and described."""

from __future__ import annotations

import asyncio
import threading
import time

import pytest
from support.catalogue import SUBREGION
from support.sweeping import LOST, Failed, create_volume, get_only_world, setup

from omisim import ApiError, Cloud
from omisim.testing import sweep


class TestLines:
    def test_are_those_of_the_code_and_of_the_causes(self) -> None:
        """Each is the last line that belongs neither to Python nor to a library."""

        def decode(cloud: Cloud) -> None:
            try:
                cloud.account("alice").read_vms()
            except ApiError:
                try:
                    int("<html>")
                except ValueError as error:
                    raise TypeError from error

        (line,) = get_only_world(sweep(setup, decode, kinds=["refused"], limit=1)).details
        start = decode.__code__.co_firstlineno
        numbers = ", from ".join(f"test_errors.py:{start + offset}" for offset in (7, 5, 2))
        assert line == f"raises TypeError ({numbers})"

    def test_are_also_those_of_a_loop_without_end(self) -> None:
        """The report leads to the loop, whether it sleeps or not."""

        def poll(cloud: Cloud) -> None:
            cloud.account("alice").create_volume(subregion_name=SUBREGION, size=1)
            while cloud.account("alice").read_volumes()[0].state != "available":
                time.sleep(5)

        def poll_without_a_pause(cloud: Cloud) -> None:
            cloud.account("alice").create_volume(subregion_name=SUBREGION, size=1)
            while cloud.account("alice").read_volumes()[0].state != "available":
                pass

        for code, offset in ((poll, 3), (poll_without_a_pause, 2)):
            world = get_only_world(sweep(setup, code, kinds=["failed"]))
            assert world.outcome == "never ended"
            assert f"(test_errors.py:{code.__code__.co_firstlineno + offset})" in world.details[0]


class TestGroups:
    def test_of_own_exceptions_report_a_failure(self) -> None:
        """A TaskGroup raises the exceptions of its tasks as a group."""

        async def create(cloud: Cloud) -> None:
            async with asyncio.TaskGroup() as group:
                group.create_task(asyncio.to_thread(create_volume, cloud))

        assert sweep(setup, create, kinds=["refused"]).counts == {"failed cleanly": 2}
        assert sweep(setup, create, kinds=["refused"], expected=Failed).counts == {"failed cleanly": 2}
        assert sweep(setup, create, kinds=["refused"], expected=ApiError).counts == {"wrong result": 2}

    def test_are_described_with_their_exceptions(self) -> None:
        """The text of the group alone does not say what happened."""

        def create(cloud: Cloud) -> None:
            try:
                create_volume(cloud)
            except Failed as error:
                raise ExceptionGroup("two errors", [error, KeyError("x")]) from None

        (line,) = get_only_world(sweep(setup, create, kinds=["refused"], limit=1)).details
        assert line.startswith(
            "raises ExceptionGroup: two errors (2 sub-exceptions): support.sweeping.Failed, KeyError: "
        )


def test_a_loop_without_end_may_report_an_error_of_its_own() -> None:
    """It has ended only because the sweep has ended it."""

    def poll(cloud: Cloud) -> None:
        try:
            create_volume(cloud)
            while cloud.account("alice").read_volumes()[0].state != "available":
                time.sleep(5)
        except Exception as error:
            raise Failed from error

    assert sweep(setup, poll, kinds=["failed"]).counts == {"never ended": 1}


def test_a_thread_of_a_killed_process_ends_silently(monkeypatch: pytest.MonkeyPatch) -> None:
    """Its exception is not one of the code. Others are printed as ever."""
    printed: list[type[BaseException]] = []
    monkeypatch.setattr(threading, "excepthook", lambda args: printed.append(args.exc_type))

    def create(cloud: Cloud) -> None:
        thread = threading.Thread(target=create_volume, args=[cloud])
        thread.start()
        thread.join()

    sweep(setup, create, kinds=["killed"])
    assert printed == []
    sweep(setup, create, kinds=LOST)
    assert set(printed) == {Failed}
