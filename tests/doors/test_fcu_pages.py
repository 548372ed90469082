"""The pages of an EC2 client are its unpaged list cut into pieces, although a read stops when its page is full."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from random import Random
from typing import Any
from xml.etree import ElementTree as ET

import pytest
from support.fcu_requests import ask, texts_of
from support.growth import make_neighbours

from omisim import Account, Cloud
from omisim.actions.framework.request import EVERYTHING
from omisim.doors.fcu.actions import FcuAction
from omisim.doors.fcu.selection import Selection
from omisim.doors.fcu.shapes import find_operation
from omisim.doors.fcu.table import Row, load_rows


def is_paged(row: Row) -> bool:
    """Whether EC2 has pages of a list."""
    operation = find_operation(row.name)
    return operation is not None and row.pages in operation.input_shape.members


ROWS = {name: row for name, row in load_rows().items() if row.lists and is_paged(row)}
# the elements with the rows of a list, where these are in groups
GROUPED = {"DescribeInstances": "instancesSet", "DescribeQuotas": "quotaSet"}
SCOPES = {"ExecutableBy.1": "all", "Owner.1": "self", "RestorableBy.1": "self", "IncludeAllInstances": "true"}
ROUNDS = 6
MOST_PAGES = 5  # of a list that grows as it is read
SIZES = (3, 2, 20)
ZONE = "eu-west-2a"
Parameters = Mapping[str, str]


@pytest.fixture(name="alice", scope="module")
def _alice() -> Account:
    """An account with resources of every kind, beside another one."""
    alice, _, _ = make_neighbours()
    for security_group in alice.read_security_groups():
        alice.create_security_group_rule(
            security_group_id=security_group.security_group_id, flow="Inbound", rules=[{
                "ip_protocol": "icmp", "from_port_range": -1, "to_port_range": -1,
                "security_groups_members": [{"security_group_id": security_group.security_group_id}],
            }],
        )  # fmt: skip
    return alice


def list_texts(alice: Account, name: str) -> Mapping[str, Sequence[str]]:
    """Return the texts that each filter of a list compares in it."""
    texts: dict[str, set[str]] = {filter_name: set() for filter_name in ROWS[name].filters}

    def record(self: Selection, row: Any, get_texts: Callable[[Any, Any], list[str]], names: Sequence[str]) -> bool:
        texts[names[0]].update(get_texts(row, self._view(row)))
        return True

    filters: dict[str, str] = {}
    for number, filter_name in enumerate(texts, 1):
        filters |= {f"Filter.{number}.Name": filter_name, f"Filter.{number}.Value.1": filter_name}
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(Selection, "find_own_filters", lambda *_: {})
        patch.setattr(Selection, "_matches", record)
        read(alice, {"Action": name, "IncludeAllInstances": "true", **filters})
    return {filter_name: sorted(found) for filter_name, found in texts.items() if found}


def draw_request(random: Random, name: str, texts: Mapping[str, Sequence[str]]) -> Parameters:
    """Return a request for a list: some have a filter on two of the texts that it compares, and some a scope."""
    parameters = {"Action": name}
    if texts and random.random() < 0.8:
        filter_name = random.choice([*texts])
        parameters["Filter.1.Name"] = filter_name
        for place in (1, 2):
            text = random.choice(texts[filter_name])
            parameters[f"Filter.1.Value.{place}"] = random.choice((text, text, f"{text[:2]}*"))
    scopes = [parameter for parameter in SCOPES if parameter.partition(".")[0] in ROWS[name].scopes]
    return parameters | {parameter: SCOPES[parameter] for parameter in scopes if random.random() < 0.5}


def read(alice: Account, parameters: Parameters) -> tuple[Sequence[str], str | None]:
    """Return the rows of a list as XML, and the token of the next page."""
    name = parameters["Action"]
    token_name = ROWS[name].pages
    response = ask(alice, parameters)
    assert response.status == 200, response.body
    root = ET.fromstring(response.body)
    lists = [part for part in root if len(part)]
    if name in GROUPED:
        lists = [part for part in root.iter() if part.tag.endswith(f"}}{GROUPED[name]}")]
    tokens = texts_of(response, token_name[0].lower() + token_name[1:])
    return [ET.tostring(item, encoding="unicode") for part in lists for item in part], tokens[0] if tokens else None


def continue_at(parameters: Parameters, token: str | None) -> Parameters:
    """Return the request for the page of a token."""
    return parameters if token is None else {**parameters, ROWS[parameters["Action"]].pages: token}


@pytest.mark.parametrize("name", ROWS)
def test_pages_are_the_unpaged_list_in_pieces(alice: Account, name: str) -> None:
    """Pages have the rows of the list in its order, all but the last one as many as requested. [PAG-004]"""
    random, texts, most = Random(name), list_texts(alice, name), 0
    for number in range(ROUNDS):
        size, parameters = SIZES[number % 3], draw_request(random, name, texts) if number else {"Action": name}
        whole, no_token = read(alice, parameters)
        pages: list[Sequence[str]] = []
        token = None
        while token is not None or not pages:
            page, token = read(alice, continue_at({**parameters, "MaxResults": str(size)}, token))
            pages.append(page)
        assert no_token is None
        assert pages == [whole[start : start + size] for start in range(0, len(whole) or 1, size)], parameters
        most = max(most, len(pages))
    assert most > 1 or "Nothing" in ROWS[name].lists.values() or name in ("DescribePrefixLists", "DescribeProductTypes")


def delete_volume(alice: Account, random: Random) -> None:
    """Delete a volume, if one is free."""
    free = alice.read_volumes(filters={"volume_states": ["available"]})
    if free:
        alice.delete_volume(volume_id=random.choice(free).volume_id)


def delete_snapshot(alice: Account, random: Random) -> None:
    """Delete a snapshot that no OMI uses."""
    volume_id = alice.create_volume(subregion_name=ZONE, size=1).volume_id
    snapshots = [alice.create_snapshot(volume_id=volume_id).snapshot_id for _ in range(2)]
    alice.delete_snapshot(snapshot_id=random.choice(snapshots))


def tag(alice: Account, random: Random) -> None:
    """Tag a volume with one of some keys."""
    volume_id = random.choice(alice.read_volumes()).volume_id
    alice.create_tags(resource_ids=[volume_id], tags=[{"key": random.choice("amz"), "value": "a"}])


def stop_or_start(alice: Account, random: Random) -> None:
    """Stop a running VM, or start a stopped one."""
    vm = random.choice(alice.read_vms(filters={"vm_state_names": ["running", "stopped"]}))
    (alice.stop_vms if vm.state == "running" else alice.start_vms)(vm_ids=[vm.vm_id])


WRITES: Sequence[Callable[[Account, Random], Any]] = (
    delete_volume,
    delete_snapshot,
    tag,
    stop_or_start,
    lambda alice, _: alice.create_net(ip_range="10.9.0.0/16"),
    lambda alice, random: alice.create_security_group(description="x", security_group_name=f"a{random.random()}"),
)


@pytest.mark.parametrize("name", ROWS)
def test_a_page_after_a_write_is_that_of_the_whole_list(alice: Account, name: str) -> None:
    """A read that stops when its page is full shows the page that it would show of the whole list. [PAG-008]"""
    random, texts = Random(name), list_texts(alice, name)
    for number in range(ROUNDS):
        parameters = {**draw_request(random, name, texts), "MaxResults": str(SIZES[number % 3])}
        token, pages = None, 0
        while (token is not None and pages < MOST_PAGES) or not pages:
            request, pages = continue_at(parameters, token), pages + 1
            page, token = read(alice, request)
            with pytest.MonkeyPatch.context() as patch:
                patch.setattr(FcuAction, "_find_page", lambda *_: EVERYTHING)
                whole_page, whole_token = read(alice, {**request, "DryRun": "false"})  # no cached request
            assert (page, token is None) == (whole_page, whole_token is None), request
            if pages % 3 == 1:
                random.choice(WRITES)(alice, random)


def test_a_filter_of_a_page_compares_what_the_answer_shows() -> None:
    """The rules of a group in a Net show no names of groups, so that a page by such a name is empty. [SG-013]"""
    alice = Cloud().account("alice")
    net_id = alice.create_net(ip_range="10.0.0.0/16").net_id
    group = alice.create_security_group(net_id=net_id, description="x", security_group_name="web")
    rule = {
        "ip_protocol": "icmp", "from_port_range": -1, "to_port_range": -1,
        "security_groups_members": [{"security_group_id": group.security_group_id}],
    }  # fmt: skip
    alice.create_security_group_rule(security_group_id=group.security_group_id, flow="Inbound", rules=[rule])
    by_name = {"Filter.1.Name": "ip-permission.group-name", "Filter.1.Value.1": "web*", "MaxResults": "5"}
    assert read(alice, {"Action": "DescribeSecurityGroups", **by_name}) == ([], None)
