"""Each rule on Nets, Subnets, security groups, NICs, public IPs and routes that refuses: broken, and kept."""

from __future__ import annotations

import pytest
from support.world import Case, Parameters, check

SSH = {"IpProtocol": "tcp", "FromPortRange": 22, "ToPortRange": 22, "IpRange": "192.0.2.0/24"}


def group(**more: object) -> Parameters:
    """Return the parameters of a new group."""
    return {"SecurityGroupName": "web", "Description": "for a test", **more}


def rule(group_id: str = "{group}", **more: object) -> Parameters:
    """Return the parameters of a rule."""
    return {"SecurityGroupId": group_id, "Flow": "Inbound", **SSH, **more}


def bare(**more: object) -> Parameters:
    """Return the parameters of a rule that says nothing but this."""
    return {"SecurityGroupId": "{group}", "Flow": "Inbound", **more}


def subnet(ip_range: str, net: str = "{net}", **more: object) -> Parameters:
    """Return the parameters of a new Subnet."""
    return {"IpRange": ip_range, "NetId": net, **more}


def nic(*ips: object, subnet_id: str = "{subnet}", **more: object) -> Parameters:
    """Return the parameters of a new NIC."""
    return {"SubnetId": subnet_id, "PrivateIps": list(ips), **more}


def launched(**more: object) -> Parameters:
    """Return the parameters of a launch."""
    return {"ImageId": "{ubuntu}", **more}


def nics(*each: Parameters) -> Parameters:
    """Return the parameters of a launch with NICs."""
    return launched(Nics=list(each))


def linked(**more: object) -> Parameters:
    """Return the parameters of the link of a NIC."""
    return {"DeviceNumber": 1, "NicId": "{nic}", "VmId": "{net_vm}", **more}


def route(to: str = "192.0.2.0/24", table: str = "{table}", **more: object) -> Parameters:
    """Return the parameters of a route."""
    return {"DestinationIpRange": to, "RouteTableId": table, **more}


def tagged(resource_id: str) -> Parameters:
    """Return the parameters of a tag."""
    return {"ResourceIds": [resource_id], "Tags": [{"Key": "team", "Value": "blue"}]}


FRONT = {"DeviceNumber": 0, "SubnetId": "{subnet}"}

