"""The Cloud of Python programs: its constructor, methods, files and copies."""

from __future__ import annotations

import copy
import datetime as dt
import pickle
import re
import sys
from collections.abc import Callable
from typing import Any

import pytest
from freezegun import freeze_time

from omisim import Account, ApiError, Cloud, ManualClock, SystemClock
from omisim.model import Vm
from omisim.state.state import State
from omisim.testing import checks


class TestCloudConstructor:
    @pytest.mark.parametrize(
        ("arguments", "message"),
        [
            ({"timing": "slow"}, "eager, clock, manual"),
            ({"auth": "maybe"}, "strict, lenient, off"),
            ({"catalog": "none"}, "default"),
            ({"history": 0}, "positive int"),
            ({"switches": {"snapshot_cutt": 1}}, "snapshot_cut"),
            ({"switches": {"snapshot_cut": "never"}}, "'request', 'completion'"),
            ({"switches": {"default_page_size": -1}}, "default_page_size must be an int from 0 to 1000, not -1"),
            ({"switches": {"OMI-022": "no-such-name"}}, "must be the name of an API error"),
            ({"switches": {"OMI-022": ["x"]}}, r"must be the name of an API error, not \['x'\]"),
            ({"switches": {"OMI-022": "9029"}}, r"an API error, not '9029'; did you mean in-use\?"),
            ({"switches": {"OMI-022": "x"}}, "must be the name of an API error, not 'x'; see omisim.errors.ERRORS"),
            ({"switches": {"OMI-22": "already-exist"}}, "unknown switch 'OMI-22'; did you mean OMI-022?"),
        ],
    )
    def test_refuses_unknown_values_and_lists_the_known(self, arguments: dict[str, object], message: str) -> None:
        """A mistyped option is refused with the values that exist."""
        with pytest.raises(ValueError, match=message):
            Cloud(**arguments)  # type: ignore[arg-type]

    @pytest.mark.parametrize(
        ("arguments", "says"),
        [
            ({"seed": None}, "seed must be int or str, not None"),
            ({"seed": 1.5}, "seed must be int or str, not 1.5"),
            ({"seed": "\udcff"}, r"seed must not contain a lone surrogate, as '\udcff' does"),
            ({"seed": "clock"}, "seed must not be the name of a timing; write timing='clock'"),
            ({"switches": ["snapshot_cut"]}, "switches must be a mapping of names to values, not ['snapshot_cut']"),
            ({"history": "all"}, "history must be a positive int, not 'all'"),
            (
                {"clock": ManualClock},
                "clock must be a clock, such as ManualClock(datetime) or SystemClock(), not <class",
            ),
            ({"clock": 3}, "clock must be a clock, such as ManualClock(datetime) or SystemClock(), not 3"),
            ({"fetch": "https://"}, "fetch must be a function from a URL to bytes, not 'https://'"),
        ],
    )
    def test_refuses_arguments_of_another_type(self, arguments: dict[str, Any], says: str) -> None:
        """An argument of a wrong type is refused with what is expected."""
        with pytest.raises(ValueError, match=re.escape(says)):
            Cloud(**arguments)

    def test_takes_a_switch_that_replaces_the_error_of_a_rule(self) -> None:
        """A switch named after a rule replaces its error. [OMI-022]"""
        cloud = Cloud(switches={"VOL-002": "invalid-zone"})
        with pytest.raises(ApiError, match="400 4081 InvalidParameterValue"):
            cloud.account("alice").create_volume(subregion_name="mars", size=1)


