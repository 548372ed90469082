"""What the histories of a `CloudMachine` begin with, and whether its rules meet it."""

from __future__ import annotations

import re
from typing import Any, ClassVar

import pytest
from hypothesis import HealthCheck, Phase, find, seed, settings
from hypothesis import strategies as st
from hypothesis.stateful import RuleBasedStateMachine, invariant, rule, run_state_machine_as_test
from support.machine_rules import list_rules

from omisim import Account, Cloud
from omisim.model import Image
from omisim.state.settings import Timing
from omisim.testing.empty_accounts import EmptyAccountWarning
from omisim.testing.exploration import in_rounds
from omisim.testing.initial_resources import KINDS, initial_resources
from omisim.testing.machine import CloudMachine
from omisim.testing.running import running

FEW = settings(
    max_examples=10, stateful_step_count=4, deadline=None, database=None, suppress_health_check=list(HealthCheck),
    phases=[Phase.generate],
)  # fmt: skip


def own_images(account: Account) -> tuple[Image, ...]:
    """Return the OMIs of an account."""
    return account.read_images(filters={"account_ids": [account.account_id]})


def select_newest(images: tuple[Image, ...], keep: int) -> set[str]:
    """Return the ids of the newest OMIs."""
    by_date = sorted(images, key=lambda image: str(image.creation_date))
    return {image.image_id for image in by_date[len(images) - min(keep, len(images)) :]}


def clean_up_by_name(account: Account, keep: int) -> None:
    """Delete all OMIs except the last ones: the code under test, with the bug that it sorts by name."""
    images = sorted(own_images(account), key=lambda image: image.image_name or "")
    for image in images[: len(images) - keep]:
        account.delete_image(image_id=image.image_id)


def calls_of(script: str) -> list[str]:
    """Return the actions that a script calls."""
    return re.findall(r"\.call\('(\w+)'", script)


class Cleaning(CloudMachine):
    """A machine with a rule that runs the clean-up."""

    accounts: ClassVar = {"alice": "eu-west-2", "bob": "eu-west-2"}
    starts_with: ClassVar = {"image": 3}
    platform = False
    shrink_seconds = 600  # more than the default, for a busy machine

    @rule(name=st.sampled_from(sorted(accounts)), keep=st.integers(1, 2))
    def clean_up(self, name: str, keep: int) -> None:
        """The newest OMIs are left."""
        account = self.account(name)
        expected = select_newest(own_images(account), keep)
        clean_up_by_name(account, keep)
        assert {image.image_id for image in own_images(account)} == expected


class TestCleanUpThatSortsByNameInsteadOfDate:
    def test_is_found_with_default_settings_and_shrunk_to_six_calls(self) -> None:
        """Two OMIs whose names and dates are in different order remain, and the calls of the clean-up."""
        default = settings.get_profile("default")
        Cleaning.TestCase.settings = settings(
            default, deadline=None, database=None, phases=Cleaning.TestCase.settings.phases
        )
        with pytest.raises(AssertionError) as failure:
            Cleaning.TestCase("runTest").debug()
        script = next(note for note in failure.value.__notes__ if "# --- reproduction script" in note)
        calls = calls_of(script)
        assert len(calls) <= 6, script
        assert sorted(calls) == ["CreateImage", "CreateImage", "DeleteImage", *["ReadImages"] * 3]
        assert len(set(re.findall(r"cloud\.account\('(\w+)'", script))) == 1
        assert "# clean_up(keep=1, name='" in script


