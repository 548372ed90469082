"""The table of FCU's actions against botocore's description of EC2 and omisim's own actions, and its renderer."""

from __future__ import annotations

import datetime as dt
from collections.abc import Iterator, Mapping
from functools import cache
from string import Formatter
from typing import Any
from xml.etree import ElementTree as ET

import pytest
from hypothesis import given
from hypothesis import strategies as st
from moto.core.model import ServiceModel
from moto.core.serialize import EC2Serializer, SerializationContext
from support.api_names import find_oapi_only

from omisim import Cloud
from omisim.actions.framework.registry import ACTIONS, empty_lists, not_served
from omisim.actions.framework.schema import Shape
from omisim.base.data_files import load_toml
from omisim.doors.fcu import forms
from omisim.doors.fcu.actions import SERVED, FcuAction, find_action
from omisim.doors.fcu.query import query_name
from omisim.doors.fcu.render import make_namespace, make_renderer, render_answer
from omisim.doors.fcu.shapes import LOADER, find_operation, is_outscale_operation
from omisim.doors.fcu.table import FAMILIES, Row, load_rows, load_section
from omisim.model.serialize import snake_name
from omisim.spec.cell_rules import list_cell_rules
from omisim.spec.errors import ERRORS
from omisim.spec.rules import load_rules

# parameters and actions in the texts of rules that FCU does not have
NOT_IN_FCU = {
    "BootMode", "BootModes", "CustomerId", "ExpirationDate", "Flow", "Force", "FromDate", "GuestAction",
    "HostAction",
    "NestedVirtualization", "ReadAccessKeys", "ReadCatalog", "State", "Tag", "ToDate", "TpmEnabled", "TpmMandatory",
    "UpdateVolume", "UserName",
}  # fmt: skip
ROWS = [pytest.param(row, id=name) for name, row in load_rows().items()]


def find_member(shape: Any, path: str) -> Any:
    """Return the shape at a path of member names; lists on the way stand for their items."""
    for name in path.split("."):
        while shape.type_name == "list":
            shape = shape.member
        shape = shape.members[name]
    return shape


def find_item(row: Row, shape: Any) -> Any:
    """Return the shape of the items of a list or an answer, which may be grouped."""
    inner = {"quotas": "quotaSet", "reservations": "Instances"}.get(row.group)
    return find_member(shape, inner) if inner else shape


def check_view(shape: Any, view: str | Mapping[str, Any], outer_views: tuple[str, ...] = ()) -> None:
    """Assert that each member of a view is one of the shape, and so in its parts."""
    while shape.type_name == "list":
        shape = shape.member
    spec = load_section("views")[view] if isinstance(view, str) else view
    for path, source in spec.items():
        member = find_member(shape, path)
        if isinstance(source, list) and source[1] not in outer_views:
            check_view(member, source[1], (*outer_views, source[1]))
        elif isinstance(source, dict) and "form" in source:
            assert source["form"] in forms.ANSWER_FORMS


def list_targets(spec: Mapping[str, Any], shape: Any, fields: Shape) -> Iterator[tuple[str, str]]:
    """Yield parameters whose EC2 name or whose target does not exist, or whose types differ."""
    for path, entry in spec.items():
        names, member = path.split("."), shape
        for name in names:
            members = {query_name(inner, key): inner for key, inner in member.members.items()}
            if name not in members:
                yield path, "no parameter of EC2"
                return
            member = members[name]
        to = entry if isinstance(entry, str) else entry["to"]
        *parents, last = to.split(".")
        inner = fields
        for parent in parents:
            nested = inner.fields[parent].shape
            assert nested is not None
            inner = nested
        if to and last not in inner.fields:
            yield path, f"{to} is not a parameter"
        elif to and isinstance(entry, dict) and "each" in entry:
            nested = inner.fields[last].shape
            structure = load_section("inputs")[entry["each"]]
            if "." in structure.values():  # a structure of one text, which omisim takes without the structure
                assert (nested, inner.fields[last].type, [*structure.values()]) == (None, str, ["."])
                assert set(structure) <= set(member.member.members)
                continue
            assert nested is not None
            yield from list_targets(structure, member.member, nested)
        elif to and not (isinstance(entry, dict) and "form" in entry):
            kind = {str: "string", int: "integer", bool: "boolean"}[inner.fields[last].type]
            element = member.member if member.type_name == "list" else member
            type_name = {"blob": "string", "long": "integer"}.get(element.type_name, element.type_name)
            if type_name != kind or inner.fields[last].many != (member.type_name == "list"):
                yield path, f"{member.type_name} is not {inner.fields[last].type}"


