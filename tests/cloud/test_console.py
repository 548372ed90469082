"""What the console shows of a cloud, as data: accounts, cards, and the steps of its history."""

from __future__ import annotations

import json
from typing import Any

import pytest
from botocore.exceptions import ClientError
from support.storing import BUCKET, create_bucket

from omisim import Account, ApiError, Cloud
from omisim.cloud.console import History, describe_actions, describe_resource, describe_view
from omisim.cloud.console.cards import describe_states
from omisim.doors.http import HttpRequest
from omisim.doors.oapi import OapiDoor
from omisim.doors.oos import handle
from omisim.model import Image, Vm

Cards = dict[str, dict[str, Any]]


def replay(base: Cards, steps: list[dict[str, Any]]) -> Cards:
    """Return the cards after some steps, as the page computes them."""
    cards = {row_id: dict(card) for row_id, card in base.items()}
    for step in steps:
        for row_id, values in step["changes"]:
            if values is None:
                cards.pop(row_id)
            else:
                merged = cards.get(row_id, {}) | values
                cards[row_id] = {name: value for name, value in merged.items() if value is not None}
    return cards


def list_cards(cloud: Cloud) -> Cards:
    """Return the cards of a cloud now."""
    history = History(cloud.engine)
    return replay(history.base, history.steps)


def list_titles(cloud: Cloud) -> list[str]:
    """Return the calls, and the causes of changes without one."""
    return [step.get("action") or step["cause"] for step in History(cloud.engine).steps]


class TestCards:
    def test_show_state_name_and_origin(self, cloud: Cloud, golden: Image, vm: Vm) -> None:
        """A card has the API's state, the name and what the resource was made from."""
        card = list_cards(cloud)[golden.image_id]
        assert (card["kind"], card["name"], card["state"]) == ("image", "golden", "available")
        assert ["made from", vm.vm_id] in card["parents"]
        assert card["facts"]["Size"] == "10 GiB"

    def test_show_shares_and_attachments(self, cloud: Cloud, alice: Account, bob: Account, golden: Image) -> None:
        """A share names the account, an attachment the VM and the device."""
        alice.update_image(
            image_id=golden.image_id, permissions_to_launch={"additions": {"account_ids": [bob.account_id]}}
        )
        cards = list_cards(cloud)
        assert cards[golden.image_id]["facts"]["Shared with"] == "bob"
        (volume,) = [card for card in cards.values() if card["kind"] == "volume"]
        assert "as /dev/sda1 (attached)" in volume["facts"]["Attached to"]

    def test_have_the_facts_of_a_resource(self, cloud: Cloud, alice: Account) -> None:
        """What a VM is and has, under the API's names, and its type and OMI on the face of the card."""
        image_id = cloud.images.official("rhel").image_id
        (vm,) = alice.create_vms(image_id=image_id)
        alice.create_tags(resource_ids=[vm.vm_id], tags=[{"key": "Name", "value": "web"}, {"key": "a", "value": "b"}])
        card = list_cards(cloud)[vm.vm_id]
        assert card["facts"] == {
            "VmType": "t2.small", "ImageId": image_id, "PrivateIp": "10.0.0.5", "PublicIp": "198.51.100.2",
            "BootMode": "uefi", "Licences": "0001 0006", "Tags": "Name=web, a=b", "Created": "2026-01-01 00:00:00",
        }  # fmt: skip
        assert (card["name"], card["line"]) == ("web", f"t2.small · {image_id}")

    def test_of_the_platform_are_those_that_something_was_made_from(self, cloud: Cloud, vm: Vm) -> None:
        """Of hundreds of official resources, the OMI of the VM and the snapshot of its volume are shown."""
        platform = {
            row["id"] for row in describe_view(cloud.engine, History(cloud.engine))["accounts"] if row["platform"]
        }
        shown = [card["kind"] for card in list_cards(cloud).values() if card["account"] in platform]
        assert sorted(shown) == ["image", "snapshot"]

    def test_of_deleted_resources_remain_for_the_lineage(self, cloud: Cloud, alice: Account, golden: Image) -> None:
        """A deleted OMI keeps its name and its origin."""
        alice.delete_image(image_id=golden.image_id)
        card = list_cards(cloud)[golden.image_id]
        assert (card["state"], card["name"], card["deleted"]) == ("deleted", "golden", True)
        assert "facts" not in card

    def test_name_every_kind_of_resource(self, cloud: Cloud, alice: Account) -> None:
        """Networks, keys and stored objects have cards, too."""
        net = alice.create_net(ip_range="10.0.0.0/16")
        subnet = alice.create_subnet(net_id=net.net_id, ip_range="10.0.0.0/24")
        alice.create_nic(subnet_id=subnet.subnet_id)
        alice.create_public_ip()
        alice.create_internet_service()
        alice.create_keypair(keypair_name="k")
        create_bucket(alice).put_object(Bucket=BUCKET, Key="a", Body=b"text")
        kinds = {card["kind"] for card in list_cards(cloud).values()}
        assert kinds >= {
            "net", "subnet", "nic", "public_ip", "internet_service", "keypair", "bucket", "object", "route_table",
            "security_group",
        }  # fmt: skip

    def test_have_a_tone_by_the_lifecycle(self) -> None:
        """The tables decide which state is transient, failed or ended by a timer."""
        states = describe_states()
        assert states["vm"]["pending"] == states["image"]["pending"] == states["snapshot"]["in-queue"] == "busy"
        assert states["vm"]["running"] == states["vm"]["stopped"] == states["volume"]["in-use"] == "steady"
        assert states["volume"]["error"] == states["image"]["failed"] == states["image_export"]["failed"] == "failed"
        assert states["vm"]["terminated"] == "gone"


