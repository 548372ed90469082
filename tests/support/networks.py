"""Networks for tests: two Nets of alice with resources of every kind, by name."""

from __future__ import annotations

from omisim import Account
from omisim.model import Vm

__all__ = ["add_networks"]

Ids = dict[str, str]
# name → its Net, its range, the letter of its Subregion
SUBNETS = {
    "subnet": ("net", "10.0.1.0/24", "a"),
    "subnet_b": ("net", "10.0.2.0/24", "b"),
    "tiny": ("net", "10.0.3.0/29", "a"),
    "routed": ("net", "10.0.4.0/24", "a"),
    "other_subnet": ("other_net", "10.1.1.0/24", "a"),
}


def add_networks(alice: Account, image_id: str, ids: Ids) -> None:
    """Create networks for alice, and add their ids by name to `ids`."""
    ids["net"] = alice.create_net(ip_range="10.0.0.0/16").net_id
    ids["other_net"] = alice.create_net(ip_range="10.1.0.0/16").net_id
    for name, (net, ip_range, letter) in SUBNETS.items():
        place = f"{alice.region}{letter}"
        subnet = alice.create_subnet(ip_range=ip_range, net_id=ids[net], subregion_name=place)
        ids[name] = subnet.subnet_id
    _add_groups(alice, ids)
    _add_vms(alice, image_id, ids)
    _add_routes(alice, ids)
    _add_public_ips(alice, ids)


def _add_groups(alice: Account, ids: Ids) -> None:
    """Create a group in the Net, and three outside, one of which names another."""
    for name in ("group", "named", "naming"):
        group = alice.create_security_group(security_group_name=name, description="for a test")
        ids[name] = group.security_group_id
    inside = alice.create_security_group(security_group_name="net_group", description="for a test", net_id=ids["net"])
    ids["net_group"] = inside.security_group_id
    alice.create_security_group_rule(
        flow="Inbound", security_group_id=ids["naming"], security_group_name_to_link=ids["named"]
    )
    ids["default_group"] = alice.read_security_groups()[0].security_group_id


def _add_vms(alice: Account, image_id: str, ids: Ids) -> None:
    """Create a VM with a requested address, one with two NICs, one outside in a group, and unlinked NICs."""
    one = alice.create_vms(image_id=image_id, subnet_id=ids["subnet"], private_ips=["10.0.1.10"])[0]
    two = alice.create_vms(
        image_id=image_id,
        nics=[
            {"device_number": 0, "subnet_id": ids["subnet"]},
            {"device_number": 1, "subnet_id": ids["subnet"]},
        ],
    )[0]
    grouped = alice.create_vms(image_id=image_id, security_group_ids=[ids["group"]])[0]
    ids |= {"net_vm": one.vm_id, "two_nics": two.vm_id, "grouped": grouped.vm_id}
    ids["primary"], ids["primary_link"] = _get_last_nic(one)
    ids["secondary"], ids["secondary_link"] = _get_last_nic(two)
    for name, subnet in {"nic": "subnet", "nic_b": "subnet_b", "other_nic": "other_subnet"}.items():
        ids[name] = alice.create_nic(subnet_id=ids[subnet]).nic_id
    alice.link_private_ips(nic_id=ids["nic"], private_ips=["10.0.1.20"])


def _get_last_nic(vm: Vm) -> tuple[str, str]:
    assert vm.nics
    return vm.nics[-1].nic_id, vm.nics[-1].link_nic.link_nic_id


def _add_routes(alice: Account, ids: Ids) -> None:
    """Create a linked and a free internet service, and route tables, one of which a Subnet uses."""
    for name in ("gateway", "free_gateway"):
        ids[name] = alice.create_internet_service().internet_service_id
    alice.link_internet_service(internet_service_id=ids["gateway"], net_id=ids["net"])
    main = alice.read_route_tables(filters={"net_ids": [ids["net"]]})[0]
    ids["main"], ids["main_link"] = main.route_table_id, main.link_route_tables[0].link_route_table_id
    for name, net in {"table": "net", "used": "net", "other_table": "other_net"}.items():
        ids[name] = alice.create_route_table(net_id=ids[net]).route_table_id
    ids["link"] = alice.link_route_table(route_table_id=ids["used"], subnet_id=ids["routed"])
    alice.create_route(route_table_id=ids["table"], destination_ip_range="0.0.0.0/0", gateway_id=ids["gateway"])


def _add_public_ips(alice: Account, ids: Ids) -> None:
    """Create a free public IP, one of a VM outside Nets, and one of a NIC."""
    for name in ("ip", "vm_ip", "nic_ip"):
        row = alice.create_public_ip()
        ids |= {name: row.public_ip_id, f"{name}_address": row.public_ip}
    alice.link_public_ip(public_ip_id=ids["vm_ip"], vm_id=ids["grouped"])
    ids["nic_ip_link"] = alice.link_public_ip(public_ip_id=ids["nic_ip"], nic_id=ids["primary"])
