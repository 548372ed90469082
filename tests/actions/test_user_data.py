"""The OUTSCALE section of user data: tags, the public IP of a VM, and private_only."""

from __future__ import annotations

import base64

import pytest
from support.networks import add_networks
from support.reread import reread

from omisim import Account, Cloud
from omisim.model import PublicIp, ResourceTag, Vm

AUTO_ATTACH = "osc.fcu.eip.auto-attach"


def encode(*settings: str) -> str:
    """Return user data with an OUTSCALE section and a script, in Base64 with line breaks."""
    lines = ("-----BEGIN OUTSCALE SECTION-----", *settings, "-----END OUTSCALE SECTION-----", "#!/bin/sh", "a=b")
    return base64.encodebytes("\n".join(lines).encode()).decode()


@pytest.fixture(name="ip")
def _ip(alice: Account) -> PublicIp:
    """A public IP of alice's, linked to nothing."""
    return alice.create_public_ip()


def restart(alice: Account, vm: Vm, user_data: str) -> Vm:
    """Stop a VM, change its user data, start it, and return it as a read shows it then."""
    alice.stop_vms(vm_ids=[vm.vm_id])
    alice.update_vm(vm_id=vm.vm_id, user_data=user_data)
    alice.start_vms(vm_ids=[vm.vm_id])
    return reread(alice, vm)


def test_user_data_is_answered_as_it_was_given(alice: Account, vm: Vm) -> None:
    """The Base64 of user data may contain line breaks, which the answer contains too. [VM-019]"""
    text = encode("private_only=false")
    assert "\n" in text.strip()
    assert alice.create_vms(image_id=vm.image_id, user_data=text)[0].user_data == text


class TestTagsInUserData:
    def test_are_tags_of_the_vm(self, alice: Account, vm: Vm) -> None:
        """Each setting that begins with tags. is a tag; other lines are not. [VM-033]"""
        text = encode("filter_private_section=true", "  tags.team = blue  ", "tags.empty=", "tags.no value", "tags.=x")
        new = alice.create_vms(image_id=vm.image_id, user_data=text)[0]
        assert new.tags == (ResourceTag(key="team", value="blue"), ResourceTag(key="empty", value=""))

    def test_are_ignored_if_a_tag_cannot_have_them(self, alice: Account, vm: Vm) -> None:
        """A key or a value that is too long for a tag sets none. [VM-033]"""
        text = encode(f"tags.{'k' * 256}=v", f"tags.k={'v' * 256}")
        assert alice.create_vms(image_id=vm.image_id, user_data=text)[0].tags == ()

    def test_are_limited_like_other_tags(self) -> None:
        """Those beyond most_tags set none, at the launch and later; an existing key gets its new value.

        [VM-033, TAG-009]
        """
        alice = Cloud(switches={"most_tags": 2}).account("alice")
        text = encode("tags.a=1", "tags.b=1", "tags.c=1")
        new = alice.create_vms(image_id=alice.read_images()[0].image_id, user_data=text)[0]
        assert [tag.key for tag in new.tags] == ["a", "b"]
        tags = restart(alice, new, encode("tags.d=2", "tags.b=2")).tags
        assert [(tag.key, tag.value) for tag in tags] == [("a", "1"), ("b", "2")]

    def test_may_be_as_long_as_any_tag(self, alice: Account, vm: Vm) -> None:
        """A key and a value of 255 characters are a tag. [VM-033]"""
        key, value = "k" * 255, "v" * 255
        (tag,) = alice.create_vms(image_id=vm.image_id, user_data=encode(f"tags.{key}={value}"))[0].tags
        assert (tag.key, tag.value) == (key, value)

    @pytest.mark.parametrize("text", ["tags.team=blue", "-----BEGIN OUTSCALE SECTION-----\ntags.team=blue"])
    def test_need_a_complete_section(self, alice: Account, vm: Vm, text: str) -> None:
        """A setting outside a section, or in one without an end, has no effect. [VM-033]"""
        user_data = base64.b64encode(text.encode()).decode()
        assert alice.create_vms(image_id=vm.image_id, user_data=user_data)[0].tags == ()

    def test_are_added_by_an_update(self, alice: Account, vm: Vm) -> None:
        """New user data replaces the tags that it names, and keeps the others. [VM-033]"""
        alice.create_tags(resource_ids=[vm.vm_id], tags=[{"key": "team", "value": "red"}, {"key": "env", "value": "a"}])
        tags = restart(alice, vm, encode("tags.team=blue")).tags
        assert {tag.key: tag.value for tag in tags} == {"team": "blue", "env": "a"}