GROUPS = [
    Case("SG-001", "4043", "CreateSecurityGroup", group(SecurityGroupName="sg-web"), group()),
    Case("SG-001", "4043", "CreateSecurityGroup", group(SecurityGroupName="é")),
    Case("SG-001", "4043", "CreateSecurityGroup", group(SecurityGroupName="x" * 256)),
    Case("SG-002", "4047", "CreateSecurityGroup", group(Description="a\n"), group(Description="é" * 255)),
    Case("SG-003", "9028", "CreateSecurityGroup", group(SecurityGroupName="group"), group(SecurityGroupName="Group")),
    Case(
        "SG-003",
        "9028",
        "CreateSecurityGroup",
        group(SecurityGroupName="net_group", NetId="{net}"),
        group(SecurityGroupName="net_group", NetId="{other_net}"),
    ),
    Case("SG-004", "9051", "CreateSecurityGroup", group(SecurityGroupName="default")),
    Case("NET-002", "5065", "CreateSecurityGroup", group(NetId="{bobs_net}"), group(NetId="{net}")),
    Case("SG-004/delete", "9051", "DeleteSecurityGroup", {"SecurityGroupId": "{default_group}"}),
    Case("SG-006", "5020", "DeleteSecurityGroup", {"SecurityGroupId": "{bobs_group}"}, {"SecurityGroupId": "{naming}"}),
    Case(
        "SG-006/name",
        "5020",
        "DeleteSecurityGroup",
        {"SecurityGroupName": "net_group"},
        {"SecurityGroupName": "naming"},
    ),
    Case("SG-007", "7000", "DeleteSecurityGroup", {}),
    Case("SG-008", "9085", "DeleteSecurityGroup", {"SecurityGroupId": "{group}"}, {"SecurityGroupId": "{net_group}"}),
    Case("SG-008/rule", "9085", "DeleteSecurityGroup", {"SecurityGroupId": "{named}"}, {"SecurityGroupId": "{naming}"}),
    Case("SG-006", "5020", "CreateSecurityGroupRule", rule("{bobs_group}"), rule()),
    Case(
        "SG-020",
        "3002",
        "CreateSecurityGroupRule",
        rule(Rules=[{"IpProtocol": "tcp", "IpRanges": ["10.0.0.0/8"]}]),
        bare(Rules=[{"IpProtocol": "tcp", "IpRanges": ["10.0.0.0/8"]}]),
    ),
    Case("SG-021", "4047", "CreateSecurityGroupRule", rule(Flow="inbound"), rule()),
    Case(
        "SG-021/outbound",
        "4045",
        "CreateSecurityGroupRule",
        rule(Flow="Outbound"),
        rule("{net_group}", Flow="Outbound"),
    ),
    Case("SG-022", "4053", "CreateSecurityGroupRule", rule(IpProtocol="gre"), rule(IpProtocol="udp")),
    Case("SG-022", "4053", "CreateSecurityGroupRule", rule(IpProtocol="47"), rule("{net_group}", IpProtocol="47")),
    Case("SG-022", "4053", "CreateSecurityGroupRule", rule("{net_group}", IpProtocol="256")),
    Case("SG-023", "4051", "CreateSecurityGroupRule", rule(FromPortRange=23), rule(FromPortRange=0)),
    Case("SG-023", "4051", "CreateSecurityGroupRule", rule(ToPortRange=65536), rule(ToPortRange=65535)),
    Case("SG-023", "4051", "CreateSecurityGroupRule", rule(FromPortRange=-1)),
    Case(
        "SG-023",
        "4051",
        "CreateSecurityGroupRule",
        rule(IpProtocol="icmp", FromPortRange=256),
        rule(IpProtocol="icmp", FromPortRange=8, ToPortRange=-1),
    ),
    Case("SG-024", "4013", "CreateSecurityGroupRule", rule(IpRange="10.0.0.0/33"), rule(IpRange="10.0.0.1/32")),
    Case("SG-025", "7000", "CreateSecurityGroupRule", bare(IpProtocol="-1")),
    Case(
        "SG-026",
        "5020",
        "CreateSecurityGroupRule",
        bare(SecurityGroupNameToLink="nobody"),
        bare(SecurityGroupNameToLink="default"),
    ),
    Case(
        "SG-026",
        "5020",
        "CreateSecurityGroupRule",
        bare(SecurityGroupNameToLink="{bobs_group}"),
        bare(SecurityGroupNameToLink="{bobs_group}", SecurityGroupAccountIdToLink="{bob}"),
    ),
    Case("SG-026/public", "5021", "CreateSecurityGroupRule", bare(SecurityGroupNameToLink="{net_group}")),
    Case(
        "SG-026/net",
        "5022",
        "CreateSecurityGroupRule",
        {**bare(SecurityGroupNameToLink="{group}"), "SecurityGroupId": "{net_group}"},
    ),
    Case(
        "SG-027",
        "9000",
        "CreateSecurityGroupRule",
        {**bare(SecurityGroupNameToLink="{named}"), "SecurityGroupId": "{naming}"},
        {**bare(SecurityGroupNameToLink="{group}"), "SecurityGroupId": "{naming}"},
    ),
    Case(
        "SG-028",
        "5008",
        "DeleteSecurityGroupRule",
        {**bare(SecurityGroupNameToUnlink="{group}"), "SecurityGroupId": "{naming}"},
        {**bare(SecurityGroupNameToUnlink="{named}"), "SecurityGroupId": "{naming}"},
    ),
    Case("SG-029", "5040", "CreateSecurityGroupRule", bare(Rules=[{"ServiceIds": ["pl-12345678"]}])),
]

