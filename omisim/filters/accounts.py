"""Filters of the reads of what an account has beside its disks and VMs, and of the catalogue."""

from __future__ import annotations

from dataclasses import dataclass

from omisim.filters.declaring import Strings, by_tag, by_tag_key, by_tag_value, of, wild

__all__ = [
    "FiltersAccessKeys",
    "FiltersKeypair",
    "FiltersProductType",
    "FiltersQuota",
    "FiltersSubregion",
    "FiltersTag",
]


@dataclass(frozen=True, slots=True, kw_only=True, eq=False)
class FiltersKeypair:
    """Filters of ReadKeypairs."""

    keypair_fingerprints: Strings = of(lambda k: k.keypair_fingerprint)
    keypair_ids: Strings = of(lambda k: k.keypair_id)
    keypair_names: Strings = wild(lambda k: k.keypair_name)
    keypair_types: Strings = of(lambda k: k.keypair_type)
    tag_keys: Strings = by_tag_key()
    tag_values: Strings = by_tag_value()
    tags: Strings = by_tag()


@dataclass(frozen=True, slots=True, kw_only=True, eq=False)
class FiltersTag:
    """Filters of ReadTags."""

    keys: Strings = of(lambda t: t.key)
    resource_ids: Strings = of(lambda t: t.resource_id)
    resource_types: Strings = of(lambda t: t.resource_type)
    values: Strings = of(lambda t: t.value)


@dataclass(frozen=True, slots=True, kw_only=True, eq=False)
class FiltersSubregion:
    """Filters of ReadSubregions."""

    region_names: Strings = of(lambda s: s.region_name)
    states: Strings = of(lambda s: s.state)
    subregion_names: Strings = of(lambda s: s.subregion_name)


@dataclass(frozen=True, slots=True, kw_only=True, eq=False)
class FiltersProductType:
    """Filters of ReadProductTypes."""

    product_type_ids: Strings = of(lambda p: p.product_type_id)


@dataclass(frozen=True, slots=True, kw_only=True, eq=False)
class FiltersAccessKeys:
    """Filters of ReadAccessKeys."""

    access_key_ids: Strings = of(lambda k: k.access_key_id)
    states: Strings = of(lambda k: k.state)


@dataclass(frozen=True, slots=True, kw_only=True, eq=False)
class FiltersQuota:
    """Filters of ReadQuotas."""

    collections: Strings = of(lambda q: q.quota_collection)
    quota_names: Strings = of(lambda q: q.name)
    quota_types: Strings = of(lambda _: "global")
    short_descriptions: Strings = of(lambda q: q.short_description)
