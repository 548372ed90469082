"""Mistakes of people who write tests: each is answered at once, with what would have been right."""

from __future__ import annotations

import copy
import datetime as dt
import json
import pickle
import re
import subprocess
import sys
from collections.abc import Callable
from typing import Any

import pytest
from conftest import SUBREGION
from support.expect import refused
from support.sign import signed

from omisim import Account, ApiError, Cloud, ManualClock, SystemClock
from omisim.doors.http import Request
from omisim.doors.oapi import OapiDoor
from omisim.model import Image, Snapshot, Vm
from omisim.model.filters import FiltersVm
from omisim.spec.lifecycle import IllegalMove
from omisim.state.state import State
from omisim.testing import checks
from omisim.tools.replay import replay


def ask(cloud: Cloud, request: Request) -> tuple[int, dict[str, Any]]:
    """Return the status and the JSON body of an answer."""
    response = OapiDoor(cloud.engine).handle(request, dt.datetime(2026, 1, 1, tzinfo=dt.UTC))
    return response.status, json.loads(response.body)


class TestPythonFaces:
    def test_an_account_says_who_it_is(self, alice: Account) -> None:
        """The repr of an account has its name, number and Region."""
        assert repr(alice) == f"<account alice {alice.account_id} in eu-west-2>"

    def test_a_cloud_says_what_it_is(self) -> None:
        """The repr of a cloud, as a failing test shows it, has its time, its timing and its accounts."""
        cloud = Cloud(timing="manual")
        assert repr(cloud) == "<cloud at 2026-01-01T00:00:00.000Z, manual: no accounts yet>"
        cloud.account("alice")
        assert repr(cloud) == "<cloud at 2026-01-01T00:00:00.000Z, manual: alice>"

    @pytest.mark.parametrize("name", ["account", "advance", "lineage", "write"])
    def test_a_cloud_is_what_lacks_arguments(self, cloud: Cloud, name: str) -> None:
        """Python's error names the class that the user has, whichever part of it the method is written in."""
        with pytest.raises(TypeError, match=rf"^Cloud\.{name}\(\) missing"):
            getattr(cloud, name)()

    def test_a_cloud_keeps_its_timing(self, cloud: Cloud) -> None:
        """Setting it afterwards would do nothing, so it is refused."""
        with pytest.raises(AttributeError, match="timing"):
            cloud.timing = "clock"  # type: ignore[misc]  # the mistake

    @pytest.mark.parametrize("since", [Cloud().mark(), 3])
    def test_a_mark_of_another_cloud_marks_nothing_here(self, cloud: Cloud, alice: Account, since: Any) -> None:
        """Neither calls nor checks take it for one of this cloud."""
        assert alice.read_vms() == ()
        with pytest.raises(ValueError, match="this mark is not of this cloud"):
            cloud.calls(since=since)
        with pytest.raises(ValueError, match="this mark is not of this cloud"):
            checks.nothing_left(cloud, since=since)

    def test_an_account_needs_a_name(self, cloud: Cloud) -> None:
        """An empty name is no name."""
        with pytest.raises(ValueError, match="needs a name"):
            cloud.account("")

    @pytest.mark.parametrize("service", ["fcu", "s3", ""])
    def test_a_client_that_is_not_served_is_refused(self, alice: Account, service: str) -> None:
        """`client` says what is served, and what is not yet."""
        with pytest.raises(ValueError, match=f"not '{service}'"):
            alice.client(service)

    @pytest.mark.parametrize(("module", "extra"), [("omisim.clients.boto", "oos"), ("omisim.server", "server")])
    def test_an_extra_that_is_not_installed(
        self, cloud: Cloud, alice: Account, monkeypatch: pytest.MonkeyPatch, module: str, extra: str
    ) -> None:
        """Without its extra a door says what to install."""
        monkeypatch.setitem(sys.modules, module, None)
        with pytest.raises(ImportError, match=rf"omisim\[{extra}\]"):
            alice.client("oos") if extra == "oos" else cloud.serve()

    def test_a_method_of_the_class_is_its_documentation(self) -> None:
        """On the class a typed method is the action, with its docstring; on an account it takes names only."""
        assert Account.create_image.action == "CreateImage"

    @pytest.mark.parametrize("filters", ["a", 5, [], True])
    def test_filters_are_an_object(self, alice: Account, filters: Any) -> None:
        """What should be an object and is none is of a wrong type. [REQ-009]"""
        with pytest.raises(ApiError) as refused:
            alice.call("ReadVms", Filters=filters)
        assert (refused.value.status, refused.value.code) == (400, "4110")

    def test_nested_arguments_may_be_values_of_the_model(self, alice: Account, vm: Vm) -> None:
        """A filter or a mapping can be the model's dataclass as well as a dict. [REQ-009]"""
        filters = FiltersVm(vm_ids=(vm.vm_id,))
        assert alice.read_vms(filters=filters)[0].vm_id == vm.vm_id

    def test_a_file_that_is_not_there(self, cloud: Cloud, vm: Vm) -> None:
        """Reading an unknown path names what there is; so does an unknown volume."""
        volume_id = vm.block_device_mappings[0].bsu.volume_id
        with pytest.raises(FileNotFoundError, match="there is nothing"):
            cloud.read(volume_id, "/etc/motd")
        cloud.write(volume_id, "/etc/hosts", "")
        with pytest.raises(FileNotFoundError, match="/etc/hosts"):
            cloud.read(volume_id, "/etc/motd")
        with pytest.raises(ValueError, match="no volume of this cloud"):
            cloud.write("vol-00000000", "/etc/motd", "")

    def test_a_lineage_of_nothing(self, cloud: Cloud) -> None:
        """Only what has been here has a lineage."""
        with pytest.raises(ValueError, match="nothing this cloud has had"):
            cloud.lineage("ami-00000000")

    def test_a_comparison_with_something_else(self, cloud: Cloud) -> None:
        """A cloud equals no other thing."""
        assert cloud != "cloud"
        assert State() != "state"

    def test_publishing_what_is_not_ready(self) -> None:
        """An OMI to publish is available."""
        cloud = Cloud(timing="manual")
        alice = cloud.account("alice")
        vm = alice.create_vms(image_id=cloud.images.official("debian").image_id)[0]
        cloud.complete(vm.vm_id)
        image = alice.create_image(vm_id=vm.vm_id, image_name="golden", no_reboot=True)
        with pytest.raises(ValueError, match="is pending"):
            cloud.marketplace.publish(alice, image.image_id)

    def test_publishing_a_blank_disk(self, cloud: Cloud, alice: Account, vm: Vm) -> None:
        """A device without a snapshot is copied and published as it is. [MKT-001, CPY-001]"""
        snapshot = alice.create_snapshot(volume_id=vm.block_device_mappings[0].bsu.volume_id)
        mappings = [
            {"device_name": "/dev/sda1", "bsu": {"snapshot_id": snapshot.snapshot_id}},
            {"device_name": "/dev/sdb", "bsu": {"volume_size": 7}},
        ]
        image = alice.create_image(image_name="two", root_device_name="/dev/sda1", block_device_mappings=mappings)
        copy = alice.create_image(source_image_id=image.image_id, source_region_name="eu-west-2")
        assert copy.block_device_mappings[1] == image.block_device_mappings[1]
        product = cloud.marketplace.publish(alice, image.image_id, offer="free", regions=("eu-west-2",))
        shown = alice.read_images(filters={"image_ids": [product.images["eu-west-2"]]})[0]
        assert shown.block_device_mappings[1] == image.block_device_mappings[1]


