"""Pages and filters of reads."""

from __future__ import annotations

import pytest
from expect import refused

from omisim import Account, ApiError, Cloud


class TestPages:
    def test_follow_each_other_in_order(self, alice: Account) -> None:
        """Pages hold what was asked for, in order of creation, to the end. [PAG-001, PAG-003, PAG-004, UNK-30]"""
        whole = [row["ImageId"] for row in alice.call("ReadImages")["Images"]]
        seen: list[str] = []
        token: dict[str, str] = {}
        while True:
            answer = alice.call("ReadImages", ResultsPerPage=7, **token)
            seen += [row["ImageId"] for row in answer["Images"]]
            if "NextPageToken" not in answer:
                break
            token = {"NextPageToken": answer["NextPageToken"]}
        assert seen == whole

    def test_belong_to_their_filters(self, alice: Account) -> None:
        """A token goes with the filters it was given for. [PAG-005]"""
        token = alice.call("ReadImages", ResultsPerPage=2)["NextPageToken"]
        with pytest.raises(ApiError, match="4116"):
            alice.call("ReadImages", NextPageToken=token, Filters={"ImageNames": ["U*"]})

    def test_can_have_a_default_size(self) -> None:
        """The switch default_page_size pages reads that do not ask for it. [PAG-002]"""
        alice = Cloud(switches={"default_page_size": 5}).account("alice")
        assert len(alice.call("ReadImages")["Images"]) == 5
        assert len(alice.read_images()) > 5


class TestFilters:
    def test_are_anded_and_their_values_ored(self, alice: Account) -> None:
        """Every filter counts, any of its values will do; none at all restricts nothing. [FLT-001, FLT-004, FLT-008]"""
        names = {"image_names": ["Ubuntu*", "Debian*"]}
        both = alice.read_images(filters=names)
        assert {image.image_name[:6] for image in both} == {"Ubuntu", "Debian"}
        assert alice.read_images(filters={**names, "account_aliases": ["nobody"]}) == ()
        assert alice.read_images(filters={**names, "states": []}) == ()
        assert alice.read_images(filters={}) == alice.read_images()

    def test_know_question_marks_and_case(self, alice: Account) -> None:
        """* stands for any characters, ? for one, and case counts. [FLT-005, UNK-42]"""
        assert alice.read_images(filters={"image_names": ["Ubunt?-*"]})
        assert alice.read_images(filters={"image_names": ["UBUNT?-*"]}) == ()

    @pytest.mark.parametrize(
        ("filters", "code"), [({"Names": ["x"]}, "3001"), ({"ImageNames": "x"}, "4110"), ({"States": [1]}, "4110")]
    )
    def test_are_checked_by_name_and_type(self, alice: Account, filters: dict[str, object], code: str) -> None:
        """An unknown filter and a value of another type are refused. [FLT-002, FLT-003]"""
        assert refused(alice, "ReadImages", Filters=filters).code == code

    def test_find_nothing_for_values_that_are_not_there(self, alice: Account) -> None:
        """Unknown ids and states find nothing, and are no error. [FLT-006, FLT-010]"""
        assert alice.read_volumes(filters={"volume_ids": ["nonsense"], "volume_states": ["foo"]}) == ()
