"""Host names of OUTSCALE."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from omisim.base.hosts import Host, make_endpoint, parse_host


class TestParsingAHost:
    @pytest.mark.parametrize(
        ("host", "parts"),
        [
            ("api.eu-west-2.outscale.com", Host("api", "eu-west-2", "")),
            ("API.EU-West-2.outscale.com:443", Host("api", "eu-west-2", "")),
            ("oos.cloudgouv-eu-west-1.outscale.com", Host("oos", "cloudgouv-eu-west-1", "")),
            ("my.bucket.oos.us-east-2.outscale.com", Host("oos", "us-east-2", "my.bucket")),
            ("fcu.eu-west-2.outscale.com.", Host("fcu", "eu-west-2", "")),
            ("api.eu-west-2.oks.outscale.com", Host("oks", "", "api.eu-west-2")),
        ],
    )
    def test_names_its_service_and_region(self, host: str, parts: Host) -> None:
        """Service, Region and what stands before them are read whatever the capitals, the port or the final dot."""
        assert parse_host(host) == parts

    @pytest.mark.parametrize(
        "host", ["", "localhost:8333", "outscale.com", "docs.outscale.com", "api.eu-west-2.outscale.org", "127.0.0.1"]
    )
    def test_of_another_kind_is_none(self, host: str) -> None:
        """A host without a service of a Region is not one of OUTSCALE, and no cloud answers for it."""
        assert parse_host(host) is None

    @given(
        service=st.from_regex("[a-z]{1,8}", fullmatch=True),
        region=st.from_regex("[a-z]{2,8}-[a-z]{3,5}-[0-9]", fullmatch=True),
    )
    def test_is_the_inverse_of_making_an_address(self, service: str, region: str) -> None:
        """An address of a service names that service and that Region."""
        assert parse_host(make_endpoint(service, region).removeprefix("https://")) == Host(service, region, "")
