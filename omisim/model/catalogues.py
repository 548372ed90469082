"""Values answered by the reads of the platform: price lists, services, GPUs, locations and the log of calls."""

from __future__ import annotations

import datetime as dt

from omisim.base.frozen import frozen
from omisim.model.base import internal


@frozen(kw_only=True)
class CatalogEntry:
    """A price."""

    category: str
    flags: str | None = None
    operation: str
    service: str
    subregion_name: str
    title: str
    type: str
    unit_price: float


@frozen(kw_only=True)
class Catalog:
    """A price list."""

    entries: tuple[CatalogEntry, ...]


@frozen(kw_only=True)
class Catalogs:
    """A price list with its period. The current one has no end."""

    entries: tuple[CatalogEntry, ...]
    from_date: dt.datetime
    state: str
    to_date: dt.datetime | None = None


@frozen(kw_only=True)
class UnitPriceEntry:
    """One price with its unit and its currency."""

    currency: str
    operation: str
    service: str
    type: str
    unit: str
    unit_price: float


@frozen(kw_only=True)
class FlexibleGpuCatalog:
    """A model of GPU. Memory is GiB, video RAM is MB."""

    generations: tuple[str, ...]
    max_cpu: int
    max_ram: int
    model_name: str
    v_ram: int


@frozen(kw_only=True)
class Location:
    """A location where a DirectLink can start."""

    code: str
    name: str


@frozen(kw_only=True)
class Service:
    """A service that a Net access point can reach."""

    ip_ranges: tuple[str, ...]
    service_id: str
    service_name: str


@frozen(kw_only=True)
class With:
    """The fields of a log to return."""

    account_id: bool = True
    call_duration: bool = True
    query_access_key: bool = True
    query_api_name: bool = True
    query_api_version: bool = True
    query_call_name: bool = True
    query_date: bool = True
    query_header_raw: bool = True
    query_header_size: bool = True
    query_ip_address: bool = True
    query_payload_raw: bool = True
    query_payload_size: bool = True
    query_user_agent: bool = True
    request_id: bool = True
    response_size: bool = True
    response_status_code: bool = True


@frozen(kw_only=True)
class Log:
    """One call that an account made. Sizes are bytes, the duration is in microseconds of the cloud's time."""

    account_id: str | None
    call_duration: int | None
    query_access_key: str | None
    query_api_name: str | None
    query_api_version: str | None
    query_call_name: str | None
    query_date: dt.datetime | None
    query_header_raw: str | None
    query_header_size: int | None
    query_ip_address: str | None
    query_payload_raw: str | None
    query_payload_size: int | None
    query_user_agent: str | None
    request_id: str | None
    response_size: int | None
    response_status_code: int | None
    serial: int = internal(0, compare=False)  # the number of the request among all of its cloud