class TestStartsWith:
    def test_gives_each_account_so_many_resources_and_usually_all(self) -> None:
        """Of several histories, most begin with three OMIs for each account, and none with more."""
        counts: list[int] = []

        class Counting(CloudMachine):
            starts_with: ClassVar = {"image": 3}

            @invariant()
            def look(self) -> None:
                if not self.cloud.calls("DeleteImage"):
                    counts.append(min(len(own_images(self.account(name))) for name in self.accounts))

        run_state_machine_as_test(seed(0)(Counting), settings=settings(FEW, max_examples=20, stateful_step_count=1))
        assert max(counts) == 3
        assert counts.count(3) > len(counts) / 3

    def test_draws_names_and_dates_independently(self) -> None:
        """Some lists are in the order of their names, and some are not."""
        names = [planned.name for planned in find(initial_resources({"image": 3}), lambda plans: len(plans) == 3)]
        assert names == ["amber-1", "amber-2", "amber-3"]
        unsorted = find(
            initial_resources({"image": 3}), lambda plans: [p.name for p in plans] != sorted(p.name for p in plans)
        )
        assert len(unsorted) == 2  # shrunk

    def test_shrinks_towards_no_resources(self) -> None:
        """The simplest beginning has no resources."""
        assert find(initial_resources({"image": 3, "vm": 2}), lambda _: True) == []

    @pytest.mark.parametrize("timing", ["eager", "clock", "manual"])
    def test_creates_usable_resources_of_every_kind(self, timing: Timing) -> None:
        """Each kind can be created in any timing; its resources are finished when the rules begin."""
        states: set[tuple[str, str]] = set()

        class Everything(CloudMachine):
            accounts: ClassVar = {"alice": "eu-west-2"}
            starts_with: ClassVar = dict.fromkeys(KINDS, 2)
            timings: ClassVar = (timing,)

            @invariant()
            def look(self) -> None:
                state = self.cloud.engine.state
                alice = self.account("alice").account_id
                for kind in KINDS:
                    rows = [row for row in state.rows(kind).values() if row.account_id == alice]
                    states.update((kind, getattr(row, "state", "")) for row in rows)

        run_state_machine_as_test(Everything, settings=settings(FEW, max_examples=3, stateful_step_count=1))
        assert states >= {("image", "available"), ("keypair", ""), ("snapshot", "completed"), ("vm", "running")}
        assert ("volume", "available") in states
        assert not states & {
            ("volume", "creating"),
            ("vm", "pending"),
            ("snapshot", "in-queue"),
            ("snapshot", "pending"),
        }

    @pytest.mark.parametrize("number", range(3))
    def test_shrinks_to_none(self, number: int) -> None:
        """A failure that needs a VM of an official OMI begins without OMIs, whichever OMIs were chosen before."""

        class Launching(CloudMachine):
            accounts: ClassVar = {"alice": "eu-west-2"}
            actions: ClassVar = frozenset({"CreateVms"})
            starts_with: ClassVar = {"image": 2}
            timings = ("eager",)
            platform = False

            def teardown(self) -> None:
                super().teardown()
                assert not self.account("alice").read_vms()

        options = settings(FEW, max_examples=20, stateful_step_count=5, phases=[Phase.generate, Phase.shrink])
        with running(Launching), pytest.raises(AssertionError) as failure:
            run_state_machine_as_test(seed(number)(Launching), settings=options)
        assert "CreateImage" not in "\n".join(failure.value.__notes__)

    def test_may_be_a_scenario(self) -> None:
        """The name of a scenario gives its cloud and its accounts; the script begins with it."""

        class Sharing(CloudMachine):
            starts_with = "shared-image"
            timings = ("clock",)
            actions: ClassVar = frozenset({"CreateVolume"})  # few, so that the rule is chosen soon
            platform = False

            @rule(image=CloudMachine.images)
            def fail(self, image: str) -> None:
                raise LookupError(image)

        assert Sharing.accounts.items() >= {"alice": "eu-west-2", "carol": "us-east-2"}.items()
        assert set(Sharing.accounts) == set(Cloud.from_scenario("shared-image").accounts)
        with pytest.raises(LookupError) as failure:
            run_state_machine_as_test(Sharing, settings=settings(FEW, max_examples=100))
        assert "cloud = Cloud.from_scenario('shared-image', timing='clock')" in "\n".join(failure.value.__notes__)

    def test_fills_the_bundles(self) -> None:
        """A rule can draw the ids of the resources that a history begins with, with no call before it."""

        class Drawing(CloudMachine):
            starts_with: ClassVar = {"image": 2}
            actions: ClassVar = frozenset[str]()
            platform = False

            @rule(image=CloudMachine.images)
            def draw_image(self, image: str) -> None:
                assert any(image == own.image_id for name in self.accounts for own in own_images(self.account(name)))
                raise LookupError(image)

        with pytest.raises(LookupError) as failure:
            run_state_machine_as_test(Drawing, settings=FEW)
        assert re.search(r"images_0.* = ami-\w+ of alice", "\n".join(failure.value.__notes__))

    @pytest.mark.parametrize(
        ("value", "message"),
        [
            ({"images": 3}, "each key of starts_with must be 'image', 'keypair', .*, not 'images'; did you mean image"),
            ({"image": "3"}, r"starts_with\['image'\] must be an int from 0, not '3'"),
            ({"image": -1}, r"starts_with\['image'\] must be an int from 0, not -1"),
            ({"image": True}, r"starts_with\['image'\] must be an int from 0, not True"),
            (3, "starts_with must map kinds to numbers or be the name of a scenario, not 3"),
            ("shared-imag", "unknown scenario 'shared-imag'; did you mean shared-image"),
        ],
    )
    def test_with_a_wrong_value_is_refused(self, value: object, message: str) -> None:
        """A mistake is a one-line error when the class is created."""
        with pytest.raises(ValueError, match=message):
            type("Wrong", (CloudMachine,), {"starts_with": value})

    def test_does_not_change_a_prepare_of_the_subclass(self) -> None:
        """An overridden `prepare` draws by `draw`, and may add to what `starts_with` gives."""
        sizes = set()

        class Preparing(CloudMachine):
            accounts: ClassVar = {"alice": "eu-west-2"}
            starts_with: ClassVar = {"image": 1}

            def prepare(self) -> None:
                super().prepare()
                size = self.draw(st.integers(1, 5), "size")
                volume = self.call("alice", "CreateVolume", SubregionName="eu-west-2a", Size=size)
                assert volume
                sizes.add(volume["Volume"]["Size"])

        run_state_machine_as_test(Preparing, settings=settings(FEW, stateful_step_count=1))
        assert sizes <= {1, 2, 3, 4, 5}