NETS = [
    Case("NET-001", "4014", "CreateNet", {"IpRange": "10.0.0.0/8"}, {"IpRange": "10.0.0.0/16"}),
    Case("NET-001", "4014", "CreateNet", {"IpRange": "10.0.0.0/29"}, {"IpRange": "10.0.0.0/28"}),
    Case("NET-001", "4014", "CreateNet", {"IpRange": "8.0.0.0/8"}),
    Case("NET-003", "4013", "CreateNet", {"IpRange": "10.0.0/16"}),
    Case("NET-003", "4013", "CreateNet", {"IpRange": "fd00::/16"}),
    Case("NET-004", "9050", "CreateNet", {"IpRange": "142.42.42.42/32"}, {"IpRange": "172.31.0.0/16"}),
    Case("NET-004", "9050", "CreateNet", {"IpRange": "172.32.0.0/16"}, {"IpRange": "192.168.0.0/16"}),
    Case(
        "NET-005",
        "4007",
        "CreateNet",
        {"IpRange": "10.0.0.0/16", "Tenancy": "mine"},
        {"IpRange": "10.0.0.0/16", "Tenancy": "dedicated"},
    ),
    Case(
        "NET-002",
        "5065",
        "UpdateNet",
        {"DhcpOptionsSetId": "default", "NetId": "{bobs_net}"},
        {"DhcpOptionsSetId": "default", "NetId": "{net}"},
    ),
    Case("NET-007", "5018", "UpdateNet", {"DhcpOptionsSetId": "dopt-12345678", "NetId": "{net}"}),
    Case("NET-006", "9029", "DeleteNet", {"NetId": "{net}"}),
    Case("NET-002", "5065", "DeleteNet", {"NetId": "{bobs_net}"}),
    Case("NET-010", "4014", "CreateSubnet", subnet("10.0.9.0/30"), subnet("10.0.9.0/29")),
    Case("NET-011", "9044", "CreateSubnet", subnet("10.1.9.0/24"), subnet("10.0.9.0/24")),
    Case("NET-012", "9058", "CreateSubnet", subnet("10.0.0.0/23"), subnet("10.0.0.0/24")),
    Case(
        "VOL-002",
        "5009",
        "CreateSubnet",
        subnet("10.0.9.0/24", SubregionName="us-east-2a"),
        subnet("10.0.9.0/24", SubregionName="eu-west-2b"),
    ),
    Case(
        "NET-014",
        "5057",
        "UpdateSubnet",
        {"MapPublicIpOnLaunch": True, "SubnetId": "subnet-00000000"},
        {"MapPublicIpOnLaunch": True, "SubnetId": "{subnet}"},
    ),
    Case("NET-015", "9029", "DeleteSubnet", {"SubnetId": "{subnet}"}, {"SubnetId": "{tiny}"}),
]

