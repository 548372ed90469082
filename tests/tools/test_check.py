"""The bounded model check: canonical hashes of states, the search, planted bugs, and `omisim check`."""

from __future__ import annotations

import json
import logging
import os
import signal
import subprocess
import sys
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from itertools import permutations
from multiprocessing import active_children
from pathlib import Path
from typing import Any

import pytest
from distributed import LocalCluster
from hypothesis import given, settings
from hypothesis import strategies as st

from omisim import ApiError
from omisim.actions.framework.call import Call
from omisim.state.state import State
from omisim.state.transaction import Transaction
from omisim.testing.laws import Broken
from omisim.tools.check import Bounds, CheckResult, CheckStep, CheckWorld, Level, check
from omisim.tools.check import cluster as cluster_module
from omisim.tools.check.canonical import Canonical
from omisim.tools.check.cluster import visit_part
from omisim.tools.check.command import write_script
from omisim.tools.check.explorer import Violation
from omisim.tools.cli import main

SMALL = Bounds(accounts=2, regions=1, images=1)


def compute_hash(world: CheckWorld, *steps: CheckStep) -> int:
    """Return the canonical hash of the state to which these calls lead, and undo them."""
    state, start = world.cloud.engine.state, world.cloud.engine.state.position
    canonical = Canonical(state.fork(), list(world.accounts.values()))
    for step in steps:
        world.take(step)
    state_hash = canonical.hash_state(state)
    state.undo_to(start)
    return state_hash


def make_volume_step(caller: str, size: int = 10) -> CheckStep:
    """Return a step that creates a volume."""
    return CheckStep(caller, "create_volume", {"subregion_name": "eu-west-2a", "size": size})


def make_copy_step(world: CheckWorld, caller: str) -> CheckStep:
    """Return a step that copies the official OMI."""
    source = {"source_image_id": world.official["eu-west-2"], "source_region_name": "eu-west-2"}
    return CheckStep(caller, "create_image", {**source, "image_name": "image 0"})


