"""What VMs tell of themselves: console, administrator's password, stops."""

from __future__ import annotations

import base64
import datetime as dt
from typing import Any

import pytest
from actions.test_keypairs_tags import ED25519
from cryptography.hazmat.primitives.asymmetric import rsa
from cryptography.hazmat.primitives.asymmetric.padding import PKCS1v15
from cryptography.hazmat.primitives.serialization import Encoding, PublicFormat, load_pem_private_key
from hypothesis import given
from hypothesis import strategies as st
from support.expect import expect_refusal

from omisim import Account, Cloud
from omisim.formats import ssh_keys
from omisim.model import Vm
from omisim.model.filters.dicts import FiltersVmsStopHistoryDict

LARGE = "tinav5.c2r4p2"  # enough for Windows


def windows(account: Account, keypair_name: str | None = None) -> str:
    """Launch a Windows VM; return its id."""
    image_id = account.cloud.images.official("windows").image_id
    return account.create_vms(image_id=image_id, vm_type=LARGE, keypair_name=keypair_name)[0].vm_id


def decrypt(private_key: str, password: str) -> str:
    """Decrypt a password as a client does, with a library that is not ours."""
    key = load_pem_private_key(private_key.encode(), password=None)
    assert isinstance(key, rsa.RSAPrivateKey)
    return key.decrypt(base64.b64decode(password), PKCS1v15()).decode()


def password(account: Account, vm_id: str) -> str:
    """Read a password as it is answered."""
    answer = account.call("ReadAdminPassword", VmId=vm_id)
    assert answer["VmId"] == vm_id
    return str(answer["AdminPassword"])


class TestAdminPassword:
    def test_is_decrypted_with_the_private_key(self, alice: Account) -> None:
        """The password of a Windows VM is encrypted for its keypair, the same in every read. [VM-057, FLD-009]"""
        private_key = alice.create_keypair(keypair_name="pair").private_key
        vm_id = windows(alice, keypair_name="pair")
        first = password(alice, vm_id)
        assert private_key
        assert len(decrypt(private_key, first)) == 16
        assert password(alice, vm_id) == first

    def test_differs_between_vms(self, alice: Account) -> None:
        """Two VMs with one keypair have two passwords. [VM-057]"""
        private_key = alice.create_keypair(keypair_name="pair").private_key or ""
        passwords = {decrypt(private_key, password(alice, windows(alice, keypair_name="pair"))) for _ in range(3)}
        assert len(passwords) == 3

    def test_can_be_encrypted_for_an_imported_key_of_4096_bits(self, alice: Account) -> None:
        """An imported RSA key decrypts the password too. [VM-057, KEY-003]"""
        private = rsa.generate_private_key(public_exponent=65537, key_size=4096)
        public = private.public_key().public_bytes(Encoding.OpenSSH, PublicFormat.OpenSSH)
        alice.create_keypair(keypair_name="mine", public_key=base64.b64encode(public).decode())
        encrypted = base64.b64decode(password(alice, windows(alice, keypair_name="mine")))
        assert len(private.decrypt(encrypted, PKCS1v15())) == 16

    def test_is_empty_before_and_after_the_first_boot(self) -> None:
        """Before the first boot and after it the answer is empty. [VM-057]"""
        cloud = Cloud(timing="clock")
        alice = cloud.account("alice")
        alice.create_keypair(keypair_name="pair")
        vm_id = windows(alice, keypair_name="pair")
        assert password(alice, vm_id) == ""
        cloud.settle()
        assert password(alice, vm_id) != ""
        alice.reboot_vms(vm_ids=[vm_id])
        assert password(alice, vm_id) == ""

    def test_is_empty_once_the_vm_has_stopped(self, alice: Account) -> None:
        """A VM that was stopped and started again is past its first boot. [VM-057]"""
        alice.create_keypair(keypair_name="pair")
        vm_id = windows(alice, keypair_name="pair")
        alice.stop_vms(vm_ids=[vm_id])
        assert password(alice, vm_id) == ""
        alice.start_vms(vm_ids=[vm_id])
        assert password(alice, vm_id) == ""

    def test_stays_when_the_keypair_is_deleted(self, alice: Account) -> None:
        """The password was encrypted at the first boot and no longer needs the keypair. [VM-057, KEY-006]"""
        alice.create_keypair(keypair_name="pair")
        vm_id = windows(alice, keypair_name="pair")
        assert password(alice, vm_id)
        alice.delete_keypair(keypair_name="pair")
        assert password(alice, vm_id)

    def test_needs_a_keypair(self, alice: Account) -> None:
        """A Windows VM without a keypair is refused. [VM-057/keypair]"""
        error = expect_refusal(alice, "ReadAdminPassword", VmId=windows(alice))
        assert (error.status, error.code, error.rule) == (409, "9042", "VM-057/keypair")

    def test_needs_an_rsa_keypair(self, alice: Account) -> None:
        """A keypair that cannot decrypt is refused. [VM-057/rsa]"""
        alice.create_keypair(keypair_name="ed", public_key=base64.b64encode(ED25519.encode()).decode())
        error = expect_refusal(alice, "ReadAdminPassword", VmId=windows(alice, keypair_name="ed"))
        assert (error.status, error.code, error.rule) == (409, "9041", "VM-057/rsa")

    def test_of_a_linux_vm_is_empty_or_refused_by_a_switch(self, alice: Account, vm: Vm) -> None:
        """A VM that is not Windows has an empty password; under a switch the call is refused.

        [VM-057, VM-057/windows]
        """
        assert password(alice, vm.vm_id) == ""
        strict = Cloud(switches={"linux_password": "refuse"})
        bob = strict.account("bob")
        linux = bob.create_vms(image_id=strict.images.official("ubuntu").image_id)[0].vm_id
        error = expect_refusal(bob, "ReadAdminPassword", VmId=linux)
        assert (error.status, error.code) == (400, "4087")

    def test_is_refused_for_foreign_and_terminated_vms(self, alice: Account, bob: Account, vm: Vm) -> None:
        """A foreign VM and a terminated one do not exist for the call. [VM-057/vm]"""
        assert expect_refusal(bob, "ReadAdminPassword", VmId=vm.vm_id).code == "5063"
        alice.delete_vms(vm_ids=[vm.vm_id])
        assert expect_refusal(alice, "ReadAdminPassword", VmId=vm.vm_id).code == "5063"

    @given(message=st.binary(max_size=245), seed=st.text())
    def test_encryption_can_be_reversed_for_any_message(self, message: bytes, seed: str) -> None:
        """A client decrypts any message, whatever the padding is. [VM-057]"""
        pem, key = ssh_keys.generate(1)
        private = load_pem_private_key(pem.encode(), password=None)
        assert isinstance(private, rsa.RSAPrivateKey)
        assert private.decrypt(key.encrypt(message, seed), PKCS1v15()) == message

    def test_encryption_needs_an_rsa_key(self) -> None:
        """Another type of key is an error."""
        with pytest.raises(ValueError, match="type must be ssh-rsa to encrypt"):
            ssh_keys.parse(ED25519).encrypt(b"", "")


