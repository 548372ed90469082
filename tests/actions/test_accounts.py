"""Accounts by the API: what one tells of itself, and opening another."""

from __future__ import annotations

from base64 import b64encode
from typing import Any

import pytest
from actions.test_access_keys import ask
from support.expect import expect_refusal

from omisim import Account, Cloud
from omisim.model.serialize import snake_name

NEW = {
    "City": "Lyon",
    "CompanyName": "New",
    "Country": "France",
    "CustomerId": "12345678",
    "Email": "new@example.org",
    "FirstName": "Nora",
    "LastName": "New",
    "ZipCode": "69001",
}


class TestReadAccounts:
    def test_shows_no_password_in_python(self, cloud: Cloud, alice: Account) -> None:
        """The values of typed methods do not have the password: `account.password` has it. [ACC-001]"""
        cloud.allow_account_creation("alice")
        created = alice.create_account(**{snake_name(name): value for name, value in NEW.items()})
        assert {row.password for row in (created, *alice.read_accounts(), alice.update_account(city="Lyon"))} == {""}
        assert cloud.account("new@example.org").password


class TestUpdateAccount:
    def test_changes_the_given_fields_only(self, alice: Account) -> None:
        """UpdateAccount changes the fields given, and answers the account as ReadAccounts does. [ACC-001]"""
        before = alice.call("ReadAccounts")["Accounts"][0]
        changes = {"City": "Lyon", "JobTitle": "Director", "VatNumber": "FR1", "PhoneNumber": "1", "MobileNumber": "2"}
        changes |= {
            "StateProvince": "Rhône",
            "CompanyName": "New",
            "FirstName": "A",
            "LastName": "B",
            "ZipCode": "69001",
        }
        answer = alice.call("UpdateAccount", **changes, Country="Italy")["Account"]
        assert answer == before | changes | {"Country": "Italy"} == alice.call("ReadAccounts")["Accounts"][0]

    def test_replaces_additional_emails(self, alice: Account) -> None:
        """Additional addresses are replaced as a whole; an empty list removes them."""
        two = ["a@example.org", "b@example.org"]
        assert alice.call("UpdateAccount", AdditionalEmails=two)["Account"]["AdditionalEmails"] == two
        assert alice.call("UpdateAccount")["Account"]["AdditionalEmails"] == two
        assert alice.call("UpdateAccount", AdditionalEmails=[])["Account"]["AdditionalEmails"] == []

    def test_of_the_email_changes_the_login(self, cloud: Cloud, alice: Account) -> None:
        """The new address logs in, the old one no longer. [ACC-005, AUTH-012]"""
        old = b64encode(f"{alice.email}:{alice.password}".encode()).decode()
        alice.update_account(email="alice@example.org")
        new = b64encode(f"alice@example.org:{alice.password}".encode()).decode()
        assert alice.email == "alice@example.org"
        assert ask(cloud, "ReadAccessKeys", new) == (200, "")
        assert ask(cloud, "ReadAccessKeys", old) == (401, "AUTH-012")

    @pytest.mark.parametrize("changes", [{"Email": "nobody"}, {"AdditionalEmails": ["a@b"]}, {"Email": "a b@c.d"}])
    def test_refuses_an_invalid_email_address(self, alice: Account, changes: dict[str, Any]) -> None:
        """A text that is not an e-mail address is refused. [ACC-007/email]"""
        assert expect_refusal(alice, "UpdateAccount", **changes).code == "4020"

    def test_refuses_the_email_of_another_account(self, alice: Account, bob: Account) -> None:
        """Two accounts cannot have the same address. [ACC-007/taken]"""
        assert expect_refusal(alice, "UpdateAccount", Email=bob.email).code == "9007"
        assert alice.can("UpdateAccount", Email=alice.email)


class TestCreateAccount:
    def test_is_refused_without_the_right(self, alice: Account) -> None:
        """An ordinary account cannot create another, whatever it sends. [ACC-007]"""
        error = expect_refusal(alice, "CreateAccount", **NEW)
        assert (error.status, error.code, error.type) == (401, "5", "AccessDenied")

    def test_answers_an_account_that_can_be_used(self, cloud: Cloud, alice: Account) -> None:
        """An account with the right creates one in its Region, with one access key. [ACC-007, AK-003]"""
        cloud.allow_account_creation("alice")
        account = alice.call("CreateAccount", **NEW, AdditionalEmails=["x@example.org"])["Account"]
        assert account == account | NEW | {"AdditionalEmails": ["x@example.org"]}
        nora = cloud.account("new@example.org")
        assert (nora.account_id, nora.email, nora.region) == (account["AccountId"], "new@example.org", "eu-west-2")
        assert [key.access_key_id for key in nora.read_access_keys()] == [nora.access_key]
        assert nora.gateway().ReadAccounts()["Accounts"] == [account]

    def test_refuses_an_email_that_is_taken(self, cloud: Cloud, alice: Account, bob: Account) -> None:
        """A login that exists already is refused, and why_not agrees. [ACC-007/taken]"""
        cloud.allow_account_creation("alice")
        assert expect_refusal(alice, "CreateAccount", **NEW | {"Email": bob.email}).code == "9007"
        alice.call("CreateAccount", **NEW)
        assert expect_refusal(alice, "CreateAccount", **NEW).code == "9007"

    def test_needs_a_customer_id_of_eight_digits(self, alice: Account) -> None:
        """The id of the customer has eight digits, which is checked before the right. [ACC-007/customer, REQ-014]"""
        assert expect_refusal(alice, "CreateAccount", **NEW | {"CustomerId": "12"}).code == "4047"

    def test_cannot_be_allowed_for_an_unknown_account(self, cloud: Cloud) -> None:
        """Giving the right to a name without an account is an error."""
        with pytest.raises(ValueError, match=r"unknown account 'zoe'.*; cloud\.account\(name\) creates one"):
            cloud.allow_account_creation("zoe")