class TestSteps:
    def test_show_the_cloud_after_each_call(self, slow: Cloud) -> None:
        """Replaying the first steps gives the cards that the cloud had then."""
        alice = slow.account("alice")
        seen = [list_cards(slow)]
        (vm,) = alice.create_vms(image_id=slow.images.official("debian").image_id)
        seen.append(list_cards(slow))
        slow.settle()
        alice.stop_vms(vm_ids=[vm.vm_id])
        seen.append(list_cards(slow))
        slow.settle()
        alice.delete_vms(vm_ids=[vm.vm_id])
        history = History(slow.engine)
        states = [replay(history.base, history.steps[:end]) for end in range(len(history.steps) + 1)]
        assert all(cards in states for cards in seen)

    def test_are_calls_and_what_happens_by_itself(self, slow: Cloud) -> None:
        """Reads and refusals are steps without changes; each time at which something is due is a step."""
        alice = slow.account("alice")
        volume = alice.create_volume(subregion_name="eu-west-2a", size=1)
        alice.read_volumes()
        with pytest.raises(ApiError):
            alice.create_snapshot(volume_id=volume.volume_id)
        slow.settle()
        assert list_titles(slow) == ["account", "CreateVolume", "ReadVolumes", "CreateSnapshot", "due"]

    def test_explain_refusals(self, cloud: Cloud, alice: Account) -> None:
        """A refused call has its rule, the fix and the documentation page. [OMI-122]"""
        with pytest.raises(ApiError) as refusal:
            alice.delete_image(image_id="ami-12345678")
        step = History(cloud.engine).steps[-1]
        assert step["refusal"]["rule"] == "OMI-122"
        assert step["refusal"]["details"] == refusal.value.details
        lines = dict(step["refusal"]["lines"])
        assert lines["Fix"].startswith("Use the id")
        assert lines["Documentation"].startswith("https://docs.outscale.com/")

    def test_show_requests_to_object_storage(self, cloud: Cloud, alice: Account) -> None:
        """They have a caller, parameters and the cards that they changed, as calls have."""
        create_bucket(alice).put_object(Bucket=BUCKET, Key="a", Body=b"x")
        created, put = History(cloud.engine).steps[-2:]
        assert (created["action"], created["by"], created["parameters"]) == (
            "CreateBucket",
            "alice",
            [["Bucket", "'exports'"]],
        )
        assert (put["action"], put["by"]) == ("PutObject", "alice")
        assert put["parameters"] == [["Bucket", "'exports'"], ["Key", "'a'"]]
        assert [row_id for row_id, _ in put["changes"]] == [f"eu-west-2/{BUCKET}/a"]

    @pytest.mark.parametrize(
        ("bucket", "key", "code", "rule"),
        [
            (BUCKET, "b", "NoSuchKey", "OOS-006"),
            ("nowhere", "a", "NoSuchBucket", "OOS-006"),
            (BUCKET, "a" * 1_025, "KeyTooLongError", "OOS-008"),
        ],
    )
    def test_explain_refusals_of_object_storage(
        self, cloud: Cloud, alice: Account, bucket: str, key: str, code: str, rule: str
    ) -> None:
        """A refused request shows its caller, the error of S3 and the rule."""
        client = create_bucket(alice)
        with pytest.raises(ClientError):
            client.get_object(Bucket=bucket, Key=key)
        step = History(cloud.engine).steps[-1]
        assert (step["action"], step["by"]) == ("GetObject", "alice")
        assert (step["refusal"]["code"], step["refusal"]["rule"]) == (code, rule)

    def test_explain_refused_signatures_of_object_storage(self, cloud: Cloud, alice: Account) -> None:
        """The caller and the operation are not known, so the step shows the method and the path."""
        host = "oos.eu-west-2.outscale.com"
        headers = {
            "authorization": f"AWS4-HMAC-SHA256 Credential={alice.access_key}/20260101/eu-west-2/s3/aws4_request"
        }
        handle(cloud.engine, HttpRequest("PUT", host, "/exports/a", headers), cloud.now)
        step = History(cloud.engine).steps[-1]
        assert (step["action"], step["by"], step["parameters"]) == ("PUT", "", [["Path", "'/exports/a'"]])
        assert step["refusal"]["rule"].startswith("OOS-")

    def test_end_with_a_call_that_a_door_has_refused(self, cloud: Cloud, alice: Account) -> None:
        """A call with a wrong signature comes after the calls before it, although it has got nowhere."""
        alice.create_volume(subregion_name="eu-west-2a", size=1)
        headers = {
            "authorization": f"OSC4-HMAC-SHA256 Credential={alice.access_key}/20260101/eu-west-2/api/osc4_request"
        }
        OapiDoor(cloud.engine).handle(HttpRequest("POST", "", "/api/v1/ReadVms", headers, b"{}"), cloud.now)
        assert list_titles(cloud) == ["account", "CreateVolume", "due", "ReadVms"]

    def test_keep_calls_that_were_undone_without_their_changes(self, cloud: Cloud, alice: Account) -> None:
        """A rollback undoes the state, not the call log."""
        with cloud.savepoint():
            alice.create_keypair(keypair_name="undone")
        alice.create_keypair(keypair_name="kept")
        steps = [step for step in History(cloud.engine).steps if step.get("action")]
        assert [(step["action"], len(step["changes"])) for step in steps] == [
            ("CreateKeypair", 0),
            ("CreateKeypair", 1),
        ]
        assert [card["name"] for card in list_cards(cloud).values() if card["kind"] == "keypair"] == ["kept"]

    def test_begin_where_the_history_does(self) -> None:
        """What was trimmed is in the base, and the view says that it is not complete."""
        cloud = Cloud(history=2)
        alice = cloud.account("alice")
        for number in range(20):
            alice.create_keypair(keypair_name=f"k{number}")
        history = History(cloud.engine)
        assert not history.is_complete
        assert len(history.base) + len(history.steps) >= 20
        assert len(list_cards(cloud)) == 21  # with the security group

    def test_of_a_fork_have_no_callers(self, cloud: Cloud, vm: Vm) -> None:
        """A fork has the changes of the past, not its calls: a step is named for its cause."""
        steps = History(cloud.fork().engine).steps
        assert "CreateVms" in [step["cause"] for step in steps]
        assert not [step for step in steps if "by" in step]