def console(account: Account, vm_id: str) -> str:
    """Read a console as text."""
    answer = account.call("ReadConsoleOutput", VmId=vm_id)
    assert answer["VmId"] == vm_id
    return base64.b64decode(answer["ConsoleOutput"]).decode()


class TestConsoleOutput:
    def test_has_what_the_test_printed(self, cloud: Cloud, alice: Account, vm: Vm) -> None:
        """After a banner follows what was printed, in order. [VM-056]"""
        cloud.write_console(vm.vm_id, "cloud-init: one\n")
        cloud.write_console(vm.vm_id, "cloud-init: two\n")
        assert console(alice, vm.vm_id).splitlines()[1:] == ["cloud-init: one", "cloud-init: two"]
        assert vm.vm_id in console(alice, vm.vm_id).splitlines()[0]

    def test_is_empty_until_the_vm_has_booted(self) -> None:
        """A pending VM has printed nothing. [VM-056]"""
        cloud = Cloud(timing="clock")
        alice = cloud.account("alice")
        vm_id = alice.create_vms(image_id=cloud.images.official("ubuntu").image_id)[0].vm_id
        assert console(alice, vm_id) == ""
        cloud.settle()
        assert console(alice, vm_id) != ""

    def test_is_limited_to_the_last_64_kib(self, cloud: Cloud, alice: Account, vm: Vm) -> None:
        """Of a long output the end is answered. [VM-056]"""
        cloud.write_console(vm.vm_id, "x" * 100_000 + "the end")
        assert len(console(alice, vm.vm_id)) == 65_536
        assert console(alice, vm.vm_id).endswith("xthe end")

    def test_of_windows_has_the_first_boot_only(self, cloud: Cloud, alice: Account) -> None:
        """After its first boot a Windows VM prints nothing any more. [VM-056]"""
        vm_id = windows(alice)
        cloud.write_console(vm_id, "Windows is ready to use\n")
        assert "ready" in console(alice, vm_id)
        alice.reboot_vms(vm_ids=[vm_id])
        assert console(alice, vm_id) == ""

    def test_is_part_of_the_state_and_of_its_vm(self, cloud: Cloud, alice: Account, vm: Vm) -> None:
        """The output is undone, forked and dumped with the cloud, and ends with its VM. [VM-056]"""
        with cloud.savepoint():
            cloud.write_console(vm.vm_id, "secret")
            assert "secret" in console(Cloud.load(cloud.dump()).account("alice"), vm.vm_id)
        assert "secret" not in console(alice, vm.vm_id)
        cloud.write_console(vm.vm_id, "secret")
        alice.delete_vms(vm_ids=[vm.vm_id])
        cloud.advance(seconds=7200)
        assert not cloud.engine.state.rows("console")

    def test_takes_text_that_utf_8_can_encode(self, cloud: Cloud, vm: Vm) -> None:
        """The console gets a str without lone surrogates, because the answer of ReadConsoleOutput is UTF-8."""
        with pytest.raises(ValueError, match="text must not contain a lone surrogate"):
            cloud.write_console(vm.vm_id, "\ud800")
        output: Any = b"cloud-init"
        with pytest.raises(TypeError, match="text must be a str, not b'cloud-init'"):
            cloud.write_console(vm.vm_id, output)

    def test_is_refused_for_foreign_vms(self, cloud: Cloud, bob: Account, vm: Vm) -> None:
        """A foreign VM does not exist, in the API and in Python. [VM-056/vm]"""
        assert expect_refusal(bob, "ReadConsoleOutput", VmId=vm.vm_id).code == "5063"
        with pytest.raises(ValueError, match="not a VM of this cloud"):
            cloud.write_console("i-00000000", "x")


