"""The Account of Python programs: how it is made, and its typed methods."""

from __future__ import annotations

import inspect
import re
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from omisim import Account, ApiError, Cloud
from omisim.actions.framework.registry import ACTIONS
from omisim.cloud.account import Typed
from omisim.engine.calls import run_call
from omisim.model import Vm
from omisim.model.filters import FiltersVm
from omisim.model.serialize import snake_name


class TestAccount:
    def test_repr_shows_name_id_and_region(self, alice: Account) -> None:
        """The repr of an account has its name, id and Region."""
        assert repr(alice) == f"<account alice {alice.account_id} in eu-west-2>"

    @pytest.mark.parametrize("name", ["", None, ["bob"]])
    def test_needs_a_name(self, cloud: Cloud, name: Any) -> None:
        """An account with an empty name, or one that is not a text, is refused."""
        with pytest.raises(ValueError, match="name must be a non-empty str"):
            cloud.account(name)

    @pytest.mark.parametrize("arguments", [{"name": "a\ud800"}, {"name": "alice", "alias": "a\ud800"}])
    def test_has_a_name_that_utf_8_can_encode(self, cloud: Cloud, arguments: dict[str, Any]) -> None:
        """A name or alias with a lone surrogate is refused: no terminal or file could show it."""
        with pytest.raises(ValueError, match=r"must not contain a lone surrogate, as 'a\\ud800' does"):
            cloud.account(**arguments)

    def test_cannot_be_asked_for_again_with_another_region(self, cloud: Cloud, alice: Account) -> None:
        """A second use of a name returns the same account; an argument that differs from the first is refused."""
        assert cloud.account("alice", region="eu-west-2") is alice
        with pytest.raises(ValueError, match="already exists with region='eu-west-2'"):
            cloud.account("alice", region="us-east-2")
        with pytest.raises(ValueError, match=r"already exists with quotas=\{\}, not \['vm_limit'\]"):
            cloud.account("alice", quotas=["vm_limit"])  # type: ignore[arg-type]

    @pytest.mark.parametrize(
        ("arguments", "message"),
        [({"region": "mars"}, "eu-west-2, "), ({"quotas": {"vms": 1}}, "vm_limit")],
    )
    def test_refuses_an_unknown_region_or_quota(self, cloud: Cloud, arguments: dict[str, object], message: str) -> None:
        """An unknown Region or quota is refused with the known ones."""
        with pytest.raises(ValueError, match=message):
            cloud.account("carol", **arguments)  # type: ignore[arg-type]

    @pytest.mark.parametrize("service", ["lbu", "S3", ""])
    def test_refuses_a_client_of_an_unknown_service(self, alice: Account, service: str) -> None:
        """`client` refuses a service that it does not know."""
        with pytest.raises(ValueError, match=f"not '{service}'"):
            alice.client(service)  # type: ignore[arg-type]


class TestTheFirstAccount:
    """The first account of a new cloud is taken from a State that is prepared once in the process."""

    @given(
        seed=st.integers(0, 3),
        region=st.sampled_from(["eu-west-2", "us-east-2"]),
        alias=st.sampled_from([None, "team"]),
        quotas=st.dictionaries(st.sampled_from(["vm_limit", "snapshot_limit"]), st.integers(0, 9)),
    )
    def test_is_the_same_as_in_a_cloud_that_has_had_another(
        self, seed: int, region: str, alias: str | None, quotas: dict[Any, int]
    ) -> None:
        """A cloud with a first account equals one that has opened and rolled back another account before."""
        clouds = Cloud(seed=seed), Cloud(seed=seed)
        mark = clouds[1].mark()
        clouds[1].account("bob")
        clouds[1].rollback(mark)
        first, later = (cloud.account("alice", region, alias, quotas) for cloud in clouds)
        assert clouds[0] == clouds[1]
        assert (first.account_id, first.access_key, first.secret_key) == (
            later.account_id,
            later.access_key,
            later.secret_key,
        )

    def test_of_one_cloud_does_not_show_what_is_done_in_another(self) -> None:
        """Clouds with the same first account are independent."""
        first, second = Cloud(), Cloud()
        first.account("alice").create_volume(subregion_name="eu-west-2a", size=1)
        assert second.account("alice").read_volumes() == ()
        assert Cloud().account("alice").read_volumes() == ()

    def test_is_undone_by_a_rollback(self) -> None:
        """A rollback to a mark before the first account removes it."""
        cloud = Cloud()
        mark = cloud.mark()
        cloud.account("alice").create_volume(subregion_name="eu-west-2a", size=1)
        cloud.rollback(mark)
        assert cloud == Cloud()