class TestArguments:
    @pytest.mark.parametrize(
        ("given", "says"),
        [
            ({"seed": None}, "seed is a number or a text; not None"),
            ({"seed": 1.5}, "seed is a number or a text; not 1.5"),
            ({"switches": ["snapshot_cut"]}, "switches is a mapping of names to values; not ['snapshot_cut']"),
            ({"history": "all"}, "history is a number of changes from 1 up, not 'all'"),
            ({"clock": ManualClock}, "clock is a clock, for example SystemClock(); not <class"),
            ({"clock": 3}, "clock is a clock, for example SystemClock(); not 3"),
            ({"fetch": "https://"}, "fetch is a function from a URL to its bytes, not 'https://'"),
        ],
    )
    def test_of_a_cloud_are_checked(self, given: dict[str, Any], says: str) -> None:
        """What a cloud cannot be made with is refused, with what can."""
        with pytest.raises(ValueError, match=re.escape(says)):
            Cloud(**given)

    @pytest.mark.parametrize(
        ("wrong", "says"),
        [
            (
                lambda cloud: cloud.account("bob", quotas=["vm_limit"]),
                "a mapping of names to numbers, not ['vm_limit']",
            ),
            (lambda cloud: cloud.account("bob", alias=3), "an alias is a text, not 3"),
            (lambda cloud: cloud.advance("30"), "a finite number of seconds, not '30'"),
            (
                lambda cloud: cloud.advance(dt.timedelta(1)),
                "a finite number of seconds, not datetime.timedelta(days=1)",
            ),
            (lambda cloud: cloud.set_capacity("eu-west-2a", "3"), "a number of VMs from 0 up, not '3'"),
            (lambda cloud: cloud.diff(None), "another Cloud, for example its fork(); not from None"),
            (lambda cloud: cloud.adopt(None), "None is no id of an OMI"),
            (lambda cloud: cloud.images.official(None), "begins with None; families: "),
            (lambda cloud: cloud.images.official("debian", "mars"), "region is one of eu-west-2, "),
            (lambda cloud: cloud.images.all("mars"), "region is one of eu-west-2, "),
            (lambda _: Cloud.from_scenario(None), "a TOML file by its path, or the name of a shipped one; not None"),  # type: ignore[arg-type]  # the mistake
            (lambda _: replay(3), "replay takes exchanges, as omisim.recording.exchanges reads them; not 3"),  # type: ignore[arg-type]  # the mistake
            (lambda _: replay([], ["all"]), "takes acceptances, as omisim.replay.acceptances reads them; not ['all']"),  # type: ignore[list-item]  # the mistake
            (lambda cloud: cloud.faults.add("CreateVms", error="x"), "omisim.errors.ERRORS names all"),
            (
                lambda cloud: cloud.faults.add("CreateVms", when=["VmIds"]),
                "a mapping of parameters to values, not ['VmIds']",
            ),
            (lambda cloud: cloud.calls(account="alicee"), "no account 'alicee'; did you mean alice?; known: alice"),
            (lambda cloud: cloud.marketplace.publish("alice", "ami-00000000"), "'alice' is no account: cloud.account"),
            (lambda cloud: cloud.marketplace.unpublish(None), "None is no product: cloud.marketplace.publish"),
            (lambda _: Cloud.load({}), "this is no dump of omisim: cloud.dump() makes one"),
            (
                lambda cloud: Cloud.load(cloud.dump() | {"omisim": 99}),
                "this dump is of version 99, and version 1 is read",
            ),
            (lambda _: ManualClock("2026-01-01"), "needs a time zone, for example UTC: '2026-01-01' has none"),  # type: ignore[arg-type]  # the mistake
        ],
    )
    def test_of_its_methods_are_checked(
        self, cloud: Cloud, alice: Account, wrong: Callable[[Any], object], says: str
    ) -> None:
        """Each says in one line what it wants, and nothing has changed."""
        assert alice.name == "alice"
        before = cloud.fork()
        with pytest.raises(ValueError, match=re.escape(says)) as refused:
            wrong(cloud)
        assert "\n" not in str(refused.value)
        assert cloud == before

    @pytest.mark.parametrize(
        ("name", "says"),
        [
            ("create_vm", "an account has no 'create_vm'; did you mean create_vms?"),
            ("create_nat_service", "CreateNatService is not served by omisim: DHCP options, NAT services"),
            ("xyzzy", "an account has no 'xyzzy'"),
        ],
    )
    def test_a_method_that_there_is_not(self, alice: Account, name: str, says: str) -> None:
        """A mistyped action names the nearest, one that is not served its reason."""
        with pytest.raises(AttributeError, match=re.escape(says)):
            getattr(alice, name)
        assert not hasattr(alice, name)

    def test_of_publish_are_several_regions(self, cloud: Cloud, alice: Account, vm: Vm) -> None:
        """A Region by itself would be read as its letters."""
        image = alice.create_image(vm_id=vm.vm_id, image_name="golden")
        with pytest.raises(ValueError, match=r"even if one: \('eu-west-2',\)"):
            cloud.marketplace.publish(alice, image.image_id, regions="eu-west-2")

    @pytest.mark.parametrize("path", ["", None])
    def test_of_write_are_a_path_and_a_text(self, cloud: Cloud, vm: Vm, path: Any) -> None:
        """A file has a path."""
        with pytest.raises(ValueError, match="a path is a text, for example /etc/motd"):
            cloud.write(vm.block_device_mappings[0].bsu.volume_id, path, "golden")

    @pytest.mark.parametrize("port", [-1, 65536, "8333"])
    def test_of_serve_are_a_port(self, cloud: Cloud, port: Any) -> None:
        """What is no port opens no socket."""
        with pytest.raises(ValueError, match="a port is a number from 0 to 65535"), cloud.serve(port=port):
            pass

    def test_of_a_subscription_is_an_account(self, cloud: Cloud, alice: Account, vm: Vm) -> None:
        """A buyer is an account, not its name."""
        image = alice.create_image(vm_id=vm.vm_id, image_name="golden")
        product = cloud.marketplace.publish(alice, image.image_id)
        with pytest.raises(ValueError, match="'bob' is no account"):
            cloud.marketplace.subscribe(product, "bob")  # type: ignore[arg-type]  # the mistake

    def test_the_client_of_a_server_needs_no_server(self) -> None:
        """`omisim env` and the client of the control plane go without cheroot."""
        script = "import sys; sys.modules['cheroot'] = None; import omisim.server.client"
        assert subprocess.run([sys.executable, "-c", script], check=False).returncode == 0