class TestStateHashes:
    def test_do_not_depend_on_which_account_acts(self) -> None:
        """The state is the same whether alice, bob or carol in another Region has made the resource."""
        world = CheckWorld(Bounds())
        elsewhere = CheckStep("carol", "create_volume", {"subregion_name": "cloudgouv-eu-west-1a", "size": 10})
        assert (
            len({compute_hash(world, step) for step in (make_volume_step("alice"), make_volume_step("bob"), elsewhere)})
            == 1
        )

    def test_do_not_depend_on_the_order_of_independent_calls(self) -> None:
        """Two independent calls lead to one state in either order, under other ids."""
        world = CheckWorld(SMALL)
        one, other = make_volume_step("alice"), make_copy_step(world, "bob")
        assert compute_hash(world, one, other) == compute_hash(world, other, one)

    def test_differ_for_states_that_behave_differently(self) -> None:
        """States that differ in an owner, a size, a state or a permission have different hashes."""
        world = CheckWorld(SMALL)
        alice = world.cloud.fork().account("alice")
        with alice.cloud.savepoint():
            volume_id = alice.create_volume(**make_volume_step("alice").arguments).volume_id
        image_id = alice.create_image(**make_copy_step(world, "alice").arguments).image_id
        share = {"additions": {"account_ids": (world.accounts["bob"].account_id,)}}
        states = [
            (),
            (make_volume_step("alice"),),
            (make_volume_step("alice", 20),),
            (make_volume_step("alice"), make_volume_step("alice")),
            (make_volume_step("alice"), make_volume_step("bob")),
            (make_volume_step("alice"), CheckStep("cloud", "complete", {"id": volume_id})),
            (make_copy_step(world, "alice"),),
            (make_copy_step(world, "alice"), make_volume_step("alice")),
            (make_copy_step(world, "alice"), make_volume_step("bob")),
            (
                make_copy_step(world, "alice"),
                CheckStep("alice", "update_image", {"image_id": image_id, "permissions_to_launch": share}),
            ),
        ]
        assert len({compute_hash(world, *steps) for steps in states}) == len(states)

    def test_differ_for_two_pairs_and_a_ring_of_four(self) -> None:
        """Two pairs of accounts that share with each other are not a ring of four, though each account looks alike."""
        world = CheckWorld(Bounds(accounts=4, regions=1, images=4))
        names = list(world.accounts)

        def compute_shared_hash(to: dict[str, str]) -> int:
            start = world.cloud.engine.state.position
            canonical = Canonical(world.cloud.engine.state.fork(), list(world.accounts.values()))
            for name, other in to.items():
                account = world.accounts[name]
                image = account.create_image(**make_copy_step(world, name).arguments)
                grant = {"additions": {"account_ids": [world.accounts[other].account_id]}}
                account.update_image(image_id=image.image_id, permissions_to_launch=grant)
            state_hash = canonical.hash_state(world.cloud.engine.state)
            world.cloud.engine.state.undo_to(start)
            return state_hash

        a, b, c, d = names
        pairs, ring = {a: b, b: a, c: d, d: c}, {a: b, b: c, c: d, d: a}
        assert compute_shared_hash(pairs) != compute_shared_hash(ring)
        assert compute_shared_hash(pairs) == compute_shared_hash({a: c, c: a, b: d, d: b})
        assert compute_shared_hash(ring) == compute_shared_hash({a: c, c: b, b: d, d: a})

    def test_differ_by_who_shares_with_whom(self) -> None:
        """Beside two volumes of one account, an OMI can be shared by one account with another in exactly seven ways."""
        world = CheckWorld(Bounds())
        numbers = Canonical(world.cloud.engine.state.fork(), list(world.accounts.values()))
        hashes: dict[tuple[str, ...], set[int]] = {}
        for _ in range(2):
            world.take(make_volume_step("alice"))
        for owner, other in permutations(world.accounts, 2):
            with world.cloud.savepoint():
                account, grantee = world.accounts[owner], world.accounts[other].account_id
                source: dict[str, Any] = {
                    "source_image_id": world.official[account.region],
                    "source_region_name": account.region,
                }
                image = account.create_image(**source)
                share = {"additions": {"account_ids": [grantee]}}
                account.update_image(image_id=image.image_id, permissions_to_launch=share)
                alike = ("carol" if owner == "dave" else owner, "carol" if other == "dave" else other)
                hashes.setdefault(alike, set()).add(numbers.hash_state(world.cloud.engine.state))
        assert [len(same) for same in hashes.values()] == [1] * 7
        assert len(set.union(*hashes.values())) == len(hashes)

    @settings(max_examples=20)
    @given(st.data())
    def test_do_not_change_under_any_renaming(self, data: Any) -> None:
        """Any history of other accounts, in the other Region, leads to the same state."""
        world, mirror = CheckWorld(Bounds()), CheckWorld(Bounds())
        ours, theirs = list(world.accounts), list(reversed(mirror.accounts))
        renamed = dict(zip(ours, theirs, strict=True))
        renamed |= {world.accounts[n].account_id: mirror.accounts[renamed[n]].account_id for n in ours}
        regions = list(world.official)
        renamed |= dict(zip(regions, reversed(regions), strict=True))
        renamed |= {f"{one}a": f"{other}a" for one, other in zip(regions, reversed(regions), strict=True)}
        renamed |= dict(zip(world.official.values(), reversed(world.official.values()), strict=True))
        numbers = [Canonical(w.cloud.engine.state.fork(), list(w.accounts.values())) for w in (world, mirror)]
        for _ in range(8):
            steps = [step for step in world.iter_steps() if "file_location" not in step.arguments]
            step = data.draw(st.sampled_from(steps))
            other = CheckStep(renamed.get(step.caller, step.caller), step.method, _rename(step.arguments, renamed))
            assert take_step(world, step) == take_step(mirror, other)
            assert numbers[0].hash_state(world.cloud.engine.state) == numbers[1].hash_state(mirror.cloud.engine.state)


def take_step(world: CheckWorld, step: CheckStep) -> str:
    """Take a step; return the rule that refused it, or ""."""
    try:
        world.take(step)
    except ApiError as refusal:
        return refusal.rule
    return ""


def _rename(value: Any, names: dict[str, str]) -> Any:
    if isinstance(value, dict):
        return {key: _rename(item, names) for key, item in value.items()}
    if isinstance(value, list | tuple):
        return type(value)(_rename(item, names) for item in value)
    return names.get(value, value) if isinstance(value, str) else value


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


def list_called_methods(result: CheckResult) -> list[str]:
    """Return the methods that were called, in order, until a law was broken."""
    assert result.violation is not None
    return [step.method for step in result.violation.path]


def plant_bug(monkeypatch: pytest.MonkeyPatch) -> None:
    """Plant a bug: snapshots can be deleted though an OMI uses them."""
    original_check = Call.check

    def forget_rule(call: Call, ok: object, rule: str, /, **facts: Any) -> bool:
        return original_check(call, ok or rule == "SNP-016", rule, **facts)

    monkeypatch.setattr(Call, "check", forget_rule)