class TestCloud:
    def test_repr_shows_time_timing_and_accounts(self) -> None:
        """The repr of a cloud, as a failing test shows it, has its time, its timing and its accounts."""
        cloud = Cloud(timing="manual")
        assert repr(cloud) == "<cloud at 2026-01-01T00:00:00.000Z, manual: no accounts yet>"
        cloud.account("alice")
        assert repr(cloud) == "<cloud at 2026-01-01T00:00:00.000Z, manual: alice>"

    def test_timing_cannot_be_changed(self, cloud: Cloud) -> None:
        """Setting the timing of a cloud would have no effect, so it is refused."""
        with pytest.raises(AttributeError, match="timing"):
            cloud.timing = "clock"  # type: ignore[misc]  # the mistake

    def test_equals_nothing_but_a_cloud(self, cloud: Cloud) -> None:
        """A cloud and its state never equal a value of another type."""
        assert cloud != "cloud"
        assert State() != "state"

    @pytest.mark.parametrize(("module", "extra"), [("omisim.clients.boto", "oos"), ("omisim.server", "server")])
    def test_names_the_extra_to_install_for_a_missing_library(
        self, cloud: Cloud, alice: Account, monkeypatch: pytest.MonkeyPatch, module: str, extra: str
    ) -> None:
        """Where an optional library is missing, the ImportError names the extra of omisim to install."""
        monkeypatch.setitem(sys.modules, module, None)
        with pytest.raises(ImportError, match=rf"omisim\[{extra}\]"):
            alice.client("oos") if extra == "oos" else cloud.serve()


class TestCloudMethods:
    @pytest.mark.parametrize("name", ["account", "advance", "lineage", "write"])
    def test_raise_a_type_error_of_class_cloud_for_a_missing_argument(self, cloud: Cloud, name: str) -> None:
        """Python's error for a missing argument names the method as one of Cloud."""
        with pytest.raises(TypeError, match=rf"^Cloud\.{name}\(\) missing"):
            getattr(cloud, name)()

    @pytest.mark.parametrize(
        ("wrong", "says"),
        [
            (
                lambda cloud: cloud.account("bob", quotas=["vm_limit"]),
                "a mapping of names to numbers, not ['vm_limit']",
            ),
            (lambda cloud: cloud.account("bob", alias=3), "alias must be a str, not 3"),
            (lambda cloud: cloud.advance("30"), "seconds must be a finite, non-negative number, not '30'"),
            (
                lambda cloud: cloud.advance(dt.timedelta(1)),
                "seconds must be a finite, non-negative number, not datetime.timedelta(days=1)",
            ),
            (lambda cloud: cloud.set_capacity("eu-west-2a", "3"), "must be None or an int of at least 0, not '3'"),
            (lambda cloud: cloud.diff(None), "must be a Cloud, for example cloud.fork(), not None"),
            (lambda cloud: cloud.adopt(None), "image_id must be an id such as 'ami-12345678', not of type NoneType"),
            (lambda cloud: cloud.images.official(None), "family must match an official OMI in eu-west-2 ("),
            (lambda cloud: cloud.images.official("debian", "mars"), "region must be one of eu-west-2, "),
            (lambda cloud: cloud.account("bob", region=["mars"]), "region must be one of eu-west-2, "),
            (lambda cloud: cloud.images.all("mars"), "region must be one of eu-west-2, "),
            (lambda _: Cloud.from_scenario(None), "must be the path of a TOML file or"),  # type: ignore[arg-type]  # the mistake
            (lambda cloud: cloud.faults.add("CreateVms", error="10001"), "did you mean insufficient-capacity?"),
            (lambda cloud: cloud.faults.add("CreateVms", error="x"), "must be the name of an API error, not 'x'"),
            (
                lambda cloud: cloud.faults.add("CreateVms", when=["VmIds"]),
                "a mapping of parameters to values, not ['VmIds']",
            ),
            (
                lambda cloud: cloud.calls(account="alicee"),
                "unknown account 'alicee'; did you mean alice?; known: alice",
            ),
            (
                lambda cloud: cloud.marketplace.publish("alice", "ami-00000000"),
                "must be an Account of cloud.account(), not 'alice'",
            ),
            (
                lambda cloud: cloud.marketplace.unpublish(None),
                "must be a Product of cloud.marketplace.publish(), not None",
            ),
            (lambda _: Cloud.load({}), "data must be a dump made by cloud.dump(), not {}"),
            (
                lambda cloud: Cloud.load(cloud.dump() | {"omisim": 99}),
                "unsupported dump version 99; omisim reads the versions 1 and 2",
            ),
            (lambda _: ManualClock("2026-01-01"), "time zone, for example UTC, not '2026-01-01'"),  # type: ignore[arg-type]  # the mistake
        ],
    )
    def test_refuse_a_wrong_argument_in_one_line(
        self, cloud: Cloud, alice: Account, wrong: Callable[[Any], object], says: str
    ) -> None:
        """The error says in one line what is expected, and nothing has changed."""
        assert alice.name == "alice"
        before = cloud.fork()
        with pytest.raises(ValueError, match=re.escape(says)) as failure:
            wrong(cloud)
        assert "\n" not in str(failure.value)
        assert cloud == before


