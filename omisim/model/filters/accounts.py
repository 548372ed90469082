"""Filters of the reads of what an account has beside its disks and VMs, of the catalogue and of the logs."""

from __future__ import annotations

import datetime as dt
from dataclasses import dataclass

from omisim.model.filters.declaration import Integers, Strings, bound, by_tag, by_tag_key, by_tag_value, of, wild
from omisim.model.filters.match import Filters

__all__ = [
    "FiltersAccessKeys",
    "FiltersApiLog",
    "FiltersCatalogs",
    "FiltersKeypair",
    "FiltersProductType",
    "FiltersQuota",
    "FiltersService",
    "FiltersSubregion",
    "FiltersTag",
]


@dataclass(frozen=True, slots=True, kw_only=True, eq=False)
class FiltersKeypair(Filters):
    """Filters of ReadKeypairs."""

    keypair_fingerprints: Strings = of(lambda k: k.keypair_fingerprint)
    keypair_ids: Strings = of(lambda k: k.keypair_id)
    keypair_names: Strings = wild(lambda k: k.keypair_name)
    keypair_types: Strings = of(lambda k: k.keypair_type)
    tag_keys: Strings = by_tag_key()
    tag_values: Strings = by_tag_value()
    tags: Strings = by_tag()


@dataclass(frozen=True, slots=True, kw_only=True, eq=False)
class FiltersTag(Filters):
    """Filters of ReadTags."""

    keys: Strings = of(lambda t: t.key)
    resource_ids: Strings = of(lambda t: t.resource_id)
    resource_types: Strings = of(lambda t: t.resource_type)
    values: Strings = of(lambda t: t.value)


@dataclass(frozen=True, slots=True, kw_only=True, eq=False)
class FiltersSubregion(Filters):
    """Filters of ReadSubregions."""

    region_names: Strings = of(lambda s: s.region_name)
    states: Strings = of(lambda s: s.state)
    subregion_names: Strings = of(lambda s: s.subregion_name)


@dataclass(frozen=True, slots=True, kw_only=True, eq=False)
class FiltersProductType(Filters):
    """Filters of ReadProductTypes."""

    product_type_ids: Strings = of(lambda p: p.product_type_id)


@dataclass(frozen=True, slots=True, kw_only=True, eq=False)
class FiltersAccessKeys(Filters):
    """Filters of ReadAccessKeys."""

    access_key_ids: Strings = of(lambda k: k.access_key_id)
    states: Strings = of(lambda k: k.state)


@dataclass(frozen=True, slots=True, kw_only=True, eq=False)
class FiltersQuota(Filters):
    """Filters of ReadQuotas."""

    collections: Strings = of(lambda q: q.quota_collection)
    quota_names: Strings = of(lambda q: q.name)
    quota_types: Strings = of(lambda _: "global")
    short_descriptions: Strings = of(lambda q: q.short_description)


@dataclass(frozen=True, slots=True, kw_only=True, eq=False)
class FiltersCatalogs(Filters):
    """Filters of ReadCatalogs: the price lists of a time; only the current one, or past ones too."""

    current_catalog_only: bool | None = of(lambda c: (False, c.state == "CURRENT"))
    from_date: dt.datetime | None = bound(lambda c, date: c.to_date is None or c.to_date >= date)
    to_date: dt.datetime | None = bound(lambda c, date: c.from_date <= date)


@dataclass(frozen=True, slots=True, kw_only=True, eq=False)
class FiltersService(Filters):
    """Filters of ReadNetAccessPointServices."""

    service_ids: Strings = of(lambda s: s.service_id)
    service_names: Strings = of(lambda s: s.service_name)


@dataclass(frozen=True, slots=True, kw_only=True, eq=False)
class FiltersApiLog(Filters):
    """Filters of ReadApiLogs."""

    query_access_keys: Strings = of(lambda log: log.query_access_key)
    query_api_names: Strings = of(lambda log: log.query_api_name)
    query_call_names: Strings = of(lambda log: log.query_call_name)
    query_date_after: dt.datetime | None = bound(lambda log, date: log.query_date >= date)
    query_date_before: dt.datetime | None = bound(lambda log, date: log.query_date <= date)
    query_ip_addresses: Strings = of(lambda log: log.query_ip_address)
    query_user_agents: Strings = of(lambda log: log.query_user_agent)
    request_ids: Strings = of(lambda log: log.request_id)
    response_status_codes: Integers = of(lambda log: log.response_status_code)