class TestCopies:
    @pytest.mark.parametrize("made", [copy.copy, copy.deepcopy, pickle.dumps])
    def test_are_forks_or_dumps(self, cloud: Cloud, alice: Account, made: Callable[[Any], object]) -> None:
        """`copy` and `pickle` of a cloud, or of what holds one, point to what does it well."""
        for what in (cloud, [cloud]) if made is copy.deepcopy else (cloud,):
            with pytest.raises(TypeError, match=r"copied by cloud\.fork\(\), and saved by cloud\.dump\(\)"):
                made(what)
        assert cloud.fork() == cloud
        assert alice.name in cloud.accounts


class TestDurations:
    def test_are_a_mapping(self, slow: Cloud) -> None:
        """Durations are set, listed, counted and taken back by their names."""
        slow.durations["vm.pending"] = 3
        assert (dict(slow.durations), len(slow.durations)) == ({"vm.pending": 3.0}, 1)
        del slow.durations["vm.pending"]
        assert not slow.durations

    def test_that_nobody_set_are_the_tables(self, slow: Cloud) -> None:
        """Reading one answers what is in force, and sets nothing."""
        assert slow.durations["vm.pending"] == 20.0
        assert "vm.pending" not in slow.durations
        slow.durations["vm.pending"] *= 2
        assert slow.durations.pop("vm.pending") == 40.0
        assert slow.durations.pop("vm.pending") == 20.0

    def test_by_size_are_no_number(self, slow: Cloud) -> None:
        """A duration that grows with the size says so, until it is set; what is no transient state is not there."""
        with pytest.raises(KeyError, match=r"snapshot\.pending is not set, and lasts by the size"):
            slow.durations["snapshot.pending"]
        assert slow.durations.get("vm.running") is None

    @pytest.mark.parametrize(("key", "seconds"), [("vm.running", 1), ("disk.pending", 1), ("vm.pending", -1)])
    def test_of_what_is_no_transient_are_refused(self, slow: Cloud, key: str, seconds: float) -> None:
        """An unknown state is refused with the known ones, a negative time as such."""
        with pytest.raises(ValueError, match=r"snapshot\.pending|from 0 up"):
            slow.durations[key] = seconds

    def test_are_those_of_a_fork_too(self, slow: Cloud) -> None:
        """A fork takes the durations along."""
        slow.durations["volume.creating"] = 9
        assert slow.fork().durations["volume.creating"] == 9.0

    def test_show_in_the_progress_of_a_snapshot(self, slow: Cloud) -> None:
        """The progress of a pending snapshot goes by the clock. [ST-SNP-2]"""
        alice = slow.account("alice")
        volume = alice.create_volume(subregion_name=SUBREGION, size=1)
        slow.settle()
        slow.durations["snapshot.pending"] = 100
        alice.create_snapshot(volume_id=volume.volume_id)
        slow.advance(seconds=5 + 40)
        assert [row.progress for row in alice.read_snapshots(filters={"account_ids": [alice.account_id]})] == [40]