class TestVmStops:
    def test_are_listed_with_date_and_reason(self, cloud: Cloud, alice: Account, vm: Vm) -> None:
        """Each stop is one entry, the oldest first. [VM-052, VM-051]"""
        alice.stop_vms(vm_ids=[vm.vm_id])
        alice.start_vms(vm_ids=[vm.vm_id])
        cloud.advance(seconds=3600)
        alice.stop_vms(vm_ids=[vm.vm_id], force_stop=True)
        stops = alice.read_vms_stop_history()
        assert [(stop.vm_id, stop.state_reason) for stop in stops] == [
            (vm.vm_id, "Client.ApiGracefulShutdown"),
            (vm.vm_id, ""),
        ]
        assert stops[1].stop_date - stops[0].stop_date >= dt.timedelta(hours=1)

    def test_are_filtered_by_vm_reason_and_date(self, cloud: Cloud, alice: Account, vm: Vm) -> None:
        """Stops are filtered by VM, by a reason or its beginning, and by an inclusive window of dates. [VM-052]"""
        alice.stop_vms(vm_ids=[vm.vm_id])
        at = alice.read_vms_stop_history()[0].stop_date
        day = dt.timedelta(days=1)
        matching: tuple[FiltersVmsStopHistoryDict, ...] = (
            {"vm_ids": [vm.vm_id]},
            {"state_reasons": ["Client.*"]},
            {"state_reasons": ["Client.ApiGracefulShutdown"]},
            {"stop_date_after": at, "stop_date_before": at},
            {"stop_date_after": at - day},
        )
        for filters in matching:
            assert len(alice.read_vms_stop_history(filters=filters)) == 1, filters
        not_matching: tuple[FiltersVmsStopHistoryDict, ...] = (
            {"vm_ids": []},
            {"state_reasons": ["Server.*"]},
            {"stop_date_before": at - day},
        )
        for filters in not_matching:
            assert alice.read_vms_stop_history(filters=filters) == (), filters

    def test_include_those_of_create_image_but_no_launch_without_boot(
        self, alice: Account, bob: Account, vm: Vm
    ) -> None:
        """CreateImage stops a running VM; a VM that never ran has not stopped; foreign VMs are not listed. [VM-052]"""
        alice.create_image(vm_id=vm.vm_id, image_name="golden")
        alice.create_vms(image_id=vm.image_id, boot_on_creation=False)
        assert [stop.vm_id for stop in alice.read_vms_stop_history()] == [vm.vm_id]
        assert bob.read_vms_stop_history() == ()

    def test_are_not_served_by_version_1_40(self) -> None:
        """The action came with version 1.42 of the API. [VM-052, REQ-002]"""
        old = Cloud(switches={"spec_version": "1.40"}).account("alice")
        error = expect_refusal(old, "ReadVmsStopHistory")
        assert (error.status, error.code) == (404, "12000")
