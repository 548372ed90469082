"""Random calls about networks, over ids that there are and ids that there are not."""

from __future__ import annotations

from collections.abc import Callable

from hypothesis import strategies as st
from random_calls import Draw, Parameters, _Known

from omisim import Account, Cloud

__all__ = ["NETWORK_ACTIONS", "draw_network_call"]

NETS = ("10.0.0.0/16", "10.0.0.0/16", "10.0.1.0/24", "8.8.8.0/24")
SUBNETS = ("10.0.1.0/29", "10.0.1.8/29", "10.0.1.0/28", "10.0.9.0/24", "10.1.9.0/29", "10.0.0.0/16")
ADDRESSES = ("10.0.1.4", "10.0.1.5", "10.0.1.6", "10.0.2.4", "10.0.0.2", "10.0.1.255")
NAMES = ("web", "db", "default", "sg-x")


def draw_network_call(draw: Draw, cloud: Cloud, accounts: list[Account]) -> tuple[Account, str, Parameters]:
    """Draw an account, an action about networks or the life of VMs, and its parameters."""
    account = draw(st.sampled_from(accounts))
    action = draw(st.sampled_from(sorted(NETWORK_ACTIONS)))
    return account, action, NETWORK_ACTIONS[action](_Nets(draw, cloud, account, accounts))


class _Nets(_Known):
    """What a draw may name of networks."""

    def net(self) -> str:
        return self.id("net", "vpc")

    def subnet(self) -> str:
        return self.id("subnet", "subnet")

    def group(self) -> str:
        return self.id("security_group", "sg")

    def nic(self) -> str:
        return self.id("nic", "eni")

    def ip(self) -> str:
        return self.id("public_ip", "eipalloc")

    def table(self) -> str:
        return self.id("route_table", "rtb")

    def door(self) -> Parameters:
        """Return an internet service with its Net, or with another."""
        service_id = self.id("internet_service", "igw")
        service = self.cloud._state.get("internet_service", service_id)
        return {"InternetServiceId": service_id, "NetId": (service and self.one(service.net_id, None)) or self.net()}

    def link(self) -> str:
        links = [row.link_nic.link_nic_id for row in self.cloud._state.rows("nic").values() if row.link_nic]
        return str(self.one(*links[-3:], "eni-attach-00000000"))

    def table_link(self) -> str:
        tables = self.cloud._state.rows("route_table").values()
        links = [link.link_route_table_id for table in tables for link in table.link_route_tables]
        return str(self.one(*links[-3:], "rtbassoc-00000000"))

    def address(self) -> str:
        """Return an address that a NIC has, or another."""
        nics = [row for row in self.cloud._state.rows("nic").values() if row.account_id == self.caller.account_id]
        return str(self.one(*(ip.private_ip for nic in nics[-3:] for ip in nic.private_ips), *ADDRESSES))

    def secondary(self) -> Parameters:
        """Return a NIC with the last of its addresses, or with any."""
        nic = self.cloud._state.get("nic", self.nic())
        if nic is None:
            return {"NicId": "eni-00000000", "PrivateIps": [self.address()]}
        return {"NicId": nic.nic_id, "PrivateIps": [self.one(nic.private_ips[-1].private_ip, self.address())]}

    def stopped(self) -> str:
        """Return a VM that is stopped, or any."""
        vms = [row.vm_id for row in self.cloud._state.rows("vm").values() if row.state == "stopped"]
        return str(self.one(*vms[-2:], self.vm()))

    def groups(self) -> Parameters:
        return self.some(SecurityGroupIds=[self.group()])

    def rule(self) -> Parameters:
        return {
            "SecurityGroupId": self.group(),
            "Flow": self.one("Inbound", "Inbound", "Outbound"),
            "IpProtocol": self.one("tcp", "-1"),
            **self.some(FromPortRange=22, ToPortRange=22),
        }


def _create_vms(known: _Nets) -> Parameters:
    image = {"ImageId": known.cloud.images.official("debian", known.caller.region).image_id}
    count = known.some(MaxVmsCount=known.one(1, 2, 9))
    where = known.one("outside", "subnet", "nics")
    if where == "outside":
        return {**image, **count, **known.groups()}
    if where == "subnet":
        return {
            "SubnetId": known.subnet(),
            **image,
            **count,
            **known.groups(),
            **known.some(PrivateIps=[known.one(*ADDRESSES)]),
        }
    first = known.one({"SubnetId": known.subnet()}, {"NicId": known.nic()})
    second = {"SubnetId": known.subnet(), **known.some(SecondaryPrivateIpCount=1, DeleteOnVmDeletion=False)}
    return {**image, "Nics": [{"DeviceNumber": 0, **first}, {"DeviceNumber": known.one(0, 1, 2), **second}]}


