"""An EC2 filter that is passed on to omisim's read finds what it finds if FCU alone selects."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from random import Random
from typing import Any
from xml.etree import ElementTree as ET

import pytest
from support.fcu_requests import ask, texts_of
from support.growth import make_neighbours

from omisim import Account
from omisim.doors.fcu.selection import Selection
from omisim.doors.fcu.table import load_rows

ROWS = {name: row for name, row in load_rows().items() if row.filters}
MORE: Mapping[str, Mapping[str, str]] = {"DescribeInstanceStatus": {"IncludeAllInstances": "true"}}
TAG_FILTERS = ("tag:site", "tag-key", "tag-value")
ROUNDS = 2  # for each filter
VARYING = {"marker", "nexttoken", "requestid"}  # parts that differ in each answer
Filters = Sequence[tuple[str, Sequence[str]]]


@pytest.fixture(name="alice", scope="module")
def _alice() -> Account:
    """An account with resources of every kind, beside another one that shares some."""
    alice, bob, ids = make_neighbours()
    alice.create_tags(resource_ids=[ids["linked"], ids["net"], ids["image"]], tags=[{"key": "site", "value": "true"}])
    additions = {"account_ids": [alice.account_id]}
    for image in bob.read_images(filters={"account_ids": [bob.account_id]}):
        bob.update_image(image_id=image.image_id, permissions_to_launch={"additions": additions})
    return alice


def read_pages(alice: Account, name: str, filters: Filters, size: int | None = None, **more: str) -> list[str]:
    """Return the pages of a list as XML, without the parts that differ in each answer."""
    parameters = {"Action": name, **MORE.get(name, {}), **more}
    for number, (filter_name, values) in enumerate(filters, 1):
        parameters[f"Filter.{number}.Name"] = filter_name
        parameters |= {f"Filter.{number}.Value.{place}": value for place, value in enumerate(values, 1)}
    if size is not None:
        parameters["MaxResults"] = str(size)
    token_name, pages = ROWS[name].pages, []
    while True:
        response = ask(alice, parameters)
        root = ET.fromstring(response.body)
        for part in [part for part in root if part.tag.rpartition("}")[2].lower() in VARYING]:
            root.remove(part)
        pages.append(ET.tostring(root, encoding="unicode"))
        tokens = texts_of(response, token_name[0].lower() + token_name[1:]) if response.status == 200 else []
        if not tokens or not tokens[0]:
            return pages
        parameters[token_name] = tokens[0]


def list_texts(alice: Account, name: str, filter_name: str) -> list[str]:
    """Return the texts that a filter compares in a list."""
    texts = set()

    def record(self: Any, row: Any, get_texts: Callable[[Any, Any], list[str]], _: Sequence[str]) -> bool:
        texts.update(get_texts(row, self._view(row)))
        return True

    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(Selection, "_matches", record)
        read_pages(alice, name, [(filter_name, ["*"])])
    return sorted(texts)


def draw_values(random: Random, texts: Sequence[str]) -> list[str]:
    """Return values of a filter: most are among the texts that it compares."""
    some = random.sample(texts, (len(texts) + 1) // 2)
    one = random.choice(texts or ["none"])
    other = random.choice(("", "*", "none", "TRUE", "é=😀", one.swapcase(), f"{one[:-1]}?"))
    return random.choice(([], [one], some, some, [other], [*some, other]))


@pytest.mark.parametrize("name", ROWS)
def test_filters_find_what_they_find_if_none_is_passed_on(alice: Account, name: str) -> None:
    """The answers are the same, for several filters and values, in one page or several; no read changes the cloud."""
    random, before = Random(name), alice.cloud.fork()
    texts = {filter_name: list_texts(alice, name, filter_name) for filter_name in (*ROWS[name].filters, *TAG_FILTERS)}
    for filter_name in [*texts] * ROUNDS:
        names = [filter_name, *random.sample([*texts], random.choice((0, 0, 1, 2)))]
        filters, size = [(each, draw_values(random, texts[each])) for each in names], random.choice((None, 2))
        pages = read_pages(alice, name, filters, size)
        with pytest.MonkeyPatch.context() as patch:
            patch.setattr(Selection, "find_own_filters", lambda *_: {})
            assert pages == read_pages(alice, name, filters, size, DryRun="false"), filters  # no cached request
    assert alice.cloud == before


@pytest.mark.parametrize(
    ("filters", "passed_on"),
    [
        ([("status", ["available", "in-use"])], {"VolumeStates": ["available", "in-use"]}),
        ([("status", [])], {"VolumeStates": []}),
        ([("status", ["availabl?"])], {}),
        ([("attachment.instance-id", ["x"])], {"LinkVolumeVmIds": ["x"]}),
        ([("volume-id", ["vol-12345678", "x"])], {}),
        ([("snapshot-id", ["snap-12345678"])], {"SnapshotIds": ["snap-12345678"]}),
        ([("snapshot-id", ["snap-12345678", ""])], {}),
        ([("size", ["1"])], {}),
        ([("encrypted", ["false"])], {}),
        ([("tag:a", ["b", "c"]), ("tag:d", ["e"])], {"Tags": ["a=b", "a=c"]}),
        ([("tag-value", ["b", "True"])], {}),
        ([("tag-key", ["a"]), ("status", ["*"]), ("volume-type", ["gp2"])], {"TagKeys": ["a"], "VolumeTypes": ["gp2"]}),
    ],
)  # fmt: skip
def test_filters_by_exact_texts_are_passed_on(alice: Account, filters: Filters, passed_on: dict[str, Any]) -> None:
    """OAPI gets the filters that it has, but none with wildcards, malformed ids, booleans and empty texts."""
    read_pages(alice, "DescribeVolumes", filters)
    assert alice.cloud.calls()[-1].parameters == ({"Filters": passed_on} if passed_on else {})
