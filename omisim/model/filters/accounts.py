"""Filters of the reads of accounts' keys, tags, quotas and product types, of the catalogue and of the logs."""

from __future__ import annotations

import datetime as dt

from omisim.model.accounts import AccessKey, Keypair
from omisim.model.answers import ProductType, Quota, Subregion, Tag
from omisim.model.catalogues import Catalogs, Log, Service
from omisim.model.filters.declaration import FiltersTagged, Integers, Strings, date_bound, field_equals, glob
from omisim.model.filters.match import Filters

__all__ = [
    "FiltersAccessKeys", "FiltersApiLog", "FiltersCatalogs", "FiltersKeypair", "FiltersProductType", "FiltersQuota",
    "FiltersService", "FiltersSubregion", "FiltersTag",
]  # fmt: skip


class FiltersKeypair(FiltersTagged[Keypair]):
    """Filters of ReadKeypairs."""

    keypair_fingerprints: Strings = None
    keypair_ids: Strings = None
    keypair_names: Strings = glob()
    keypair_types: Strings = None


VM_TYPES = ("instance", "vm")  # both find the tags of VMs (TAG-012)


class FiltersTag(Filters[Tag]):
    """Filters of ReadTags."""

    keys: Strings = None
    resource_ids: Strings = None
    resource_types: Strings = field_equals(lambda tag: VM_TYPES if tag.resource_type in VM_TYPES else tag.resource_type)
    values: Strings = None


class FiltersSubregion(Filters[Subregion]):
    """Filters of ReadSubregions."""

    region_names: Strings = None
    states: Strings = None
    subregion_names: Strings = None


class FiltersProductType(Filters[ProductType]):
    """Filters of ReadProductTypes."""

    product_type_ids: Strings = None


class FiltersAccessKeys(Filters[AccessKey]):
    """Filters of ReadAccessKeys."""

    access_key_ids: Strings = None
    states: Strings = None


class FiltersQuota(Filters[Quota]):
    """Filters of ReadQuotas."""

    collections: Strings = field_equals("quota_collection")
    quota_names: Strings = field_equals("name")
    quota_types: Strings = field_equals("quota_type")
    short_descriptions: Strings = None


class FiltersCatalogs(Filters[Catalogs]):
    """Filters of ReadCatalogs: the price lists of a period, or only the current one."""

    current_catalog_only: bool | None = field_equals(lambda c: (False, c.state == "CURRENT"))
    from_date: dt.datetime | None = date_bound(lambda c, date: c.to_date is None or c.to_date >= date)
    to_date: dt.datetime | None = date_bound(lambda c, date: c.from_date <= date)


class FiltersService(Filters[Service]):
    """Filters of ReadNetAccessPointServices."""

    service_ids: Strings = None
    service_names: Strings = None


class FiltersApiLog(Filters[Log]):
    """Filters of ReadApiLogs."""

    query_access_keys: Strings = None
    query_api_names: Strings = None
    query_call_names: Strings = None
    query_date_after: dt.datetime | None = date_bound(lambda log, date: log.query_date >= date)
    query_date_before: dt.datetime | None = date_bound(lambda log, date: log.query_date <= date)
    query_ip_addresses: Strings = None
    query_user_agents: Strings = None
    request_ids: Strings = None
    response_status_codes: Integers = None