class TestBugs:
    def test_are_shown_by_the_shortest_script(self, monkeypatch: pytest.MonkeyPatch) -> None:
        """An OMI whose snapshot can be deleted is shown by two calls, whose script runs. [SNP-016]"""
        plant_bug(monkeypatch)
        result = check(SMALL, 4)
        assert list_called_methods(result) == ["create_image", "delete_snapshot"]
        assert result.violation is not None
        with pytest.raises(Broken, match="SNP-016"):
            exec(write_script(result.violation, SMALL), {})

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


PLAIN = "any(vm.image_id == golden for vm in mallory.read_vms())"


class TestCluster:
    """`--dask`: the states are visited by the workers of a dask cluster."""

    @pytest.mark.filterwarnings("default")  # of dask's own
    def test_has_the_same_numbers_when_a_worker_is_killed(self) -> None:
        """Two workers of a real cluster, one of which is killed on the way, find what one process finds."""
        with LocalCluster(  # type: ignore[no-untyped-call]
            n_workers=2, threads_per_worker=1, processes=True, dashboard_address=None, silence_logs=logging.CRITICAL
        ) as cluster:
            killed: list[int] = []

            def kill(level: Level, _states: int) -> None:
                if level.depth == 2 and not killed:
                    killed.append(next(iter(cluster.workers.values())).pid)
                    os.kill(killed[0], signal.SIGKILL)

            result = check(SMALL, 3, progress=kill, dask=cluster.scheduler_address)
        assert killed
        assert result == check(SMALL, 3)

    def test_runs_a_part_again_with_the_same_result(self) -> None:
        """The result of a part does not depend on what its worker has visited before."""
        start = (SMALL, None, ())
        (first,) = visit_part(start, [()])
        parts = [(step,) for _, step in first.new_states]
        before = visit_part(start, parts)
        assert visit_part(start, [()]) == [first]
        assert visit_part(start, parts) == before

    @pytest.mark.parametrize(
        ("arguments", "message"),
        [
            (["--dask", "tcp://127.0.0.1:1"], "no scheduler of dask answers at 'tcp://127.0.0.1:1'"),
            (["--dask", "nonsense://x"], "no scheduler of dask answers at 'nonsense://x'"),
            (["--dask", ""], "no scheduler of dask answers at ''"),
            (["--dask", "tcp://127.0.0.1:1", "--workers", "2"], "--workers has no effect on --dask"),
        ],
    )
    def test_that_does_not_answer_is_one_line(
        self,
        capsys: pytest.CaptureFixture[str],
        monkeypatch: pytest.MonkeyPatch,
        arguments: list[str],
        message: str,
    ) -> None:
        """An address at which no scheduler answers is one line and status 2."""
        monkeypatch.setattr(cluster_module, "CONNECT_SECONDS", 0.1)
        assert main(["check", "--depth", "1", *arguments]) == 2
        error = capsys.readouterr().err
        assert message in error
        assert error.count("\n") == 1

    def test_needs_its_extra(self, capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch) -> None:
        """Without dask, one line names the extra."""
        monkeypatch.setitem(sys.modules, "distributed", None)
        assert main(["check", "--dask", "tcp://127.0.0.1:1"]) == 2
        assert capsys.readouterr().err == "omisim check: --dask needs dask: pip install 'omisim[dask]'\n"


