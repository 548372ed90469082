"""The price lists, read once from `prices.toml`."""

from __future__ import annotations

import datetime as dt
from collections.abc import Mapping
from functools import cache
from typing import Any

from omisim.base.data_files import load_toml
from omisim.base.frozen import frozen
from omisim.model import Catalog, CatalogEntry, Catalogs, UnitPriceEntry

__all__ = ["Prices", "load_prices"]


@frozen()
class Prices:
    """The content of `prices.toml`."""

    currencies: Mapping[str, str]
    periods: tuple[Mapping[str, str], ...]
    groups: Mapping[str, Mapping[str, Any]]

    def catalog(self, region: str) -> Catalog:
        """Return the price list of a Region."""
        entries = [
            CatalogEntry(
                category=row["category"],
                flags="PER_MONTH" if row["unit"].endswith("PER_MONTH") else None,
                operation=row["operation"],
                service=row["service"],
                subregion_name=region,
                title=f"{title}: {kind}",
                type=kind,
                unit_price=price,
            )
            for title, row in self.groups.items()
            for kind, price in row["prices"].items()
        ]
        return Catalog(entries=tuple(entries))

    def catalogs(self, region: str) -> tuple[Catalogs, ...]:
        """Return the price lists of a Region in order of their periods, the current one last."""
        entries = self.catalog(region).entries
        return tuple(
            Catalogs(
                entries=entries,
                from_date=_parse_midnight(period["from"]),
                state="OBSOLETE" if "to" in period else "CURRENT",
                to_date=_parse_midnight(period["to"]) if "to" in period else None,
            )
            for period in self.periods
        )

    def find_price(self, region: str, service: str, kind: str, operation: str) -> UnitPriceEntry | None:
        """Return one price in a Region, or None."""
        for row in self.groups.values():
            if (row["service"], row["operation"]) == (service, operation) and kind in row["prices"]:
                return UnitPriceEntry(
                    currency=self.currencies.get(region, "EUR"),
                    operation=operation,
                    service=service,
                    type=kind,
                    unit=row["unit"],
                    unit_price=row["prices"][kind],
                )
        return None


@cache
def load_prices() -> Prices:
    """Return the price lists."""
    data = load_toml("omisim.spec", "prices.toml")
    return Prices(data["currency"], tuple(data["period"]), data["groups"])


def _parse_midnight(date: str) -> dt.datetime:
    return dt.datetime.fromisoformat(date).replace(tzinfo=dt.UTC)
