"""Tags: creating, deleting and reading them."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from operator import attrgetter
from typing import Any

from omisim.actions.framework.call import Call, as_parsed, as_parsed_list
from omisim.actions.framework.registry import action
from omisim.actions.framework.schema import find_id_problem
from omisim.actions.sharing import is_visible
from omisim.base.frozen import replace
from omisim.model import OrDict, ResourceTag, Tag
from omisim.model.filters import FiltersTag, compile_filters, match_all
from omisim.model.filters.dicts import FiltersTagDict
from omisim.model.ids import Id
from omisim.spec.rules import refuse
from omisim.state.table import Lookup

MAX_KEY_LENGTH, MAX_VALUE_LENGTH = 255, 255
# prefix → (kind of the row, resource type in ReadTags)
TAGGED: Mapping[str, tuple[str, str]] = {
    "ami-": ("image", "image"),
    "eipalloc-": ("public_ip", "public-ip"),
    "eni-": ("nic", "network-interface"),
    "i-": ("vm", "instance"),
    "igw-": ("internet_service", "internet-gateway"),
    "image-export-": ("image_export", "task"),
    "key-": ("keypair", "keypair"),
    "rtb-": ("route_table", "route-table"),
    "sg-": ("security_group", "security-group"),
    "snap-export-": ("snapshot_export", "task"),
    "snap-": ("snapshot", "snapshot"),
    "subnet-": ("subnet", "subnet"),
    "vol-": ("volume", "volume"),
    "vpc-": ("net", "vpc"),
}
# prefixes of taggable resources that omisim does not have (TAG-012)
OTHERS = (
    "cgw-", "dopt-", "fgpu-", "nat-", "pcx-", "vgw-", "vol-update-", "vpce-", "vpcx-", "vpn-",
)  # fmt: skip


# field of a tag that a filter compares → index of the tagged rows
_INDEXES: Mapping[str, str] = {"key": "tags.key", "resource_id": "id", "value": "tags.value"}


def _get_type(call: Call, resource_id: str) -> tuple[str, str]:
    """Return the row kind and the ReadTags resource type of an id, or refuse it (TAG-006)."""
    if resource_id.startswith(OTHERS):
        raise refuse("TAG-005/other", resource_id=resource_id)
    prefix = next((prefix for prefix in TAGGED if resource_id.startswith(prefix)), None)
    if prefix is None:
        raise refuse("TAG-006", resource_id=resource_id)
    problem = find_id_problem(Id(TAGGED[prefix][0]), resource_id, call.spell("resource_ids"))
    if problem is not None:
        raise problem
    return TAGGED[prefix]


def _get_taggable(call: Call, resource_id: str, kind: str, resource_type: str) -> Any:
    """Return a resource of the caller, or refuse (TAG-005, TAG-007, TAG-008)."""
    row = call.state.get(kind, resource_id)
    if row is None or row.is_gone or not is_visible(call, row):
        raise refuse(f"TAG-005/{'vm' if kind == 'vm' else resource_type}", resource_id=resource_id)
    if not call.owns(row):
        raise refuse("TAG-007", resource_id=resource_id)
    return row


def _retag(
    call: Call, ids: Sequence[str], change: Callable[[tuple[ResourceTag, ...]], tuple[ResourceTag, ...]]
) -> None:
    """Change the tags of all the resources, or of none (TAG-015)."""
    max_tags = call.switch("most_tags")
    assert isinstance(max_tags, int)
    types = {row_id: _get_type(call, row_id) for row_id in ids}
    rows = [_get_taggable(call, row_id, kind, resource_type) for row_id, (kind, resource_type) in types.items()]
    changed = [replace(row, tags=change(row.tags)) for row in rows]
    for row in changed:
        fits = not max_tags or len(row.tags) <= max_tags
        call.check(fits, "TAG-009", resource_id=row.id, tags=len(row.tags), most=max_tags)
    for row in changed:
        call.put(row)


def _check_lengths(call: Call, tags: Sequence[OrDict[ResourceTag]]) -> Sequence[ResourceTag]:
    """Check the lengths of requested keys and values (TAG-003), and return the tags."""
    parsed_tags = as_parsed_list(tags)
    for tag in parsed_tags:
        call.check(0 < len(tag.key) <= MAX_KEY_LENGTH, "TAG-003", key=tag.key, length=len(tag.key))
        call.check(len(tag.value) <= MAX_VALUE_LENGTH, "TAG-003/value", key=tag.key, length=len(tag.value))
    return parsed_tags


@action("CreateTags")
def create_tags(call: Call, *, resource_ids: Sequence[str], tags: Sequence[OrDict[ResourceTag]]) -> None:
    """Add tags to resources. An existing key gets the new value (TAG-004)."""
    new = {tag.key: tag for tag in _check_lengths(call, tags)}
    _retag(call, resource_ids, lambda old: tuple(({tag.key: tag for tag in old} | new).values()))


@action("DeleteTags")
def delete_tags(call: Call, *, resource_ids: Sequence[str], tags: Sequence[OrDict[ResourceTag]]) -> None:
    """Remove tags from resources. A tag must also match the value, unless the given value is "" (TAG-010)."""
    removed = {(tag.key, tag.value) for tag in _check_lengths(call, tags)}
    _retag(
        call,
        resource_ids,
        lambda old: tuple(tag for tag in old if (tag.key, tag.value) not in removed and (tag.key, "") not in removed),
    )


def delete_all_tags(call: Call, resource_ids: Sequence[str]) -> None:
    """Remove all tags from resources."""
    _retag(call, resource_ids, lambda _: ())


@action("ReadTags", "Tags", paged=True)
def read_tags(call: Call, *, filters: FiltersTag | FiltersTagDict | None = None) -> tuple[Tag, ...]:
    """List the tags of the caller's resources, those of one resource in the order of their keys."""
    vm_type = str(call.switch("vm_tag_type"))
    parsed_filters = as_parsed(filters) or match_all(FiltersTag)
    lookups: list[Lookup] = [[("owner of tags", call.account.account_id)]]
    for path, values in compile_filters(parsed_filters)[1]:
        if path in _INDEXES:
            lookups.append([(_INDEXES[path], value) for value in values])
    types = parsed_filters.resource_types
    first, (first_kind, first_key) = call.page.first, call.page.first_tag
    rows = (
        Tag(
            key=tag.key,
            resource_id=row.id,
            resource_type=vm_type if kind == "vm" else resource_type,
            value=tag.value,
        )
        for place, (kind, resource_type) in enumerate(TAGGED.values())
        if place >= first_kind and (types is None or resource_type in types or kind == "vm")  # which has two types
        for row in call.state.find_narrowest(kind, lookups, first if place == first_kind else 0)
        if call.owns(row) and not row.is_gone
        for tag in sorted(row.tags, key=attrgetter("key"))
        if tag.key >= first_key or call.state.order(kind, row.id) != first
    )
    return call.select(rows, parsed_filters)