class TestStatements:
    """`--scenario` and `--never`: the shortest history after which a statement of the user's is true."""

    def test_are_answered_by_a_shortest_script(self, capsys: pytest.CaptureFixture[str]) -> None:
        """That mallory launches golden takes a grant and a launch; the script runs up to its assertion. [OMI-080]"""
        arguments = ["--scenario", "shared-image", "--images", "1", "--depth", "3", "--never", PLAIN]
        assert main(["check", *arguments]) == 1
        script = capsys.readouterr().out.partition("\n\n")[2].strip()
        assert [line.partition("(")[0] for line in script.splitlines()[-3:]] == [
            *("alice.update_image", "mallory.create_vms", "assert not "),
        ]
        with pytest.raises(AssertionError):
            exec(script, {})
        exec(script.rpartition("\n")[0], {})

    def test_that_never_come_true_are_listed(self, capsys: pytest.CaptureFixture[str]) -> None:
        """An account of another Region cannot launch a shared OMI within one call. [OMI-082]"""
        arguments = ["--scenario", "shared-image", "--images", "1", "--depth", "1"]
        statement = PLAIN.replace("mallory", "carol")
        assert main(["check", *arguments, "--never", statement, "--never", "OMI-022"]) == 0
        assert f"Never within 1 call: {statement}\nNever within 1 call: OMI-022\n" in capsys.readouterr().out

    def test_can_be_true_at_the_beginning(self) -> None:
        """Bob can launch the OMI that is shared with him: no call is needed."""
        result = check(SMALL, 1, scenario="shared-image", never=["bob.can('CreateVms', ImageId=golden)"])
        assert result.violation is not None
        assert result.violation.path == ()

    def test_can_be_a_rule(self, capsys: pytest.CaptureFixture[str]) -> None:
        """The first call that a rule refuses is the last line of the script. [SNP-016]"""
        assert main(["check", "--regions", "1", "--images", "1", "--depth", "3", "--never", "SNP-016", "--json"]) == 1
        violation = json.loads(capsys.readouterr().out)["violation"]
        assert (violation["statement"], violation["calls"]) == ("SNP-016", 2)
        with pytest.raises(ApiError, match="SNP-016"):
            exec(violation["script"], {})

    def test_can_be_an_illegal_cell(self) -> None:
        """The id of a cell of a lifecycle is a rule, too."""
        result = check(SMALL, 3, never=["vm/StartVms/running"])
        assert list_called_methods(result) == ["create_vms", "complete", "start_vms"]

    def test_have_the_same_answer_with_two_workers(self) -> None:
        """The history does not depend on how the work is shared."""
        question: Any = {"scenario": "shared-image", "never": ["len(bob.read_volumes()) == 1"]}
        assert check(SMALL, 1, workers=2, **question) == check(SMALL, 1, **question)

    @pytest.mark.parametrize(
        ("statement", "message"),
        [
            ("bob launches golden", "must be the id of a rule or a Python expression, for example 'any("),
            ("", "must be the id of a rule or a Python expression"),
            ("x = 1", "must be the id of a rule or a Python expression"),
            ("(" * 500, "must be the id of a rule or a Python expression"),
            ("a\0b", "must be the id of a rule or a Python expression"),
            ("False and goldn", "unknown name 'goldn'; did you mean golden?"),
            ("OMI-02", "unknown rule; did you mean OMI-"),
            ("OMI-123", "this rule refuses nothing"),
            ("vm/StartVms/runing", "unknown rule; did you mean vm/StartVms/running?"),
            ("bob.read_vms()[0]", "raises IndexError: tuple index out of range (at the beginning)"),
            ("len(bob.read_vms()) and 1 / 0", "raises ZeroDivisionError: division by zero (after bob.create_vms("),
            ("alice.create_volume(subregion_name='eu-west-2a', size=1)", "changes the cloud; it must only read it"),
        ],
    )
    def test_that_are_wrong_are_refused_in_one_line(
        self, capsys: pytest.CaptureFixture[str], statement: str, message: str
    ) -> None:
        """A statement that is neither an expression nor a rule, or cannot be evaluated, is one line and status 2."""
        arguments = ["--scenario", "shared-image", "--images", "1", "--depth", "1", "--json", "--never", statement]
        assert main(["check", *arguments]) == 2
        error = capsys.readouterr().err
        assert message in error
        assert error.count("\n") == 1

    @pytest.mark.parametrize(
        ("arguments", "message"),
        [
            (["--scenario", "shared-imag"], "unknown scenario 'shared-imag'; did you mean shared-image?"),
            (["--scenario", "/nowhere.toml"], "/nowhere.toml: No such file or directory"),
            (["--scenario", "shared-image", "--accounts", "2"], "--accounts has no effect on --scenario"),
        ],
    )
    def test_of_wrong_scenarios_are_refused(
        self, capsys: pytest.CaptureFixture[str], arguments: list[str], message: str
    ) -> None:
        """An unknown scenario, and a number of accounts beside one, are one line and status 2."""
        assert main(["check", *arguments]) == 2
        assert message in capsys.readouterr().err

    def test_distinguish_the_accounts_and_resources_of_the_beginning(self) -> None:
        """With a scenario, a call of alice and the same call of bob lead to different states."""
        world = CheckWorld(SMALL, "shared-image")
        state, accounts = world.cloud.engine.state, list(world.accounts.values())
        hashes = {}
        for named in (False, True):
            canonical = Canonical(state.fork(), accounts, named=named)
            for caller in ("alice", "bob"):
                with world.cloud.savepoint():
                    world.take(make_volume_step(caller))
                    hashes[named, caller] = canonical.hash_state(state)
        assert hashes[False, "alice"] == hashes[False, "bob"]
        assert hashes[True, "alice"] != hashes[True, "bob"]

    def test_name_accounts_whose_names_are_no_variables(self, tmp_path: Path) -> None:
        """An account with another name is a numbered variable of the statement and of the script."""
        scenario = tmp_path / "x.toml"
        scenario.write_text('[accounts]\n"a-1" = {}\ncloud = {}\nbob = {}\n')
        world = CheckWorld(SMALL, str(scenario))
        assert list(world.accounts) == ["account_1", "account_2", "bob"]
        result = check(SMALL, 1, scenario=str(scenario), never=["len(account_2.read_volumes()) == 1"])
        assert result.violation is not None
        script = write_script(result.violation, SMALL, str(scenario))
        assert "account_2 = cloud.account('cloud')\n" in script
        with pytest.raises(AssertionError):
            exec(script, {})


