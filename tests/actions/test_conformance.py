"""omisim against the official description of the API that osc-sdk-python ships: nothing missing, nothing more."""

from __future__ import annotations

import inspect
from dataclasses import fields
from typing import Any

import pytest
from support.networks import add_networks
from support.official import find_mismatches, get_schema, index_by_api_name, load_description, resolve_reference

from omisim import Account, Cloud
from omisim.actions.framework.registry import ACTIONS, Action, not_served
from omisim.actions.framework.schema import Field, Shape
from omisim.doors.identity import BASIC_ACTIONS
from omisim.doors.oapi import door, render
from omisim.engine.dispatch import Answer
from omisim.model.serialize import api_name
from omisim.tools.demo import play


def describe_official(part: dict[str, Any]) -> str:
    """Spell a type of the description."""
    part = resolve_reference(part)
    if "oneOf" in part or part.get("format") in ("date-time", "date"):
        return "datetime"
    if part["type"] == "array":
        return f"[{describe_official(part['items'])}]"
    return {"string": "str", "integer": "int", "boolean": "bool", "number": "float", "object": "object"}[part["type"]]


def describe_field(field: Field, part: dict[str, Any]) -> str:
    """Spell the type of a parameter as omisim reads it."""
    base = "object" if field.shape else field.type.__name__
    return f"[{base}]" if resolve_reference(part).get("type") == "array" else base


def compare(shape: Shape, properties: dict[str, Any], path: str) -> list[str]:
    """Return every difference between a shape of ours and an official object."""
    fields = index_by_api_name(shape)
    differences = [f"{path}{name}: not official" for name in fields.keys() - properties.keys()]
    differences += [f"{path}{name}: missing" for name in properties.keys() - fields.keys()]
    for name in fields.keys() & properties.keys():
        field, part = fields[name], properties[name]
        if describe_field(field, part) != describe_official(part):
            differences.append(f"{path}{name}: {describe_field(field, part)}, officially {describe_official(part)}")
        elif field.shape:
            part = resolve_reference(part)
            inner = resolve_reference(part["items"]) if part["type"] == "array" else part
            differences += compare(field.shape, inner["properties"], f"{path}{name}.")
    return differences


def list_answer_keys(action: Action) -> set[str]:
    """Return the keys of an action's answer."""
    if isinstance(action.answer, type):
        return {api_name(field.name) for field in fields(action.answer)}
    return {action.answer} if action.answer else set()


# a malformed date has a code of its own there, not that of a wrong type (AK-004)
_EXPIRY = ["ExpirationDate: str, officially datetime"]
TAKEN_AS_TEXT = {"CreateAccessKey": _EXPIRY, "UpdateAccessKey": _EXPIRY}


class TestActionSchemas:
    def test_exist_for_every_official_action_or_a_reason(self) -> None:
        """Each official action is served or refused with a reason; no other is known."""
        names = {path.strip("/") for path in load_description()["paths"]}
        assert set(ACTIONS) | set(not_served()) == names
        assert not set(ACTIONS) & set(not_served())

    @pytest.mark.parametrize("action", ACTIONS.values(), ids=lambda action: action.name)
    def test_have_the_official_parameters(self, action: Action) -> None:
        """A signature has exactly the official parameters and types, at any depth."""
        differences = compare(action.shape, get_schema(f"{action.name}Request")["properties"], "")
        assert differences == TAKEN_AS_TEXT.get(action.name, [])

    @pytest.mark.parametrize("action", ACTIONS.values(), ids=lambda action: action.name)
    def test_have_the_official_required_parameters(self, action: Action) -> None:
        """A parameter without a default is a required one, and vice versa."""
        required = {name for name, field in index_by_api_name(action.shape).items() if field.required}
        assert required == set(get_schema(f"{action.name}Request").get("required", []))

    @pytest.mark.parametrize("action", ACTIONS.values(), ids=lambda action: action.name)
    def test_have_the_official_key_of_the_answer(self, action: Action) -> None:
        """The key of an answer, and its pages, are the official ones."""
        keys = set(get_schema(f"{action.name}Response")["properties"]) - {"ResponseContext"}
        mine = list_answer_keys(action)
        assert keys == mine | ({"NextPageToken"} if action.paged else set())

    @pytest.mark.parametrize("action", ACTIONS.values(), ids=lambda action: action.name)
    def test_are_open_where_the_description_has_no_security(self, action: Action) -> None:
        """An action without security is open to everyone. [AUTH-011]"""
        assert action.open == (load_description()["paths"][f"/{action.name}"]["post"].get("security") == [])

    def test_take_a_password_where_the_description_has_basic_auth(self) -> None:
        """An action with BasicAuth takes a login and password, whether it is served or not. [AUTH-012]"""
        ways = {path.strip("/"): part["post"].get("security", []) for path, part in load_description()["paths"].items()}
        assert {name for name, security in ways.items() if any("BasicAuth" in way for way in security)} == BASIC_ACTIONS

    def test_are_documented_and_annotated(self) -> None:
        """Every action has a docstring, and an annotation for each parameter."""
        for action in ACTIONS.values():
            assert action.function.__doc__
            assert all(p.annotation is not p.empty for p in inspect.signature(action.function).parameters.values()), (
                action.name
            )


class TestOfficialAnswerSchemas:
    def test_hold_for_every_answer_of_the_demo(self, monkeypatch: pytest.MonkeyPatch) -> None:
        """Every answer of the demo validates against its official schema."""
        answers: list[tuple[str, dict[str, Any]]] = []
        render_bytes = render.render_bytes

        def note_answer(answer: Answer) -> bytes:
            answers.append((answer.action.name, render.render_body(answer)))
            return render_bytes(answer)

        monkeypatch.setattr(door, "render_bytes", note_answer)
        play()
        assert len(answers) > 20
        assert [f for name, body in answers for f in find_mismatches(body, get_schema(f"{name}Response"), name)] == []

    def test_hold_for_every_read_of_a_full_cloud(self, cloud: Cloud, alice: Account, golden: object) -> None:
        """Every read of a cloud with one resource of each kind validates against its official schema."""
        alice.create_keypair(keypair_name="k")
        vm = alice.read_vms()[0]
        alice.create_tags(resource_ids=[vm.vm_id], tags=[{"key": "a", "value": "b"}])
        alice.update_volume(volume_id=vm.block_device_mappings[0].bsu.volume_id, size=30)
        target = {"DiskImageFormat": "raw", "OsuBucket": "exports"}
        alice.call("CreateImageExportTask", ImageId=alice.read_images()[-1].image_id, OsuExport=target)
        alice.call("CreateSnapshotExportTask", SnapshotId=alice.read_snapshots()[-1].snapshot_id, OsuExport=target)
        alice.stop_vms(vm_ids=[vm.vm_id])
        alice.start_vms(vm_ids=[vm.vm_id])
        add_networks(alice, vm.image_id, {})
        needed = {name: {"VmId": vm.vm_id} for name in ("ReadConsoleOutput", "ReadAdminPassword")}
        price = alice.read_catalog().entries[0]
        needed["ReadUnitPrice"] = {"Operation": price.operation, "Service": price.service, "Type": price.type}
        for name in (name for name in ACTIONS if name.startswith("Read")):
            body = alice.call(name, **needed.get(name, {}))
            assert find_mismatches(body, get_schema(f"{name}Response"), name) == []
            assert any(body[key] for key in list_answer_keys(ACTIONS[name])), name