class TestClocks:
    def test_a_fork_of_wall_time_keeps_its_offset(self) -> None:
        """A fork of a cloud on a SystemClock is as far ahead as its origin."""
        cloud = Cloud(clock=SystemClock())
        cloud.advance(seconds=86_400)
        now, twin = cloud.now, cloud.fork().now
        assert dt.timedelta() <= twin - now < dt.timedelta(minutes=1)


class TestTables:
    def test_a_state_changes_by_a_move_alone(self, cloud: Cloud, alice: Account) -> None:
        """Nothing but the tables changes or ends what has a lifecycle."""
        volume = alice.create_volume(subregion_name=SUBREGION, size=1)
        now = cloud.engine.state.get("volume", volume.volume_id)
        with pytest.raises(IllegalMove, match="only move"):
            cloud.engine.begin("test").put(volume)
        with pytest.raises(IllegalMove, match="only move"):
            cloud.engine.begin("test").drop(now)
        with pytest.raises(IllegalMove, match="no event 'boot'"):
            cloud.engine.begin("test").move(now, "boot")

    def test_what_is_forgotten_cannot_be_undone(self) -> None:
        """The journal ends where history ends."""
        cloud = Cloud(history=1)
        alice = cloud.account("alice")
        for _ in range(9):
            alice.create_volume(subregion_name=SUBREGION, size=1)
        with pytest.raises(ValueError, match="no longer in the journal"):
            cloud.engine.state.undo_to(0)

    def test_a_change_reads_as_a_line(self, cloud: Cloud, alice: Account) -> None:
        """The last line of a deleted volume's timeline says that it is gone."""
        volume = alice.create_volume(subregion_name=SUBREGION, size=1)
        alice.delete_volume(volume_id=volume.volume_id)
        lines = [str(change) for change in cloud.timeline(volume.volume_id)]
        assert f"volume {volume.volume_id} created, creating (CreateVolume#1)" in lines[0]
        assert lines[-1].endswith(f"volume {volume.volume_id} gone (due)")