NICS = [
    Case("NET-014", "5057", "CreateNic", nic(subnet_id="subnet-00000000"), nic()),
    Case(
        "NIC-003",
        "4047",
        "CreateNic",
        nic({"PrivateIp": "10.0.1.30", "IsPrimary": True}, {"PrivateIp": "10.0.1.31", "IsPrimary": True}),
        nic({"PrivateIp": "10.0.1.30", "IsPrimary": True}, {"PrivateIp": "10.0.1.31"}),
    ),
    Case("NIC-003/address", "7000", "CreateNic", nic({"IsPrimary": True})),
    Case("NIC-004", "9029", "CreateNic", nic({"PrivateIp": "10.0.1.10"}), nic({"PrivateIp": "10.0.1.11"})),
    Case("NIC-004", "9029", "CreateNic", nic({"PrivateIp": "10.0.1.30"}, {"PrivateIp": "10.0.1.30"})),
    Case("VM-013", "4030", "CreateNic", nic({"PrivateIp": "10.0.1.3"}), nic({"PrivateIp": "10.0.1.254"})),
    Case("VM-013", "4030", "CreateNic", nic({"PrivateIp": "10.0.1.255"})),
    Case("VM-013", "4030", "CreateNic", nic({"PrivateIp": "10.0.2.9"})),
    Case("VM-013", "4030", "CreateNic", nic({"PrivateIp": "nine"})),
    Case("VM-009", "5020", "CreateNic", nic(SecurityGroupIds=["{bobs_group}"]), nic(SecurityGroupIds=["{net_group}"])),
    Case("VM-009/net", "5022", "CreateNic", nic(SecurityGroupIds=["{group}"])),
    Case("NIC-001", "5036", "DeleteNic", {"NicId": "eni-00000000"}, {"NicId": "{nic}"}),
    Case("NIC-010", "9029", "DeleteNic", {"NicId": "{primary}"}),
    Case("NIC-006", "7000", "UpdateNic", {"NicId": "{nic}"}, {"NicId": "{nic}", "Description": ""}),
    Case("NIC-007", "3002", "UpdateNic", {"NicId": "{nic}", "Description": "", "SecurityGroupIds": ["{net_group}"]}),
    Case("NIC-008", "7000", "UpdateNic", {"NicId": "{nic}", "SecurityGroupIds": []}),
    Case(
        "NIC-009",
        "5007",
        "UpdateNic",
        {"NicId": "{nic}", "LinkNic": {"LinkNicId": "{primary_link}", "DeleteOnVmDeletion": False}},
        {"NicId": "{primary}", "LinkNic": {"LinkNicId": "{primary_link}", "DeleteOnVmDeletion": False}},
    ),
    Case("NIC-001", "5036", "LinkNic", linked(NicId="eni-00000000"), linked()),
    Case("VM-041", "5063", "LinkNic", linked(VmId="{bobs_vm}"), linked()),
    Case("NIC-010", "9029", "LinkNic", linked(NicId="{secondary}")),
    Case("NIC-020", "4047", "LinkNic", linked(DeviceNumber=0), linked(DeviceNumber=7)),
    Case("NIC-020", "4047", "LinkNic", linked(DeviceNumber=8)),
    Case("NIC-021", "9062", "LinkNic", linked(VmId="{vm}")),
    Case("NIC-022", "4086", "LinkNic", linked(NicId="{other_nic}")),
    Case("NIC-023", "9071", "LinkNic", linked(NicId="{nic_b}")),
    Case("NIC-024", "9004", "LinkNic", linked(VmId="{two_nics}"), linked(VmId="{two_nics}", DeviceNumber=2)),
    Case("NIC-025", "5007", "UnlinkNic", {"LinkNicId": "eni-attach-00000000"}, {"LinkNicId": "{secondary_link}"}),
    Case("NIC-026", "8010", "UnlinkNic", {"LinkNicId": "{primary_link}"}),
    Case(
        "NIC-030",
        "3002",
        "LinkPrivateIps",
        {"NicId": "{nic}", "PrivateIps": ["10.0.1.30"], "SecondaryPrivateIpCount": 1},
        {"NicId": "{nic}"},
    ),
    Case("NIC-031", "4047", "LinkPrivateIps", {"NicId": "{nic}", "SecondaryPrivateIpCount": 0}),
    Case(
        "NIC-004",
        "9029",
        "LinkPrivateIps",
        {"NicId": "{secondary}", "PrivateIps": ["10.0.1.20"]},
        {"NicId": "{secondary}", "PrivateIps": ["10.0.1.20"], "AllowRelink": True},
    ),
    Case(
        "NIC-004",
        "9029",
        "LinkPrivateIps",
        {"NicId": "{secondary}", "PrivateIps": ["10.0.1.10"], "AllowRelink": True},
    ),
    Case(
        "NIC-005",
        "10001",
        "LinkPrivateIps",
        {"NicId": "{nic}", "SecondaryPrivateIpCount": 251},
        {"NicId": "{nic}", "SecondaryPrivateIpCount": 200},
    ),
    Case(
        "NIC-032",
        "4030",
        "UnlinkPrivateIps",
        {"NicId": "{primary}", "PrivateIps": ["10.0.1.10"]},
        {"NicId": "{nic}", "PrivateIps": ["10.0.1.20"]},
    ),
]