class TestMethodsThatTakeTheNameOfAnAccount:
    @pytest.mark.parametrize(
        "use",
        [
            lambda cloud, name: cloud.calls(account=name),
            lambda cloud, name: cloud.timeline(account=name),
            lambda cloud, name: cloud.set_access_key(name, "A" * 20, "S" * 40),
            lambda cloud, name: cloud.allow_account_creation(name),
            lambda cloud, name: checks.nothing_left(cloud, account=name),
            lambda cloud, name: checks.nothing_refused(cloud, account=name),
        ],
    )
    @pytest.mark.parametrize("as_list", [False, True])
    def test_refuse_the_account_itself(
        self, cloud: Cloud, alice: Account, use: Callable[[Cloud, Any], object], as_list: bool
    ) -> None:
        """The refusal says that a name is expected, and does not call the account unknown."""
        with pytest.raises(ValueError, match=r"account must be a name, not \[?<account alice [^>]+>\]?; known: alice"):
            use(cloud, [alice] if as_list else alice)


class TestFilesOfAVolume:
    def test_are_listed_when_an_unknown_path_is_read(self, cloud: Cloud, vm: Vm) -> None:
        """Reading an unknown path lists the files of the volume; an unknown volume is refused."""
        volume_id = vm.block_device_mappings[0].bsu.volume_id
        with pytest.raises(FileNotFoundError, match="its files: none"):
            cloud.read(volume_id, "/etc/motd")
        cloud.write(volume_id, "/etc/hosts", "")
        with pytest.raises(FileNotFoundError, match="/etc/hosts"):
            cloud.read(volume_id, "/etc/motd")
        with pytest.raises(ValueError, match="not a volume of this cloud"):
            cloud.write("vol-00000000", "/etc/motd", "")

    @pytest.mark.parametrize("path", ["", None])
    def test_are_written_under_a_path_only(self, cloud: Cloud, vm: Vm, path: Any) -> None:
        """A file is written under a path that is a text and not empty."""
        with pytest.raises(ValueError, match="path must be a non-empty str, for example '/etc/motd'"):
            cloud.write(vm.block_device_mappings[0].bsu.volume_id, path, "golden")

    @pytest.mark.parametrize(("path", "text", "name"), [("/\ud800", "", "path"), ("/etc/motd", "\ud800", "text")])
    def test_have_paths_and_texts_that_utf_8_can_encode(
        self, cloud: Cloud, vm: Vm, path: str, text: str, name: str
    ) -> None:
        """A lone surrogate is refused: no dump could be read with it, and no lineage be printed."""
        with pytest.raises(ValueError, match=f"{name} must not contain a lone surrogate"):
            cloud.write(vm.block_device_mappings[0].bsu.volume_id, path, text)

    def test_are_written_after_what_is_due(self) -> None:
        """By a `SystemClock`, a transition whose time has passed comes before the file in the history."""
        with freeze_time("2031-03-03") as frozen:
            cloud = Cloud(clock=SystemClock(), timing="clock")
            volume = cloud.account("alice").create_volume(subregion_name="eu-west-2a", size=1)
            frozen.tick(60)
            cloud.write(volume.volume_id, "/etc/motd", "golden")
            assert [change.cause for change in cloud.engine.state.journal[-3:]] == ["due", "due", "write"]


class TestCopies:
    @pytest.mark.parametrize("copy_value", [copy.copy, copy.deepcopy, pickle.dumps])
    def test_of_a_cloud_need_fork_or_dump(
        self, cloud: Cloud, alice: Account, copy_value: Callable[[Any], object]
    ) -> None:
        """`copy` and `pickle` refuse a cloud, and what contains one, and name `fork` and `dump`."""
        for what in (cloud, [cloud]) if copy_value is copy.deepcopy else (cloud,):
            with pytest.raises(TypeError, match=r"use cloud\.fork\(\), or cloud\.dump\(\)"):
                copy_value(what)
        assert cloud.fork() == cloud
        assert alice.name in cloud.accounts
