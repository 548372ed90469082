"""Did-you-mean suggestions."""

from __future__ import annotations

import pytest

from omisim import Account, ApiError
from omisim.base.suggest import suggest


class TestSuggest:
    @pytest.mark.parametrize(
        ("name", "known_names", "expected"),
        [
            ("CreateImag", ["CreateImage", "CreateVms"], "; did you mean CreateImage?"),
            ("siz", ["Size", "SubregionName"], "; did you mean Size?"),
            ("image_name", ["ImageName", "VmId"], "; did you mean ImageName?"),
            ("createimage", ["CreateImage"], "; did you mean CreateImage?"),
            ("OMI-22", ["OMI-122", "OMI-022"], "; did you mean OMI-022?"),
            ("nonsense", ["Size"], ""),
            (5, ["Size"], ""),
        ],
    )
    def test_finds_similar_names_whatever_their_case(self, name: object, known_names: list[str], expected: str) -> None:
        """Names are similar if they differ little, and most of all if in case, underscores and leading zeros alone."""
        assert suggest(name, known_names) == expected


class TestCall:
    @pytest.mark.parametrize(
        ("action", "parameters", "message"),
        [
            ("CreateImag", {}, "CreateImag is not an action of the OUTSCALE API. Did you mean CreateImage?"),
            ("create_image", {}, "create_image is not an action of the OUTSCALE API. Did you mean CreateImage?"),
            ("CreateLoadBalancr", {}, "Did you mean CreateLoadBalancer?"),
            ("CreateVolume", {"siz": 1}, "siz is not a parameter of this action. Did you mean Size?"),
            ("CreateVolume", {"subregion_name": "x"}, "Did you mean SubregionName?"),
            ("ReadImages", {"Filters": {"imageids": []}}, "Did you mean ImageIds?"),
        ],
    )
    def test_suggests_what_was_meant(
        self, alice: Account, action: str, parameters: dict[str, object], message: str
    ) -> None:
        """A mistyped action or parameter is refused with the name that was probably meant. [REQ-002, REQ-008]"""
        with pytest.raises(ApiError) as refusal:
            alice.call(action, **parameters)
        assert message in refusal.value.details
        assert alice.why_not(action, **parameters)[0].details == refusal.value.details