class TestTypedMethods:
    def test_exist_for_every_served_action(self) -> None:
        """Each action served is a method of Account, under its name in snake_case."""
        bound = {name: value.action for name, value in vars(Account).items() if isinstance(value, Typed)}
        assert bound == {snake_name(name): name for name in ACTIONS}

    def test_name_their_action_on_the_class(self) -> None:
        """A typed method of the class Account names its action."""
        assert Account.create_image.action == "CreateImage"

    def test_show_their_parameters(self, alice: Account) -> None:
        """The signature of a typed method has the parameters of its action, so that `help` shows them."""
        parameters = inspect.signature(alice.delete_volume).parameters
        assert list(parameters) == ["volume_id"]

    def test_take_parameters_by_name_only(self, alice: Account) -> None:
        """A positional parameter is a TypeError."""
        with pytest.raises(TypeError, match=r"delete_volume\(\) takes keyword arguments only"):
            alice.delete_volume("vol-00000000")  # type: ignore[call-arg]

    def test_suggest_the_name_of_a_mistyped_parameter(self, alice: Account) -> None:
        """A mistyped parameter is refused with the name that was probably meant. [REQ-008]"""
        with pytest.raises(ApiError, match="Did you mean volume_id"):
            alice.delete_volume(volumeid="vol-00000000")  # type: ignore[call-arg]

    def test_suggest_where_a_misplaced_parameter_belongs(self, alice: Account) -> None:
        """A filter outside of `filters` is refused with the place that it belongs to. [REQ-008]"""
        with pytest.raises(ApiError, match=r"Did you mean filters\.image_ids\?"):
            alice.read_images(image_ids=["ami-12345678"])  # type: ignore[call-arg]

    @pytest.mark.parametrize("action", [None, 5, b"ReadVms", ["ReadVms"]])
    def test_name_an_action_by_a_str(self, alice: Account, action: Any) -> None:
        """An action of another type is a TypeError that names the argument."""
        for method in (alice.call, alice.why_not, alice.can):
            with pytest.raises(TypeError, match=r"^action must be a str, not "):
                method(action)

    @pytest.mark.parametrize(
        ("name", "says"),
        [
            ("create_vm", "Account has no attribute 'create_vm'; did you mean create_vms?"),
            ("acount_id", "Account has no attribute 'acount_id'; did you mean account_id?"),
            ("calls", "Account has no attribute 'calls'; its cloud has: account.cloud.calls"),
            ("create_nat_service", "CreateNatService is not served by omisim: DHCP options, NAT services"),
            ("xyzzy", "Account has no attribute 'xyzzy'"),
        ],
    )
    def test_that_do_not_exist_raise_attribute_error_with_reason(self, alice: Account, name: str, says: str) -> None:
        """A mistyped action is an AttributeError that suggests a similar one, or says why it is not served."""
        with pytest.raises(AttributeError, match=re.escape(says)):
            getattr(alice, name)
        assert not hasattr(alice, name)

    @pytest.mark.parametrize(
        ("name", "says"),
        [
            ("create_vms", "Cloud has no attribute 'create_vms'; an account has: cloud.account(name).create_vms"),
            ("gateway", "Cloud has no attribute 'gateway'; an account has: cloud.account(name).gateway"),
            ("setle", "Cloud has no attribute 'setle'; did you mean settle?"),
            ("xyzzy", "Cloud has no attribute 'xyzzy'"),
        ],
    )
    def test_are_not_methods_of_the_cloud(self, cloud: Cloud, name: str, says: str) -> None:
        """A method of accounts that is called on the cloud raises an AttributeError that says where it is."""
        with pytest.raises(AttributeError, match=f"^{re.escape(says)}$"):
            getattr(cloud, name)
        assert not hasattr(cloud, name)

    def test_take_filters_as_dataclasses_of_the_model(self, alice: Account, vm: Vm) -> None:
        """Filters can be a dataclass of the model as well as a dict. [REQ-009]"""
        filters = FiltersVm(vm_ids=(vm.vm_id,))
        assert alice.read_vms(filters=filters)[0].vm_id == vm.vm_id

    def test_take_nested_arguments_as_dataclasses_of_the_model(self, alice: Account, vm: Vm) -> None:
        """A nested argument can be a dataclass of the model as well as a dict."""
        mapping = alice.create_image(vm_id=vm.vm_id, image_name="golden").block_device_mappings[0]
        image = alice.create_image(image_name="again", root_device_name="/dev/sda1", block_device_mappings=[mapping])
        assert image.block_device_mappings[0].device_name == mapping.device_name

    def test_answer_omis_of_an_account_that_another_thread_undoes(
        self, cloud: Cloud, alice: Account, monkeypatch: pytest.MonkeyPatch
    ) -> None:
        """A rollback by another thread, after the call and before its method returns, does not make it fail."""
        mark = cloud.mark()
        carol = cloud.account("carol")
        source_id = cloud.images.official("debian").image_id
        image = carol.create_image(image_name="carols", source_image_id=source_id, source_region_name=carol.region)
        carol.update_image(image_id=image.image_id, permissions_to_launch={"additions": {"global_permission": True}})

        def run_and_roll_back(*args: Any) -> Any:
            answer = run_call(*args)
            cloud.rollback(mark)
            return answer

        monkeypatch.setattr("omisim.cloud.account.run_call", run_and_roll_back)
        (shown,) = alice.read_images(filters={"image_ids": [image.image_id]})
        assert (shown.origin, shown.supported_by) == ("shared", f"account {carol.account_id}")
