"""The actions of FCU that OAPI does not have, or that OAPI does not have in this form.

The others are rows of the tables in `doors/fcu`.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from typing import Annotated, Any

from omisim.actions.framework.call import Call, as_parsed_list
from omisim.actions.framework.registry import ACTIONS, Action
from omisim.actions.nics import check_one_change, create_nic_with_addresses, read_count, update_nic
from omisim.actions.public_ips import check_id_or_ip, delete_public_ip
from omisim.actions.tags import delete_all_tags
from omisim.actions.tags import delete_tags as delete_named_tags
from omisim.base.frozen import replace
from omisim.model import (
    LinkNicToUpdate,
    MayBeEmpty,
    Net,
    Nic,
    NicId,
    OrDict,
    PrivateIpLight,
    ResourceTag,
    SecurityGroupId,
    SubnetId,
    TextOrEmpty,
)
from omisim.spec.rules import refuse

__all__ = ["FCU_ONLY", "is_fcu_only"]


def create_nic(
    call: Call,
    *,
    description: TextOrEmpty | None = None,
    private_ips: Sequence[OrDict[PrivateIpLight]] | None = None,
    secondary_private_ip_count: int | None = None,
    security_group_ids: Sequence[SecurityGroupId] | None = None,
    subnet_id: SubnetId,
) -> Nic:
    """Create a NIC in a Subnet, with a number of secondary addresses to choose (FCU-061)."""
    ips = as_parsed_list(private_ips)
    more = read_count(call, ips, secondary_private_ip_count)
    return create_nic_with_addresses(call, subnet_id, ips, more, security_group_ids, description)


def delete_tags(call: Call, *, resource_ids: Sequence[str], tags: Sequence[OrDict[ResourceTag]] | None = None) -> None:
    """Remove tags from resources: those that the request names, or all if it names none (FCU-054)."""
    if tags is None:
        delete_all_tags(call, resource_ids)
    else:
        delete_named_tags(call, resource_ids=resource_ids, tags=tags)


def modify_vpc_attribute(
    call: Call, *, dns_hostnames: bool | None = None, dns_support: bool | None = None, net_id: str
) -> None:
    """Set whether instances of a VPC have DNS names. DNS support is always on (FCU-047 to FCU-049)."""
    if dns_hostnames is None and dns_support is None:
        raise refuse("FCU-047")
    net = call.get_owned(Net, net_id, "NET-002")
    call.check(dns_support is not False, "FCU-048")
    if dns_hostnames is not None:
        call.put(replace(net, has_dns_hostnames=dns_hostnames))


def modify_network_interface_attribute(
    call: Call,
    *,
    description: TextOrEmpty | None = None,
    is_source_dest_checked: bool | None = None,
    link_nic: OrDict[LinkNicToUpdate] | None = None,
    nic_id: NicId,
    security_group_ids: Annotated[Sequence[SecurityGroupId] | None, MayBeEmpty()] = None,
) -> None:
    """Change one attribute of a NIC: the source/destination check (FCU-050), or one that UpdateNic changes."""
    if is_source_dest_checked is None:
        groups = security_group_ids
        update_nic(call, description=description, link_nic=link_nic, nic_id=nic_id, security_group_ids=groups)
        return
    nic = call.get_owned(Nic, nic_id, "NIC-001")
    call.put(replace(nic, is_source_dest_checked=is_source_dest_checked))


def _make_action(name: str, function: Callable[..., Any], combinations: Callable[..., None] | None = None) -> Action:
    return Action(name, None, function, paged=False, dry_run=True, open=False, combinations=combinations)


FCU_ONLY: Mapping[str, Action] = {
    action.name: action
    for action in (
        _make_action("CreateNic", create_nic),
        _make_action("DeletePublicIp", delete_public_ip, check_id_or_ip),
        _make_action("DeleteTags", delete_tags),
        _make_action("ModifyNetworkInterfaceAttribute", modify_network_interface_attribute, check_one_change),
        _make_action("ModifyVpcAttribute", modify_vpc_attribute),
    )
}


def is_fcu_only(action: str, arguments: Mapping[str, Any]) -> bool:
    """Whether OAPI has no such action, not with these arguments, or not with this effect."""
    if action not in FCU_ONLY:
        return False
    if action not in ACTIONS or action == "DeletePublicIp":  # which may have both an id and an address (FCU-040)
        return True
    shape = ACTIONS[action].shape
    return not arguments.keys() <= shape.all_fields.keys() or any(f.name not in arguments for f in shape.required)