class TestRow:
    @pytest.mark.parametrize("row", ROWS)
    def test_translates_between_parameters_that_exist(self, row: Row) -> None:
        """Each parameter is one of EC2's and goes to one of omisim's, of the same type."""
        operation = find_operation(row.like or row.name)
        assert operation is not None
        if row.calls not in SERVED:
            assert row.calls in empty_lists()
            return
        assert list(list_targets(row.parameters, operation.input_shape, SERVED[row.calls].shape)) == []
        ec2_names = {query_name(member, key) for key, member in operation.input_shape.members.items()}
        assert {*row.ids, *row.scopes, *row.ignored} - {"PresignedUrl"} <= ec2_names
        assert set(row.defaults) <= set(SERVED[row.calls].shape.fields)

    @pytest.mark.parametrize("row", ROWS)
    def test_answers_members_that_exist(self, row: Row) -> None:
        """Each member of an answer and each path of a filter is in the output shape of EC2."""
        operation = find_operation(row.name)
        assert operation is not None
        output = operation.output_shape
        for answers in (row.answers, *(row.attributes or {}).values()):
            if answers is not None:
                check_view(find_item(row, output), answers)
        for member, view in row.lists.items():
            shape = output.members[member]
            check_view(find_item(row, shape), view)
            item = load_section("views")[view]
            for path in row.filters.values():
                if path and not path.startswith((":", "=", "@")):
                    find_member(find_item(row, shape), path)
                    assert any(name == path or path.startswith(f"{name}.") or name.startswith(path) for name in item)

    @pytest.mark.parametrize("row", ROWS)
    def test_names_functions_and_rules_that_exist(self, row: Row) -> None:
        """Functions of forms.py, and rules that are forgiven."""
        FcuAction(row)
        assert set(row.scopes.values()) <= set(forms.SCOPES)
        assert {path[1:] for path in row.filters.values() if path.startswith("@")} <= set(forms.FILTER_VALUES)
        assert {row.group} - {""} <= set(forms.GROUPS)
        assert set(row.forgives) <= set(load_rules())

    @pytest.mark.parametrize("row", ROWS)
    def test_names_what_rules_name_as_ec2_does(self, row: Row) -> None:
        """Each name in the texts of rules is FCU's in a refusal of this action, or said to be OAPI's."""
        spell = find_action(row.name).dialect.spell
        texts = [text for rule in (*load_rules().values(), *list_cell_rules()) for text in (rule.details, rule.fix)]
        names = {name for text in texts for _, name, _, _ in Formatter().parse(text) if name and not name.islower()}
        spelled = {name: spell(snake_name(name)) for name in names}
        assert find_oapi_only(spelled.values()) == set()
        assert {name for name, text in spelled.items() if text.startswith("OAPI's ")} == NOT_IN_FCU

    @pytest.mark.parametrize("row", ROWS)
    def test_has_every_filter_that_ec2_documents_for_what_it_shows(self, row: Row) -> None:
        """What a list shows can be filtered: each scalar member of an item is the path of a filter, or is excused."""
        if not row.filters or row.calls == "ReadVmsState":
            return
        (view,) = row.lists.values()
        field_names = {name for name, source in load_section("views")[view].items() if not isinstance(source, list)}
        filtered = {path if path in field_names else path.partition(".")[0] for path in row.filters.values()}
        excused = (
            {"description", "maxQuotaValue", "ownerId", "usedQuotaValue"} if row.name == "DescribeQuotas" else set()
        )
        excused |= {
            "Iops",
            "EbsOptimized",
            "Encrypted",
            "StateReason",
            "KeyType",
            "ProductCodes",
            "StateReason.Code",
            "Cidrs",
        }
        assert field_names - filtered <= excused


