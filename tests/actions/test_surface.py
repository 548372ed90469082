"""What judges, at the end of a whole run, how much of the official description the suite has shown."""

from __future__ import annotations

from fnmatch import fnmatchcase

from support.surface import find_gaps, iter_answered_names, iter_sent_names, list_expected_names, load_exceptions


def list_shown_names() -> set[str]:
    """Return what a suite shows that is as it should be."""
    return {
        name for name in list_expected_names() if not any(fnmatchcase(name, pattern) for pattern in load_exceptions())
    }


class TestSurfaceJudgement:
    def test_passes_when_all_but_the_excused_is_shown(self) -> None:
        """Everything is shown, or has a reason not to be."""
        assert find_gaps(list_shown_names()) == []

    def test_names_a_field_that_no_test_shows(self) -> None:
        """A field that the suite no longer shows is named."""
        assert find_gaps(list_shown_names() - {"answered Image.ImageName"}) == [
            "answered Image.ImageName: no test shows it"
        ]

    def test_names_an_excuse_that_is_not_needed(self) -> None:
        """An excuse whose item is shown is named."""
        idle = find_gaps(list_expected_names())
        assert len(idle) == len(load_exceptions())
        assert all("excuses nothing any more" in line for line in idle)


class TestSurfaceOfACall:
    def test_has_the_fields_and_values_of_the_request(self) -> None:
        """Fields at any depth, and values from a list of values, count by their schema; nulls do not."""
        request = {"ImageId": "ami-12345678", "BootMode": "uefi", "Placement": {"Tenancy": "default"}, "VmType": None}
        assert set(iter_sent_names("CreateVms", request)) == {
            "sent CreateVmsRequest.ImageId",
            "sent CreateVmsRequest.BootMode",
            "sent BootMode=uefi",
            "sent CreateVmsRequest.Placement",
            "sent Placement.Tenancy",
        }

    def test_has_the_fields_and_values_of_the_answer(self) -> None:
        """A repeated item counts once."""
        answer = {"Images": [{"BootModes": ["uefi", "legacy"]}, {"BootModes": ["uefi"]}]}
        assert set(iter_answered_names("ReadImages", answer)) == {
            "answered ReadImagesResponse.Images",
            "answered Image.BootModes",
            "answered BootMode=uefi",
            "answered BootMode=legacy",
        }