class TestRequests:
    def test_the_next_page_goes_over_the_wire(self, cloud: Cloud, alice: Account) -> None:
        """A page's token is answered as JSON like the rest. [PAG-003]"""
        status, body = ask(cloud, signed(alice, "/api/v1/ReadImages", b'{"ResultsPerPage": 3}'))
        assert (status, len(body["Images"]), bool(body["NextPageToken"])) == (200, 3, True)

    def test_a_defect_leaves_nothing_half_done(
        self, cloud: Cloud, alice: Account, monkeypatch: pytest.MonkeyPatch
    ) -> None:
        """Should an action break, what it wrote is undone."""
        before = cloud.fork()
        monkeypatch.setattr("omisim.actions.volumes.new_volume", lambda *_args: 1 / 0)
        with pytest.raises(ZeroDivisionError):
            alice.create_volume(subregion_name=SUBREGION, size=1)
        assert cloud == before

    @pytest.mark.parametrize("date", ["yesterday", 20260101])
    def test_a_date_is_iso(self, alice: Account, date: object) -> None:
        """A filter's date is ISO 8601. [FLT-009]"""
        assert refused(alice, "ReadSnapshots", Filters={"FromCreationDate": date}).code == "4110"

    def test_a_public_key_is_base64(self, alice: Account) -> None:
        """What is no Base64 is no public key. [KEY-003]"""
        assert refused(alice, "CreateKeypair", KeypairName="mine", PublicKey="ssh-rsa AAAA").code == "4032"

    def test_codes_and_their_names_are_both_looked_at(self, alice: Account, ubuntu: Image) -> None:
        """A filter by the name of a product and one by its code count together. [OMI-091, FLT-001]"""
        both = {"product_code_names": ["Linux/UNIX"], "product_codes": ["0001"]}
        assert ubuntu in alice.read_images(filters=both)
        assert alice.read_images(filters=both | {"product_codes": ["0002"]}) == ()

    def test_an_argument_may_be_the_models_own(self, alice: Account, vm: Vm) -> None:
        """Nested arguments are dicts, or the model's dataclasses."""
        mapping = alice.create_image(vm_id=vm.vm_id, image_name="golden").block_device_mappings[0]
        image = alice.create_image(image_name="again", root_device_name="/dev/sda1", block_device_mappings=[mapping])
        assert image.block_device_mappings[0].device_name == mapping.device_name

    def test_without_verification_somebody_must_be_there(self) -> None:
        """With auth off a call needs an account to be made by. [AUTH-013]"""
        nobody = Cloud(seed="elsewhere").account("mallory")
        status, body = ask(Cloud(auth="off"), signed(nobody, "/api/v1/ReadVms"))
        assert (status, body["Errors"][0]["Code"]) == (401, "1")


def test_a_snapshot_says_so_when_it_is_another_regions(cloud: Cloud) -> None:
    """What belongs to another Region is not there. [REG-001]"""
    carol = cloud.account("carol", region="us-east-2")
    volume = carol.create_volume(subregion_name="us-east-2a", size=1)
    snapshot: Snapshot = carol.create_snapshot(volume_id=volume.volume_id)
    dave = cloud.account("dave")
    assert refused(dave, "CreateVolume", SubregionName=SUBREGION, SnapshotId=snapshot.snapshot_id).code == "5054"
