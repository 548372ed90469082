"""Internet services, which connect Nets to the Internet."""

from __future__ import annotations

from typing import Annotated

from omisim.actions.framework.call import Call, as_parsed
from omisim.actions.framework.registry import action
from omisim.actions.quotas import check_quotas
from omisim.base.frozen import replace
from omisim.model import InternetService, Net, NetId, Nic
from omisim.model.filters import FiltersInternetService
from omisim.model.filters.dicts import FiltersInternetServiceDict
from omisim.model.ids import Id
from omisim.state.state import State

__all__ = ["find_attached_service"]

InternetServiceId = Annotated[str, Id("internet_service")]


def find_attached_service(state: State, net_id: str) -> InternetService | None:
    """Return the internet service attached to a Net, or None."""
    services: list[InternetService] = state.find_by("internet_service", "net_id", net_id)
    return services[0] if services else None


@action("CreateInternetService", "InternetService")
def create_internet_service(call: Call) -> InternetService:
    """Create an unattached internet service. Returns it."""
    check_quotas(call, {"igw_limit": 1})
    return call.add(
        InternetService(account_id=call.account.account_id, internet_service_id=call.new_id("internet_service"))
    )


@action("ReadInternetServices", "InternetServices", paged=True)
def read_internet_services(
    call: Call, *, filters: FiltersInternetService | FiltersInternetServiceDict | None = None
) -> tuple[InternetService, ...]:
    """List the caller's internet services in creation order."""
    return call.read_own(InternetService, as_parsed(filters))


@action("LinkInternetService")
def link_internet_service(call: Call, *, internet_service_id: InternetServiceId, net_id: NetId) -> None:
    """Attach an internet service to a Net. Each can have only one of the other."""
    service = call.get_owned(InternetService, internet_service_id, "IGW-001")
    call.get_owned(Net, net_id, "NET-002")
    call.check(service.net_id is None, "IGW-002", internet_service_id=internet_service_id, net_id=service.net_id)
    other = find_attached_service(call.state, net_id)
    taken = other is not None and other is not service
    call.check(not taken, "IGW-003", net_id=net_id, attached=other and other.internet_service_id)
    call.put(replace(service, net_id=net_id, state="available"))


@action("UnlinkInternetService")
def unlink_internet_service(call: Call, *, internet_service_id: InternetServiceId, net_id: NetId) -> None:
    """Detach an internet service from its Net, in which no NIC may have a public IP."""
    service = call.get_owned(InternetService, internet_service_id, "IGW-001")
    call.get_owned(Net, net_id, "NET-002")
    call.check(service.net_id == net_id, "IGW-004", internet_service_id=internet_service_id, net_id=net_id)
    nics: list[Nic] = call.state.find_by("nic", "net_id", net_id)
    public = [ip.public_ip for nic in nics for ip in call.state.find_by("public_ip", "holder", nic.nic_id)]
    call.check(not public, "IGW-005", net_id=net_id, public_ips=public)
    call.put(replace(service, net_id=None, state=None))


@action("DeleteInternetService")
def delete_internet_service(call: Call, *, internet_service_id: InternetServiceId) -> None:
    """Delete an unattached internet service."""
    service = call.get_owned(InternetService, internet_service_id, "IGW-001")
    call.check(service.net_id is None, "IGW-006", internet_service_id=internet_service_id, net_id=service.net_id)
    call.drop(service)