NETWORK_ACTIONS: dict[str, Callable[[_Nets], Parameters]] = {
    "CreateInternetService": lambda _: {},
    "CreateNet": lambda known: {"IpRange": known.one(*NETS)},
    "CreateNic": lambda known: {
        "SubnetId": known.subnet(),
        **known.groups(),
        **known.some(PrivateIps=[{"PrivateIp": known.one(*ADDRESSES), "IsPrimary": known.one(True, False)}]),
    },
    "CreatePublicIp": lambda _: {},
    "CreateRouteTable": lambda known: {"NetId": known.net()},
    "CreateSecurityGroup": lambda known: {
        "SecurityGroupName": known.one(*NAMES),
        "Description": "drawn",
        **known.some(NetId=known.net()),
    },
    "CreateSecurityGroupRule": lambda known: {
        **known.rule(),
        **known.one({"IpRange": known.one(*SUBNETS)}, {"SecurityGroupNameToLink": known.group()}),
    },
    "CreateSubnet": lambda known: {"IpRange": known.one(*SUBNETS), "NetId": known.net()},
    "CreateVms": _create_vms,
    "DeleteInternetService": lambda known: {"InternetServiceId": known.id("internet_service", "igw")},
    "DeleteNet": lambda known: {"NetId": known.net()},
    "DeleteNic": lambda known: {"NicId": known.nic()},
    "DeletePublicIp": lambda known: {"PublicIpId": known.ip()},
    "DeleteRouteTable": lambda known: {"RouteTableId": known.table()},
    "DeleteSecurityGroup": lambda known: {"SecurityGroupId": known.group()},
    "DeleteSecurityGroupRule": lambda known: {
        **known.rule(),
        **known.one({"IpRange": known.one(*SUBNETS)}, {"SecurityGroupNameToUnlink": known.group()}),
    },
    "DeleteSubnet": lambda known: {"SubnetId": known.subnet()},
    "DeleteVms": lambda known: {"VmIds": [known.vm()]},
    "LinkInternetService": lambda known: known.door(),
    "LinkNic": lambda known: {"DeviceNumber": known.one(1, 2, 3, 9), "NicId": known.nic(), "VmId": known.vm()},
    "LinkPrivateIps": lambda known: {
        "NicId": known.nic(),
        **known.some(AllowRelink=True),
        **known.one({"PrivateIps": [known.address()]}, {"SecondaryPrivateIpCount": known.one(0, 1, 300)}),
    },
    "LinkPublicIp": lambda known: {
        "PublicIpId": known.ip(),
        **known.some(AllowRelink=known.one(True, False)),
        **known.one({"VmId": known.vm()}, {"NicId": known.nic()}, {"NicId": known.nic(), "PrivateIp": known.address()}),
    },
    "LinkRouteTable": lambda known: {"RouteTableId": known.table(), "SubnetId": known.subnet()},
    "StartVms": lambda known: {"VmIds": [known.stopped()]},
    "StopVms": lambda known: {"VmIds": [known.vm()]},
    "UnlinkInternetService": lambda known: known.door(),
    "UnlinkNic": lambda known: {"LinkNicId": known.link()},
    "UnlinkPrivateIps": lambda known: known.secondary(),
    "UnlinkPublicIp": lambda known: known.one(
        *({"PublicIp": row.public_ip} for row in [*known.cloud._state.rows("public_ip").values()][-3:]),
        {"PublicIp": "192.0.2.1"},
    ),
    "UnlinkRouteTable": lambda known: {"LinkRouteTableId": known.table_link()},
    "UpdateRouteTableLink": lambda known: {"LinkRouteTableId": known.table_link(), "RouteTableId": known.table()},
    "UpdateSubnet": lambda known: {"SubnetId": known.subnet(), "MapPublicIpOnLaunch": known.one(True, False)},
    "UpdateVm": lambda known: {"VmId": known.vm(), "SecurityGroupIds": [known.group()]},
}
