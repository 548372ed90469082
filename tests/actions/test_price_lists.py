"""Price lists, and the other lists of the platform."""

from __future__ import annotations

import datetime as dt

import pytest
from support.expect import expect_refusal

from omisim import Account, Cloud
from omisim.actions.price_lists import OLDEST
from omisim.model.filters.dicts import FiltersCatalogsDict

Filters = dict[str, object]


class TestPrices:
    def test_are_those_of_the_region(self, cloud: Cloud, alice: Account) -> None:
        """A price list is that of its Region, and so is the public one. [CAT-004]"""
        carol = cloud.account("carol", region="us-east-2")
        assert {entry.subregion_name for entry in alice.read_catalog().entries} == {"eu-west-2"}
        assert {entry.subregion_name for entry in carol.read_catalog().entries} == {"us-east-2"}
        assert alice.read_public_catalog() == alice.read_catalog()

    def test_by_the_month_have_a_flag(self, alice: Account) -> None:
        """A monthly price has a flag, an hourly one has none. [CAT-004]"""
        flags = {entry["Type"]: entry.get("Flags") for entry in alice.call("ReadCatalog")["Catalog"]["Entries"]}
        assert (flags["BSU:VolumeUsage:gp2"], flags["CustomCore:v5-p1"]) == ("PER_MONTH", None)

    def test_are_found_by_service_type_and_operation(self, cloud: Cloud, alice: Account) -> None:
        """Every entry of the list has a unit price, in the currency of its Region. [CAT-005]"""
        for entry in alice.read_catalog().entries:
            unit_price = alice.read_unit_price(operation=entry.operation, service=entry.service, type=entry.type)
            assert (unit_price.unit_price, unit_price.currency) == (entry.unit_price, "EUR")
        carol = cloud.account("carol", region="us-east-2")
        assert carol.read_unit_price(operation="CreateVolume", service="TinaOS-FCU", type="BSU:VolumeIOPS:io1") == (
            type(unit_price)(
                currency="USD",
                operation="CreateVolume",
                service="TinaOS-FCU",
                type="BSU:VolumeIOPS:io1",
                unit="PER_IOPS_PER_MONTH",
                unit_price=0.01,
            )
        )

    def test_that_are_unknown_are_refused(self, alice: Account) -> None:
        """An unknown triple is refused, and each of its three parts is required. [CAT-005, REQ-010]"""
        triple = {"Operation": "CreateVolume", "Service": "TinaOS-FCU", "Type": "BSU:VolumeIOPS:io1"}
        for name in triple:
            assert expect_refusal(alice, "ReadUnitPrice", **triple | {name: "x"}).code == "5044"
            assert (
                expect_refusal(alice, "ReadUnitPrice", **{n: v for n, v in triple.items() if n != name}).code == "7000"
            )

    @pytest.mark.parametrize(
        ("filters", "states"),
        [
            ({}, ["CURRENT"]),
            ({"current_catalog_only": True}, ["CURRENT"]),
            ({"current_catalog_only": False}, ["OBSOLETE", "CURRENT"]),
            ({"current_catalog_only": False, "from_date": "2025-02-01", "to_date": "2025-03-01"}, ["OBSOLETE"]),
            ({"from_date": "2025-02-01", "to_date": "2025-03-01"}, []),
            ({"from_date": "2025-02-01", "to_date": "2026-01-01"}, ["CURRENT"]),
        ],
    )
    def test_of_the_past_are_read_on_request(
        self, alice: Account, filters: FiltersCatalogsDict, states: list[str]
    ) -> None:
        """Only the current list is answered by default; dates select among past ones. [CAT-004]"""
        assert [catalog.state for catalog in alice.read_catalogs(filters=filters)] == states

    @pytest.mark.parametrize(
        ("filters", "code"),
        [
            ({"FromDate": "2025-02-01"}, "7000"),
            ({"ToDate": "2025-02-01"}, "7000"),
            ({"FromDate": "2025-03-01", "ToDate": "2025-02-01"}, "4098"),
            ({"FromDate": "2021-03-01", "ToDate": "2025-02-01"}, "4098"),
        ],
    )
    def test_are_selected_by_two_dates_of_the_last_three_years(
        self, alice: Account, filters: Filters, code: str
    ) -> None:
        """Both dates or none are given, the first not after the last, within three years.

        [CAT-004/dates, CAT-004/old, FLT-009]
        """
        assert expect_refusal(alice, "ReadCatalogs", Filters=filters).code == code

    def test_may_be_exactly_three_years_old(self, cloud: Cloud, alice: Account) -> None:
        """A period may begin three years ago, and no earlier. [CAT-004/old]"""
        first, last = cloud.now - OLDEST, cloud.now.isoformat()
        assert alice.can("ReadCatalogs", Filters={"FromDate": first.isoformat(), "ToDate": last})
        earlier = (first - dt.timedelta(milliseconds=1)).isoformat()
        refusal = expect_refusal(alice, "ReadCatalogs", Filters={"FromDate": earlier, "ToDate": last})
        assert refusal.rule == "CAT-004/old"


class TestCatalogueLists:
    def test_of_services_are_those_of_the_region(self, cloud: Cloud, alice: Account) -> None:
        """Services have the names and ids of their Region, and are found by both. [CAT-011]"""
        carol = cloud.account("carol", region="us-east-2")
        oos = alice.read_net_access_point_services(filters={"service_names": ["com.outscale.eu-west-2.oos"]})
        assert len(oos) == 1
        assert alice.read_net_access_point_services(filters={"service_ids": [oos[0].service_id]}) == oos
        assert not set(carol.read_net_access_point_services()) & set(alice.read_net_access_point_services())

    def test_are_paged(self, alice: Account) -> None:
        """Locations, ranges and services are answered in pages. [CAT-011]"""
        for action, key in (("ReadLocations", "Locations"), ("ReadPublicIpRanges", "PublicIps")):
            first = alice.call(action, ResultsPerPage=1)
            rest = alice.call(action, NextPageToken=first["NextPageToken"], ResultsPerPage=1000)
            assert first[key] + rest[key] == alice.call(action)[key]

    def test_of_locations_have_codes_and_names(self, alice: Account) -> None:
        """A location has a code and a name; the GPUs have their limits. [CAT-011]"""
        assert "PAR1" in {location.code for location in alice.read_locations()}
        assert all(gpu.v_ram and gpu.max_cpu and gpu.generations for gpu in alice.read_flexible_gpu_catalog())