LAUNCHES = [
    Case("VM-009", "5020", "CreateVms", launched(SecurityGroups=["net_group"]), launched(SecurityGroups=["group"])),
    Case("VM-009/public", "5021", "CreateVms", launched(SecurityGroupIds=["{net_group}"])),
    Case(
        "VM-009/net",
        "5022",
        "CreateVms",
        launched(SubnetId="{subnet}", SecurityGroupIds=["{group}"]),
        launched(SubnetId="{subnet}", SecurityGroupIds=["{net_group}"]),
    ),
    Case("VM-010", "3002", "CreateVms", launched(Nics=[FRONT], SubnetId="{subnet}"), nics(FRONT)),
    Case("VM-010/nic", "5036", "CreateVms", nics({"DeviceNumber": 0, "NicId": "eni-00000000"})),
    Case(
        "VM-010/existing",
        "3002",
        "CreateVms",
        nics({"DeviceNumber": 0, "NicId": "{nic}", "Description": "mine"}),
        nics({"DeviceNumber": 0, "NicId": "{nic}"}),
    ),
    Case("NIC-010", "9029", "CreateVms", nics({"DeviceNumber": 0, "NicId": "{secondary}"})),
    Case("VM-011", "7000", "CreateVms", nics({"DeviceNumber": 1, "SubnetId": "{subnet}"}), nics(FRONT)),
    Case("VM-011/device", "4047", "CreateVms", nics(FRONT, FRONT), nics(FRONT, {**FRONT, "DeviceNumber": 7})),
    Case("VM-011/device", "4047", "CreateVms", nics(FRONT, {**FRONT, "DeviceNumber": 8})),
    Case("VM-011/device", "4047", "CreateVms", nics(FRONT, {"SubnetId": "{subnet}"})),
    Case("VM-011/subnet", "7000", "CreateVms", nics({"DeviceNumber": 0}), nics(FRONT)),
    Case("NIC-022", "4086", "CreateVms", nics(FRONT, {"DeviceNumber": 1, "SubnetId": "{other_subnet}"})),
    Case("NIC-023", "9071", "CreateVms", nics(FRONT, {"DeviceNumber": 1, "SubnetId": "{subnet_b}"})),
    Case(
        "NIC-030",
        "3002",
        "CreateVms",
        nics(
            {
                **FRONT,
                "PrivateIps": [{"PrivateIp": "10.0.1.30"}, {"PrivateIp": "10.0.1.31"}],
                "SecondaryPrivateIpCount": 1,
            }
        ),
        nics({**FRONT, "SecondaryPrivateIpCount": 2}),
    ),
    Case(
        "VM-012",
        "9071",
        "CreateVms",
        launched(SubnetId="{subnet_b}", Placement={"SubregionName": "eu-west-2a"}),
        launched(SubnetId="{subnet_b}", Placement={"SubregionName": "eu-west-2b"}),
    ),
    Case("VM-012/subnet", "5057", "CreateVms", launched(SubnetId="subnet-00000000"), launched(SubnetId="{subnet}")),
    Case(
        "VM-013",
        "4030",
        "CreateVms",
        launched(SubnetId="{subnet}", PrivateIps=["10.0.1.1"]),
        launched(SubnetId="{subnet}", PrivateIps=["10.0.1.40", "10.0.1.30"]),
    ),
    Case("NIC-004", "9029", "CreateVms", launched(SubnetId="{subnet}", PrivateIps=["10.0.1.10"])),
    Case(
        "VM-013/several",
        "3002",
        "CreateVms",
        launched(SubnetId="{subnet}", PrivateIps=["10.0.1.30"], MaxVmsCount=2),
        launched(SubnetId="{subnet}", MaxVmsCount=2),
    ),
    Case(
        "NIC-005",
        "10001",
        "CreateVms",
        launched(SubnetId="{tiny}", MinVmsCount=4, MaxVmsCount=4),
        launched(SubnetId="{tiny}", MinVmsCount=3, MaxVmsCount=4),
    ),
    Case(
        "VM-009/net",
        "5022",
        "UpdateVm",
        {"VmId": "{net_vm}", "SecurityGroupIds": ["{group}"]},
        {"VmId": "{net_vm}", "SecurityGroupIds": ["{net_group}"]},
    ),
    Case(
        "VM-075",
        "9062",
        "UpdateVm",
        {"VmId": "{vm}", "IsSourceDestChecked": False},
        {"VmId": "{net_vm}", "IsSourceDestChecked": False},
    ),
]

