"""The price lists."""

from __future__ import annotations

import datetime as dt
from collections.abc import Mapping
from typing import Any

from omisim.actions.framework.call import Call, as_parsed
from omisim.actions.framework.registry import action
from omisim.model import Catalog, Catalogs, UnitPriceEntry
from omisim.model.filters import FiltersCatalogs, match_all
from omisim.model.filters.dicts import FiltersCatalogsDict
from omisim.spec.prices import load_prices
from omisim.spec.rules import refuse

OLDEST = dt.timedelta(days=3 * 365)


@action("ReadCatalog", "Catalog")
def read_catalog(call: Call) -> Catalog:
    """Return the price list of the caller's Region (CAT-004)."""
    return load_prices().catalog(call.region)


@action("ReadPublicCatalog", "Catalog", open=True)
def read_public_catalog(call: Call) -> Catalog:
    """Return the price list of the called Region, without authentication (CAT-004)."""
    return load_prices().catalog(call.region)


def _check_both_dates(call: Call, parameters: Mapping[str, Any]) -> None:
    filters: FiltersCatalogs = parameters.get("filters") or match_all(FiltersCatalogs)
    call.check((filters.from_date is None) == (filters.to_date is None), "CAT-004/dates")


@action("ReadCatalogs", "Catalogs", combinations=_check_both_dates)
def read_catalogs(call: Call, *, filters: FiltersCatalogs | FiltersCatalogsDict | None = None) -> tuple[Catalogs, ...]:
    """List the current price list of the caller's Region, or all those of a period (CAT-004)."""
    parsed_filters = as_parsed(filters) or match_all(FiltersCatalogs)
    call.check_range(parsed_filters.from_date, parsed_filters.to_date)
    recent = parsed_filters.from_date is None or call.now - parsed_filters.from_date <= OLDEST
    call.check(recent, "CAT-004/old", from_date=parsed_filters.from_date)
    if parsed_filters.current_catalog_only is None:
        parsed_filters = parsed_filters.replace(current_catalog_only=True)
    return call.select(load_prices().catalogs(call.region), parsed_filters)


@action("ReadUnitPrice", "UnitPriceEntry", dry_run=False)
def read_unit_price(call: Call, *, operation: str, service: str, type: str) -> UnitPriceEntry:  # noqa: A002 - its name
    """Return one price of the caller's Region (CAT-005)."""
    price = load_prices().find_price(call.region, service, type, operation)
    if price is None:
        raise refuse("CAT-005", service=service, type=type, operation=operation)
    return price