class TestPlatform:
    def test_off_leaves_the_calls_and_the_time(self) -> None:
        """Without the platform there are no saves, forks, dumps, faults and failures."""

        class Calm(CloudMachine):
            actions: ClassVar = frozenset({"CreateVolume"})
            platform = False

        assert list_rules(Calm) == {"create_volume", "write", "wait", "settle", "complete"}

    def test_may_be_switched_on_again(self) -> None:
        """A subclass may have what its parent left out."""

        class Calm(CloudMachine):
            platform = False

        class Rough(Calm):
            platform = True

        others = {"save", "roll_back", "fork", "dump_and_load", "order_a_fault", "order_a_failure", "fail"}
        assert others <= list_rules(Rough)


class Reading(CloudMachine):
    """A machine whose rule reads the OMIs of an account that has none."""

    accounts: ClassVar = {"alice": "eu-west-2"}
    actions: ClassVar = frozenset({"ReadRegions"})
    platform = False

    def prepare(self) -> None:
        """Begin with nothing."""

    @rule()
    def look(self) -> None:
        """Read OMIs."""
        own_images(self.account("alice"))


class TestEmptyAccounts:
    def test_are_reported_and_warned_of_when_a_rule_meets_nothing_else(
        self, capsys: pytest.CaptureFixture[str]
    ) -> None:
        """The report counts the runs of a rule, and the warning names the remedy."""
        Reading.TestCase.settings = settings(FEW, max_examples=30)
        with pytest.warns(EmptyAccountWarning, match="hardly tested: add 'image': 3 to starts_with"):
            Reading.TestCase("runTest").debug()
        match = re.fullmatch(
            r"omisim: Reading\.look ran (\d+) times, (\d+) of them for an account without OMI\n",
            capsys.readouterr().out,
        )
        assert match
        assert match[1] == match[2]

    def test_are_reported_by_in_rounds(self) -> None:
        """Rounds count together."""
        with pytest.warns(EmptyAccountWarning, match="Reading.look ran"):
            in_rounds(Reading, settings(FEW, max_examples=40))

    def test_are_not_warned_of_when_there_are_resources(self, capsys: pytest.CaptureFixture[str]) -> None:
        """A rule that meets resources is reported without a warning; what it reads of itself does not count."""

        class Meeting(Reading):
            starts_with: ClassVar = {"image": 3}
            prepare = CloudMachine.prepare

        in_rounds(Meeting, settings(FEW, max_examples=40))
        match = re.match(r"omisim: Meeting\.look ran (\d+) times(, (\d+) of)?", capsys.readouterr().out)
        assert match
        assert int(match[3] or 0) < int(match[1])

    def test_do_not_matter_to_a_rule_of_a_mixin_in_another_machine(self) -> None:
        """A rule that a CloudMachine shares with another state machine still runs there."""

        class Part:
            ran: ClassVar[list[Any]] = []

            @rule()
            def step(self) -> None:
                Part.ran.append(type(self).__name__)

        class Mine(Part, CloudMachine):
            actions: ClassVar = frozenset[str]()

        class Other(Part, RuleBasedStateMachine):
            pass

        run_state_machine_as_test(Other, settings=FEW)
        assert set(Part.ran) == {"Other"}
        assert Mine().rules