def test_every_section_is_read() -> None:
    """A file has no table of another kind, and no name stands in two files."""
    for section in ("actions", "views", "inputs"):
        names = [
            name for family in FAMILIES for name in load_toml("omisim.doors.fcu", f"{family}.toml").get(section, {})
        ]
        assert len(names) == len(set(names))
    for family in FAMILIES:
        assert set(load_toml("omisim.doors.fcu", f"{family}.toml")) <= {"actions", "views", "inputs"}


def test_names_of_actions_are_not_taken_for_typing_errors() -> None:
    """A fault for an EC2 action names the action that does it, or says whose names actions have."""
    rows = {name: row for name, row in load_rows().items() if name not in {*ACTIONS, *not_served()}}
    for name, row in rows.items():
        with pytest.raises(ValueError, match=f"did you mean {row.calls}|names of the OUTSCALE API here: CreateVms"):
            Cloud().faults.add(name)


def test_every_error_has_a_code_of_ec2() -> None:
    """No refusal falls back to OWS.Error, but the default error."""
    assert [name for name, kind in ERRORS.items() if kind.fcu is None] == []


# --- the renderer


@cache
def values_of(shape: Any, depth: int = 0) -> st.SearchStrategy[Any]:
    """Return a strategy of values of a shape, in the form of boto3."""
    kind = shape.type_name
    if kind == "list":
        return st.lists(values_of(shape.member, depth + 1), max_size=2)
    if kind == "structure":
        members = {name: values_of(member, depth + 1) for name, member in shape.members.items()}
        chosen = st.lists(st.sampled_from(sorted(members)), min_size=1, max_size=4, unique=True)
        return chosen.flatmap(lambda names: st.fixed_dictionaries({name: members[name] for name in names}))
    return SCALARS[kind]


SCALARS: Mapping[str, st.SearchStrategy[Any]] = {
    "boolean": st.booleans(),
    "double": st.floats(allow_nan=False, allow_infinity=False),
    "float": st.floats(allow_nan=False, allow_infinity=False),
    "integer": st.integers(-(2**31), 2**31),
    "long": st.integers(-(2**63), 2**63),
    "string": st.text(st.characters(codec="utf-8", categories=("L", "N", "P", "S", "Zs")), min_size=1, max_size=8),
    "timestamp": st.integers(0, 2**32).map(lambda seconds: dt.datetime.fromtimestamp(seconds, dt.UTC)),
}


@cache
def motos_service() -> ServiceModel:
    """Return botocore's description of EC2 in moto's classes."""
    return ServiceModel(LOADER.load_service_model("ec2", "service-2"), "ec2")


OPERATIONS = [
    name
    for name in load_rows()
    if not is_outscale_operation(name) and motos_service().operation_model(name).output_shape
]


def canonical(text: str) -> Any:
    """Return XML as nested tuples, the members of an element in order of their names.

    EC2 ends its namespace with a slash, moto does not.
    """

    def read(element: ET.Element) -> Any:
        inner = [read(child) for child in element]
        text = element.text or ""
        return element.tag.replace("/}", "}"), text, sorted(inner, key=lambda child: child[0])

    return read(ET.fromstring(text))


@given(data=st.data(), name=st.sampled_from(OPERATIONS))
def test_renderer_writes_what_motos_serializer_writes(data: st.DataObject, name: str) -> None:
    """On random values of every output shape of the table, ours and moto's XML are equal."""
    operation = find_operation(name)
    assert operation is not None
    shape = operation.output_shape
    value = data.draw(values_of(shape))
    value.pop("return", None)  # EC2's description, which moto uses, does not have it (FCU-051)
    ours = render_answer(name, make_namespace("2016-11-15"), make_renderer(shape)(value), "the-id")
    context = SerializationContext("the-id")
    model = motos_service().operation_model(name)
    theirs = EC2Serializer(operation_model=model, context=context).serialize(value)["body"]
    assert canonical(ours) == canonical(theirs)