PUBLIC_IPS = [
    Case("PIP-003", "7000", "LinkPublicIp", {"VmId": "{vm}"}, {"VmId": "{vm}", "PublicIpId": "{ip}"}),
    Case("PIP-004", "7000", "LinkPublicIp", {"PublicIpId": "{ip}"}),
    Case("PIP-005", "3002", "LinkPublicIp", {"PublicIpId": "{ip}", "VmId": "{net_vm}", "NicId": "{primary}"}),
    Case("VM-041", "5063", "LinkPublicIp", {"PublicIpId": "eipalloc-00000000", "VmId": "{bobs_vm}"}),
    Case("PIP-001", "5080", "LinkPublicIp", {"PublicIpId": "eipalloc-00000000", "VmId": "{vm}"}),
    Case("PIP-001", "5080", "DeletePublicIp", {"PublicIpId": "{ip}"}, by="bob"),
    Case(
        "PIP-002",
        "5025",
        "LinkPublicIp",
        {"PublicIp": "192.0.2.1", "VmId": "{vm}"},
        {"PublicIp": "{ip_address}", "VmId": "{vm}"},
    ),
    Case("PIP-006", "7000", "LinkPublicIp", {"PublicIpId": "{ip}", "VmId": "{two_nics}"}),
    Case(
        "PIP-007",
        "9062",
        "LinkPublicIp",
        {"PublicIpId": "{ip}", "VmId": "{vm}", "PrivateIp": "10.0.0.4"},
        {"PublicIpId": "{ip}", "NicId": "{secondary}"},
    ),
    Case(
        "PIP-008",
        "9029",
        "LinkPublicIp",
        {"PublicIpId": "{vm_ip}", "NicId": "{nic}"},
        {"PublicIpId": "{vm_ip}", "NicId": "{nic}", "AllowRelink": True},
    ),
    Case(
        "PIP-008",
        "9029",
        "LinkPublicIp",
        {"PublicIpId": "{vm_ip}", "VmId": "{vm}", "AllowRelink": False},
        {"PublicIpId": "{vm_ip}", "VmId": "{vm}"},
    ),
    Case(
        "PIP-008/address",
        "9029",
        "LinkPublicIp",
        {"PublicIpId": "{ip}", "NicId": "{primary}"},
        {"PublicIpId": "{ip}", "NicId": "{nic}", "PrivateIp": "10.0.1.20"},
    ),
    Case("PIP-010", "9027", "LinkPublicIp", {"PublicIpId": "{ip}", "NicId": "{other_nic}"}),
    Case("PIP-011", "4030", "LinkPublicIp", {"PublicIpId": "{ip}", "NicId": "{nic}", "PrivateIp": "10.0.1.10"}),
    Case("PIP-012", "7000", "UnlinkPublicIp", {}, {"LinkPublicIpId": "{nic_ip_link}"}),
    Case("PIP-013", "5026", "UnlinkPublicIp", {"LinkPublicIpId": "eipassoc-00000000"}),
    Case("PIP-013/ip", "5026", "UnlinkPublicIp", {"PublicIp": "{ip_address}"}, {"PublicIp": "{vm_ip_address}"}),
    Case("PIP-003", "7000", "DeletePublicIp", {}),
    Case("PIP-014", "9029", "DeletePublicIp", {"PublicIpId": "{vm_ip}"}, {"PublicIpId": "{ip}"}),
]

GATEWAY = {"InternetServiceId": "{gateway}", "NetId": "{net}"}
ROUTES = [
    Case("IGW-001", "5001", "DeleteInternetService", {"InternetServiceId": "igw-00000000"}),
    Case("IGW-002", "9025", "LinkInternetService", {**GATEWAY, "NetId": "{other_net}"}),
    Case(
        "IGW-003",
        "9065",
        "LinkInternetService",
        {**GATEWAY, "InternetServiceId": "{free_gateway}"},
        {"InternetServiceId": "{free_gateway}", "NetId": "{other_net}"},
    ),
    Case("IGW-004", "9027", "UnlinkInternetService", {**GATEWAY, "NetId": "{other_net}"}),
    Case("IGW-005", "9029", "UnlinkInternetService", GATEWAY),
    Case(
        "IGW-006",
        "9029",
        "DeleteInternetService",
        {"InternetServiceId": "{gateway}"},
        {"InternetServiceId": "{free_gateway}"},
    ),
    Case("NET-002", "5065", "CreateRouteTable", {"NetId": "{bobs_net}"}, {"NetId": "{net}"}),
    Case("RTB-001", "5046", "DeleteRouteTable", {"RouteTableId": "rtb-00000000"}, {"RouteTableId": "{table}"}),
    Case("RTB-002", "8010", "DeleteRouteTable", {"RouteTableId": "{main}"}),
    Case("RTB-003", "9029", "DeleteRouteTable", {"RouteTableId": "{used}"}),
    Case(
        "RTB-004",
        "4086",
        "LinkRouteTable",
        {"RouteTableId": "{table}", "SubnetId": "{other_subnet}"},
        {"RouteTableId": "{table}", "SubnetId": "{subnet}"},
    ),
    Case("RTB-005", "9059", "LinkRouteTable", {"RouteTableId": "{table}", "SubnetId": "{routed}"}),
    Case(
        "RTB-006", "5047", "UnlinkRouteTable", {"LinkRouteTableId": "rtbassoc-00000000"}, {"LinkRouteTableId": "{link}"}
    ),
    Case("RTB-007", "8010", "UnlinkRouteTable", {"LinkRouteTableId": "{main_link}"}),
    Case(
        "RTB-004",
        "4086",
        "UpdateRouteTableLink",
        {"RouteTableId": "{other_table}", "LinkRouteTableId": "{link}"},
        {"RouteTableId": "{table}", "LinkRouteTableId": "{link}"},
    ),
    Case("RTB-010", "7000", "CreateRoute", route(), route(GatewayId="{gateway}")),
    Case("RTB-011", "3002", "CreateRoute", route(GatewayId="{gateway}", NicId="{nic}")),
    Case("NET-003", "4013", "CreateRoute", route("everywhere", GatewayId="{gateway}")),
    Case("RTB-012", "9052", "CreateRoute", route("0.0.0.0/0", NicId="{nic}"), route(NicId="{nic}")),
    Case("RTB-012", "9052", "CreateRoute", route("10.0.0.0/16", NicId="{nic}")),
    Case("RTB-013", "5045", "UpdateRoute", route(NicId="{nic}"), route("0.0.0.0/0", NicId="{nic}")),
    Case("RTB-013", "5045", "DeleteRoute", route(), route("0.0.0.0/0")),
    Case("RTB-014", "8010", "DeleteRoute", route("10.0.0.0/16")),
    Case("RTB-015/nat", "5032", "CreateRoute", route(NatServiceId="nat-12345678")),
    Case("RTB-015/peering", "5035", "CreateRoute", route(NetPeeringId="pcx-12345678")),
    Case("RTB-015/gateway", "5068", "CreateRoute", route(GatewayId="vgw-12345678")),
    Case("IGW-001", "5001", "CreateRoute", route(GatewayId="igw-00000000")),
    Case("IGW-004", "9027", "CreateRoute", route(GatewayId="{free_gateway}")),
    Case("RTB-016", "4086", "CreateRoute", route(NicId="{other_nic}"), route(NicId="{nic}")),
    Case("RTB-016", "4086", "CreateRoute", route(VmId="{vm}"), route(VmId="{net_vm}")),
    Case("RTB-017", "4047", "CreateRoute", route(VmId="{two_nics}"), route(NicId="{secondary}")),
]