class TestNewSteps:
    def test_continue_a_history(self, cloud: Cloud, alice: Account) -> None:
        """What is read step by step is what a new history has."""
        history = History(cloud.engine)
        cards = replay(history.base, history.steps)
        for number in range(3):
            alice.create_keypair(keypair_name=f"k{number}")
            alice.read_keypairs()
            cards = replay(cards, history.read_new(cloud.engine) or [])
        assert cards == list_cards(cloud)
        assert history.read_new(cloud.engine) == []

    def test_end_with_whatever_is_not_a_continuation(self, cloud: Cloud, alice: Account) -> None:
        """A rollback that is followed by as many changes, a reset, a load and a trimmed journal need a new history."""
        mark = cloud.mark()
        alice.create_keypair(keypair_name="a")
        undone = History(cloud.engine)
        cloud.rollback(mark)
        alice.create_keypair(keypair_name="b")
        assert undone.read_new(cloud.engine) is None
        reset = History(cloud.engine)
        cloud.reset()
        assert reset.read_new(cloud.engine) is None
        loaded = History(cloud.engine)
        cloud.become(Cloud())
        assert loaded.read_new(cloud.engine) is None


class TestResource:
    def test_has_what_the_command_line_shows(self, cloud: Cloud, golden: Image) -> None:
        """Timeline, lineage and access are those of the public methods."""
        shown = describe_resource(cloud, golden.image_id)
        assert shown["timeline"] == str(cloud.timeline(golden.image_id))
        assert shown["lineage"] == str(cloud.lineage(golden.image_id))
        assert shown["fields"]["ImageName"] == "golden"
        assert [row[0] for row in shown["access"]["rows"]] == ["alice"]

    def test_may_be_of_any_kind(self, cloud: Cloud, alice: Account, vm: Vm) -> None:
        """Every card has details, those of deleted resources too; an unknown id is refused."""
        key = alice.create_keypair(keypair_name="k")
        alice.delete_keypair(keypair_id=key.keypair_id)
        create_bucket(alice).put_object(Bucket=BUCKET, Key="a", Body=b"text")
        for row_id in list_cards(cloud):
            json.dumps(describe_resource(cloud, row_id))
        assert describe_resource(cloud, key.keypair_id)["fields"] is None
        with pytest.raises(ValueError, match="exists"):
            describe_resource(cloud, "ami-12345678")


class TestActions:
    def test_have_the_parameters_of_their_signatures(self) -> None:
        """Required parameters come first; an object has its members, of which each is absent as long as it is null."""
        actions = describe_actions()
        link = {row["name"]: row for row in actions["LinkVolume"]["parameters"]}
        assert link["VolumeId"] == {"name": "VolumeId", "type": "string", "required": True, "ids": "volume"}
        (share,) = [row for row in actions["UpdateImage"]["parameters"] if row["name"] == "PermissionsToLaunch"]
        members = {"AccountIds": None, "GlobalPermission": None}
        assert json.loads(share["example"]) == {"Additions": members, "Removals": members}
        (disks,) = [row for row in actions["CreateImage"]["parameters"] if row["name"] == "BlockDeviceMappings"]
        assert json.loads(disks["example"])[0].keys() == {"DeviceName", "Bsu", "VirtualDeviceName"}
        assert actions["CreateImage"]["summary"].startswith("Create an OMI")
        for action in actions.values():
            required = [row.get("required", False) for row in action["parameters"]]
            assert required == sorted(required, reverse=True)