class TestPrivateOnly:
    def test_gives_no_public_address(self, alice: Account, vm: Vm) -> None:
        """A VM of the public Cloud whose user data has private_only=true has only a private address. [VM-034]"""
        new = reread(alice, alice.create_vms(image_id=vm.image_id, user_data=encode("private_only=true"))[0])
        assert (new.public_ip, new.public_dns_name) == (None, None)
        assert new.private_ip

    def test_is_read_at_each_start(self, alice: Account, vm: Vm) -> None:
        """An update while the VM is stopped decides about its next public address. [VM-034]"""
        assert restart(alice, vm, encode("private_only=true")).public_ip is None
        assert restart(alice, vm, encode("private_only=false")).public_ip

    def test_does_not_prevent_a_linked_public_ip(self, alice: Account, vm: Vm, ip: PublicIp) -> None:
        """A public IP can be linked to such a VM; after unlinking, it has no public address again. [VM-034]"""
        new = alice.create_vms(image_id=vm.image_id, user_data=encode("private_only=true"))[0]
        link_id = alice.link_public_ip(public_ip=ip.public_ip, vm_id=new.vm_id)
        assert reread(alice, new).public_ip == ip.public_ip
        alice.unlink_public_ip(link_public_ip_id=link_id)
        assert reread(alice, new).public_ip is None


class TestAutoAttach:
    def test_links_the_public_ip_at_the_launch(self, alice: Account, vm: Vm, ip: PublicIp) -> None:
        """A launch with the tag in its user data links the public IP that it names. [PIP-017]"""
        text = encode(f"tags.{AUTO_ATTACH}={ip.public_ip}")
        new = alice.create_vms(image_id=vm.image_id, user_data=text)[0]
        assert reread(alice, new).public_ip == ip.public_ip
        (row,) = alice.read_public_ips()
        assert (row.vm_id, bool(row.link_public_ip_id)) == (new.vm_id, True)

    def test_links_the_public_ip_at_a_later_start(self, alice: Account, vm: Vm, ip: PublicIp) -> None:
        """User data that is changed while the VM is stopped counts at its next start. [PIP-017]"""
        assert restart(alice, vm, encode(f"tags.{AUTO_ATTACH}={ip.public_ip}")).public_ip == ip.public_ip

    def test_takes_no_other_tag_for_it(self, alice: Account, vm: Vm, ip: PublicIp) -> None:
        """Other tags of the VM link no public IP, even if their values are addresses. [PIP-017]"""
        address = alice.create_public_ip().public_ip
        alice.create_tags(resource_ids=[vm.vm_id], tags=[{"key": key, "value": address} for key in ("Name", "z")])
        assert restart(alice, vm, encode(f"tags.{AUTO_ATTACH}={ip.public_ip}")).public_ip == ip.public_ip

    def test_leaves_a_public_ip_where_it_is_linked(self, alice: Account, vm: Vm, ip: PublicIp) -> None:
        """A VM starts with an address of its own if its public IP is linked to another VM. [PIP-017]"""
        alice.link_public_ip(public_ip=ip.public_ip, vm_id=vm.vm_id)
        text = encode(f"tags.{AUTO_ATTACH}={ip.public_ip}")
        new = reread(alice, alice.create_vms(image_id=vm.image_id, user_data=text)[0])
        assert new.public_ip not in (None, ip.public_ip)
        assert reread(alice, vm).public_ip == ip.public_ip

    def test_keeps_the_link_that_the_vm_has(self, alice: Account, vm: Vm, ip: PublicIp) -> None:
        """A VM that has another public IP when it starts keeps that one. [PIP-017]"""
        other = alice.create_public_ip()
        alice.link_public_ip(public_ip=other.public_ip, vm_id=vm.vm_id)
        assert restart(alice, vm, encode(f"tags.{AUTO_ATTACH}={ip.public_ip}")).public_ip == other.public_ip

    def test_does_not_link_the_public_ip_of_another_account(self, alice: Account, bob: Account, vm: Vm) -> None:
        """The public IP must belong to the account of the VM. [PIP-017]"""
        foreign = bob.create_public_ip().public_ip
        text = encode(f"tags.{AUTO_ATTACH}={foreign}")
        new = reread(alice, alice.create_vms(image_id=vm.image_id, user_data=text)[0])
        assert new.public_ip not in (None, foreign)

    @pytest.mark.parametrize(("subnet", "is_linked"), [("subnet", True), ("other_subnet", False)])
    def test_needs_an_internet_service_in_a_net(
        self, alice: Account, ip: PublicIp, subnet: str, is_linked: bool
    ) -> None:
        """In a Net, the public IP is linked to the primary NIC if an internet service is attached. [PIP-017]"""
        ids: dict[str, str] = {}
        image_id = alice.read_images()[0].image_id
        add_networks(alice, image_id, ids)
        text = encode(f"tags.{AUTO_ATTACH}={ip.public_ip}")
        new = reread(alice, alice.create_vms(image_id=image_id, subnet_id=ids[subnet], user_data=text)[0])
        assert new.public_ip == (ip.public_ip if is_linked else None)
        assert new.nics
        assert (new.nics[0].link_public_ip is not None) == is_linked