TAGS = [
    Case("TAG-005/vpc", "5065", "CreateTags", tagged("{bobs_net}"), tagged("{net}")),
    Case("TAG-005/subnet", "5057", "CreateTags", tagged("subnet-00000000"), tagged("{subnet}")),
    Case("TAG-005/security-group", "5020", "CreateTags", tagged("{bobs_group}"), tagged("{group}")),
    Case("TAG-005/network-interface", "5036", "CreateTags", tagged("eni-00000000"), tagged("{nic}")),
    Case("TAG-005/public-ip", "5080", "CreateTags", tagged("eipalloc-00000000"), tagged("{ip}")),
    Case("TAG-005/internet-gateway", "5001", "CreateTags", tagged("igw-00000000"), tagged("{gateway}")),
    Case("TAG-005/route-table", "5046", "CreateTags", tagged("rtb-00000000"), tagged("{table}")),
]


@pytest.mark.parametrize("case", GROUPS, ids=str)
def test_of_security_groups(case: Case) -> None:
    """A security group has a name of its own, and rules that say something."""
    check(case)


@pytest.mark.parametrize("case", NETS, ids=str)
def test_of_nets_and_subnets(case: Case) -> None:
    """A Net has a private range, its Subnets disjoint parts of it; neither goes while anything is in it."""
    check(case)


@pytest.mark.parametrize("case", NICS, ids=str)
def test_of_nics(case: Case) -> None:
    """A NIC has addresses of its Subnet that no other has, and belongs to one VM."""
    check(case)


@pytest.mark.parametrize("case", LAUNCHES, ids=str)
def test_of_a_launch_in_a_net(case: Case) -> None:
    """A VM stands in one Net and one Subregion, in groups of its own world."""
    check(case)


@pytest.mark.parametrize("case", PUBLIC_IPS, ids=str)
def test_of_public_ips(case: Case) -> None:
    """A public IP is linked to one thing, that can be reached from the Internet."""
    check(case)


@pytest.mark.parametrize("case", ROUTES, ids=str)
def test_of_routes(case: Case) -> None:
    """Routes lead to what is in their Net."""
    check(case)


@pytest.mark.parametrize("case", TAGS, ids=str)
def test_of_tags(case: Case) -> None:
    """Everything in a network can be tagged by its owner."""
    check(case)
