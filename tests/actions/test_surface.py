"""What judges, at the end of a whole run, how much of the official description the suite has shown."""

from __future__ import annotations

from fnmatch import fnmatchcase

from support.surface import answered, expected, judged, reasons, sent


def shown() -> set[str]:
    """Return what a suite shows that is as it should be."""
    return {name for name in expected() if not any(fnmatchcase(name, pattern) for pattern in reasons())}


class TestJudging:
    def test_lets_a_suite_pass_that_shows_all_but_the_excused(self) -> None:
        """Everything is shown, or has a reason not to be."""
        assert judged(shown()) == []

    def test_names_what_no_test_shows(self) -> None:
        """A field that the suite ceases to show is named."""
        assert judged(shown() - {"answered Image.ImageName"}) == ["answered Image.ImageName: no test shows it"]

    def test_names_a_reason_that_excuses_nothing(self) -> None:
        """A reason goes when what it excused is shown."""
        idle = judged(expected())
        assert len(idle) == len(reasons())
        assert all("excuses nothing any more" in line for line in idle)


class TestShowing:
    def test_is_what_a_call_carried(self) -> None:
        """Fields at any depth, and the values that stand in a list, by the schema they belong to; no nulls."""
        request = {"ImageId": "ami-12345678", "BootMode": "uefi", "Placement": {"Tenancy": "default"}, "VmType": None}
        assert set(sent("CreateVms", request)) == {
            "sent CreateVmsRequest.ImageId",
            "sent CreateVmsRequest.BootMode",
            "sent BootMode=uefi",
            "sent CreateVmsRequest.Placement",
            "sent Placement.Tenancy",
        }

    def test_is_what_a_call_answered(self) -> None:
        """What stands in a list counts as often as it comes: once."""
        answer = {"Images": [{"BootModes": ["uefi", "legacy"]}, {"BootModes": ["uefi"]}]}
        assert set(answered("ReadImages", answer)) == {
            "answered ReadImagesResponse.Images",
            "answered Image.BootModes",
            "answered BootMode=uefi",
            "answered BootMode=legacy",
        }
