"""Accounts: reading, creating and updating them."""

from __future__ import annotations

import hmac
import re
from collections.abc import Sequence
from typing import Annotated

from omisim.actions.framework.call import Call
from omisim.actions.framework.registry import action
from omisim.actions.new_account import open_account
from omisim.base.frozen import replace
from omisim.model import AccountRow, MayBeEmpty, TextOrEmpty
from omisim.model.base import hide_secrets

_EMAIL = re.compile(r"[^@\s]+@[A-Za-z0-9-]+(\.[A-Za-z0-9-]+)+")
_CUSTOMER = re.compile(r"[0-9]{8}")


@action("ReadAccounts", "Accounts")
def read_accounts(call: Call) -> tuple[AccountRow, ...]:
    """List the caller's account, and no other one (ACC-001)."""
    return (hide_secrets(call.account),)


@action("CheckAuthentication")
def check_authentication(call: Call, *, login: str, password: str) -> None:
    """Check the email and the password of an account (ACC-005)."""
    accounts: list[AccountRow] = call.state.find_by("account", "login", login)
    encoded_password = password.encode(errors="replace")
    owners = (a for a in accounts if login == a.email and a.region == call.region)
    ok = any(hmac.compare_digest(encoded_password, a.password.encode()) for a in owners)
    call.check(ok, "ACC-005", login=login)


@action("CreateAccount", "Account")
def create_account(
    call: Call,
    *,
    additional_emails: Sequence[str] = (),
    city: str,
    company_name: str,
    country: str,
    customer_id: str,
    email: str,
    first_name: str,
    job_title: str | None = None,
    last_name: str,
    mobile_number: str | None = None,
    phone_number: str | None = None,
    state_province: str | None = None,
    vat_number: str | None = None,
    zip_code: str,
) -> AccountRow:
    """Create an account in the caller's Region. Returns it; in Python it is `cloud.account(email)`.

    The caller needs permission, which `cloud.allow_account_creation` gives (ACC-007).
    """
    _check_emails(call, (email, *additional_emails))
    call.check(_CUSTOMER.fullmatch(customer_id), "ACC-007/customer", customer_id=customer_id)
    call.check(call.account.creates_accounts, "ACC-007", account_id=call.account.account_id)
    _check_free(call, email)
    call.stop_if_refused()
    account, _ = open_account(call.tx, email, call.region, None, {})
    return hide_secrets(call.put(replace(account, **call.values)))  # each parameter is named for its field


@action("UpdateAccount", "Account")
def update_account(
    call: Call,
    *,
    additional_emails: Annotated[Sequence[str] | None, MayBeEmpty()] = None,
    city: str | None = None,
    company_name: str | None = None,
    country: str | None = None,
    email: str | None = None,
    first_name: str | None = None,
    job_title: TextOrEmpty | None = None,
    last_name: str | None = None,
    mobile_number: TextOrEmpty | None = None,
    phone_number: TextOrEmpty | None = None,
    state_province: TextOrEmpty | None = None,
    vat_number: TextOrEmpty | None = None,
    zip_code: str | None = None,
) -> AccountRow:
    """Change the details of the caller's account. Additional e-mail addresses are replaced. Returns the account.

    The e-mail address is also the login.
    """
    _check_emails(call, (email, *(additional_emails or ())))
    if email not in (None, call.account.email):
        _check_free(call, email)
    return hide_secrets(call.put(replace(call.account, **call.values)))  # each parameter is named for its field


def _check_emails(call: Call, emails: Sequence[str | None]) -> None:
    for email in emails:
        call.check(email is None or _EMAIL.fullmatch(email), "ACC-007/email", email=email)


def _check_free(call: Call, email: str | None) -> None:
    """Refuse an e-mail address that is the login of an account, or its name in Python."""
    call.check(not call.state.find_by("account", "login", email), "ACC-007/taken", email=email)
