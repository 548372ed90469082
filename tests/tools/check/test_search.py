"""The search of a bounded model check, and the planted bugs that it finds."""

from __future__ import annotations

import gc
from multiprocessing import active_children
from typing import Any

import pytest
from support.checking import SMALL, list_called_methods, make_copy_step, plant_bug, take_step
from support.planted_bugs import PLANTED

from omisim.state.state import State
from omisim.state.transaction import Transaction
from omisim.testing.laws import Broken
from omisim.tools.check import Bounds, CheckStep, CheckWorld, Level, check
from omisim.tools.check.canonical import Canonical
from omisim.tools.check.command import write_script
from omisim.tools.check.explorer import Violation
from omisim.tools.cli import main


class TestSearch:
    def test_finds_exactly_the_states_that_calls_lead_to(self) -> None:
        """Two calls deep, the search finds the states that trying every pair of calls leads to, and no others."""
        world = CheckWorld(SMALL)
        canonical = Canonical(world.cloud.engine.state.fork(), list(world.accounts.values()))
        start = world.cloud.mark()
        hashes = {canonical.hash_state(world.cloud.engine.state)}
        for first in tuple(world.iter_steps()):
            if take_step(world, first):
                continue
            hashes.add(canonical.hash_state(world.cloud.engine.state))
            middle = world.cloud.mark()
            for second in tuple(world.iter_steps()):
                take_step(world, second)
                hashes.add(canonical.hash_state(world.cloud.engine.state))
                world.cloud.rollback(middle)
            world.cloud.rollback(start)
        assert check(SMALL, 2).states == len(hashes)

    def test_finds_no_broken_law_four_calls_deep(self) -> None:
        """Every law holds in every state of a small world, four calls deep."""
        result = check(SMALL, 4)
        assert result.violation is None
        assert [level.depth for level in result.levels] == [0, 1, 2, 3]
        assert result.states == 1 + sum(level.new_states for level in result.levels)
        assert result.refused > result.states

    def test_finds_the_same_with_any_number_of_workers(self) -> None:
        """Two workers get the same result as one, to the last refused call."""
        assert check(Bounds(), 3, workers=2) == check(Bounds(), 3)

    def test_leaves_the_garbage_collector_as_it_was(self) -> None:
        """The search lets Python collect less often, and its caller as often as before."""
        before = gc.get_threshold()
        check(SMALL, 1)
        assert gc.get_threshold() == before

    def test_ends_when_every_state_is_visited(self, monkeypatch: pytest.MonkeyPatch) -> None:
        """A world with few calls is visited completely, however deep the search may go."""
        iter_steps = CheckWorld.iter_steps
        few = ("create_volume", "delete_volume", "complete", "fail")
        monkeypatch.setattr(
            CheckWorld, "iter_steps", lambda world: (step for step in iter_steps(world) if step.method in few)
        )
        result = check(SMALL, 50)
        assert result.complete
        assert result.states == 5  # none, or one that is creating, available, in error, deleting
        assert len(result.levels) < 10

    def test_raises_an_error_when_a_worker_dies(self) -> None:
        """When a worker is killed, the search raises ChildProcessError instead of waiting for its result."""

        def kill(_level: Level, _states: int) -> None:
            active_children()[0].kill()

        with pytest.raises(ChildProcessError, match="a worker process was killed"):
            check(Bounds(), 4, workers=2, progress=kill)
        assert not active_children()

    @pytest.mark.parametrize(
        ("bounds", "depth", "workers", "line"),
        [
            (Bounds(accounts=0), 1, 1, "accounts must be 1 to"),
            (Bounds(regions=9), 1, 1, "regions must be 1 to 5, not 9"),
            (Bounds(images=0), 1, 1, "images must be at least 1"),
            (Bounds(), 0, 1, "depth must be at least 1, not 0"),
            (Bounds(), 1, 0, "workers must be 1 to 64"),
            (Bounds(), 1, 65, "workers must be 1 to 64"),
        ],
    )
    def test_refuses_impossible_bounds(self, bounds: Bounds, depth: int, workers: int, line: str) -> None:
        """No accounts, more accounts than Regions allow, too few calls or workers are a ValueError."""
        with pytest.raises(ValueError, match=line):
            check(bounds, depth, workers)

    def test_refuses_no_workers(self, capsys: pytest.CaptureFixture[str]) -> None:
        """`--workers 0` is not the default number."""
        assert main(["check", "--depth", "1", "--workers", "0"]) == 2
        assert "workers must be 1 to 64, not 0" in capsys.readouterr().err


class TestBugs:
    def test_are_shown_by_the_shortest_script(self, monkeypatch: pytest.MonkeyPatch) -> None:
        """An OMI whose snapshot can be deleted is shown by two calls, whose script runs. [SNP-016]"""
        plant_bug(monkeypatch)
        result = check(SMALL, 4)
        assert list_called_methods(result) == ["create_image", "delete_snapshot"]
        assert result.violation is not None
        with pytest.raises(Broken, match="SNP-016"):
            exec(write_script(result.violation, SMALL), {})

    def test_of_a_rollback_are_not_shown_by_the_calls_alone(self, monkeypatch: pytest.MonkeyPatch) -> None:
        """A script that runs without an error says so: what the check undid before has left a trace."""
        _, plant = PLANTED["undoing forgets an index"]
        plant(monkeypatch)
        result = check(SMALL, 2)
        assert result.violation is not None
        script = write_script(result.violation, SMALL)
        exec(script, {})
        assert script.splitlines()[-1].startswith("# These calls alone do not show it: a rollback of other calls")

    def test_of_exports_are_shown_without_boto3(self, capsys: pytest.CaptureFixture[str]) -> None:
        """The script of an export gives the account its bucket, and needs no boto3."""
        world = CheckWorld(SMALL)
        world.take(make_copy_step(world, "bob"))
        (image,) = world.accounts["bob"].read_images(filters={"image_names": ["image 0"]})
        target = {"disk_image_format": "raw", "osu_bucket": world.accounts["bob"].account_id}
        export = CheckStep("bob", "create_image_export_task", {"image_id": image.image_id, "osu_export": target})
        text = write_script(Violation((make_copy_step(world, "bob"), export), "a law"), SMALL)
        exec(f"{text}\nprint(bob.read_image_export_tasks()[0].state)", {})
        assert capsys.readouterr().out == "pending/queued\n"
        assert [line for line in text.splitlines() if "bucket(" in line] == ["bucket(bob, bob.account_id)"]

    def test_that_raise_an_exception_are_found(self, monkeypatch: pytest.MonkeyPatch) -> None:
        """A defect that raises an exception is a violation named after it."""
        original_move = Transaction.move

        def forget_rule(tx: Transaction, entity: Any, event: str, *args: Any, **fields: Any) -> Any:
            if event == "drop":
                raise KeyError(event)
            return original_move(tx, entity, event, *args, **fields)

        monkeypatch.setattr(Transaction, "move", forget_rule)
        result = check(SMALL, 4)
        assert result.violation is not None
        assert result.violation.error == "KeyError: 'drop'"
        assert list_called_methods(result) == [
            "create_vms",
            "fail",
        ]  # a VM that does not come up lets go of its root volume

    def test_of_refusals_that_change_something_are_found(self, monkeypatch: pytest.MonkeyPatch) -> None:
        """A refused call that has changed something is a violation."""
        original_undo = State.undo_to
        monkeypatch.setattr(
            State, "undo_to", lambda state, to: original_undo(state, to + 1 if state.position > to + 9 else to)
        )
        assert check(SMALL, 3).violation