class TestCheckCommand:
    def test_prints_levels_sums_and_the_result(self, capsys: pytest.CaptureFixture[str]) -> None:
        """`omisim check` prints one line a level, the sums and the speed, and that the laws held."""
        assert main(["check", "--regions", "1", "--images", "1", "--depth", "2"]) == 0
        out = capsys.readouterr().out
        assert out.splitlines()[0].startswith("depth  1:         1 states visited,")
        assert out.endswith("Every law held in every state.\n")

    def test_prints_json_on_request(self, capsys: pytest.CaptureFixture[str]) -> None:
        """With --json the result is JSON, and nothing else is printed."""
        assert main(["check", "--regions", "1", "--images", "1", "--depth", "2", "--json"]) == 0
        data = json.loads(capsys.readouterr().out)
        assert (data["accounts"], data["depth"], data["violation"]) == (2, 2, None)
        assert data["states"] == 1 + sum(level["new"] for level in data["levels"])

    def test_fails_with_the_shortest_script_for_a_violation(
        self, capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
    ) -> None:
        """A violation ends the command with status 1 and the shortest script that shows it."""
        plant_bug(monkeypatch)
        assert main(["check", "--regions", "1", "--depth", "4"]) == 1
        out = capsys.readouterr().out
        assert "alice.delete_snapshot(snapshot_id='snap-" in out
        assert "laws.check(cloud, since=mark)" in out

    def test_reports_impossible_bounds_with_status_2(self, capsys: pytest.CaptureFixture[str]) -> None:
        """Impossible bounds are one line on standard error and status 2: no law is broken."""
        assert main(["check", "--regions", "9"]) == 2
        assert capsys.readouterr().err == "omisim check: regions must be 1 to 5, not 9\n"

    @pytest.mark.parametrize("workers", ["1", "2"])
    def test_stops_its_workers_on_ctrl_c(self, workers: str) -> None:
        """Ctrl-C ends the command and its workers at once, with one line on standard error and status 130."""
        with run_check("--workers", workers) as process:
            os.killpg(process.pid, signal.SIGINT)
            assert process.communicate(timeout=60)[1] == b"omisim check: stopped\n"
            assert process.returncode == 130

    def test_leaves_no_workers_behind_when_killed(self) -> None:
        """When the command is killed, its workers end too and nothing holds its output open."""
        with run_check("--workers", "2") as process:
            process.kill()
            process.communicate(timeout=60)


@contextmanager
def run_check(*options: str) -> Iterator[subprocess.Popen[bytes]]:
    """Run a long check as a terminal would, in a process group of its own, and wait until it has started.

    A background job of a shell ignores SIGINT, and so do its children: the check handles it as in a terminal.
    """
    code = (
        "import signal; signal.signal(signal.SIGINT, signal.default_int_handler)\n"
        f"from omisim.tools.cli import main; exit(main(['check', '--depth', '9', *{options!r}]))"
    )
    with subprocess.Popen(
        [sys.executable, "-c", code], stdout=subprocess.PIPE, stderr=subprocess.PIPE, start_new_session=True
    ) as process:
        assert process.stdout is not None
        assert process.stdout.readline().startswith(b"depth  1: ")
        try:
            yield process
        finally:
            with suppress(ProcessLookupError):
                os.killpg(process.pid, signal.SIGKILL)
