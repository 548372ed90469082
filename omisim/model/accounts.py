"""Accounts, access keys and keypairs."""

from __future__ import annotations

import datetime as dt
from dataclasses import field
from typing import ClassVar

from omisim.base.frozen import frozen
from omisim.model.base import AccessKeyState, Entity, internal, secret
from omisim.model.parts import ResourceTag


@frozen(kw_only=True)
class AccountRow(Entity):
    """An account. It lives in one Region (REG-002)."""

    kind: ClassVar[str] = "account"
    key: ClassVar[str] = "account_id"
    account_id: str
    additional_emails: tuple[str, ...] = ()
    city: str = "Saint-Cloud"
    company_name: str = "Example"
    country: str = "France"
    customer_id: str
    email: str
    first_name: str
    job_title: str | None = None
    last_name: str = "Example"
    mobile_number: str | None = None
    outscale_login_allowed: bool = True
    phone_number: str | None = None
    state_province: str | None = None
    vat_number: str | None = None
    zip_code: str = "92210"
    name: str = internal("")
    region: str = internal("")
    alias: str | None = internal(None)
    creates_accounts: bool = internal(False)  # ACC-007
    password: str = secret()
    quotas: tuple[tuple[str, int], ...] = internal(())


@frozen(kw_only=True)
class AccessKey(Entity):
    """An access key of an account."""

    kind: ClassVar[str] = "access_key"
    key: ClassVar[str] = "access_key_id"
    access_key_id: str
    creation_date: dt.datetime
    expiration_date: dt.datetime | None = None
    last_modification_date: dt.datetime
    state: AccessKeyState = AccessKeyState.ACTIVE
    tag: str | None = None
    account_id: str = internal("")
    secret_key: str = secret()

    def is_valid(self, now: dt.datetime) -> bool:
        """Whether requests may be signed with the key at a time: it is active and has not expired (AUTH-008)."""
        return self.state is AccessKeyState.ACTIVE and (self.expiration_date is None or self.expiration_date > now)


@frozen(kw_only=True)
class AccessKeySecretKey:
    """A new access key with its secret, which only this answer contains (AK-002)."""

    access_key_id: str
    creation_date: dt.datetime
    expiration_date: dt.datetime | None
    last_modification_date: dt.datetime
    secret_key: str = field(repr=False)
    state: AccessKeyState
    tag: str | None


@frozen(kw_only=True)
class Keypair(Entity):
    """A keypair. The account keeps its public key only."""

    kind: ClassVar[str] = "keypair"
    key: ClassVar[str] = "keypair_id"
    keypair_fingerprint: str
    keypair_id: str
    keypair_name: str
    keypair_type: str
    tags: tuple[ResourceTag, ...] = ()
    account_id: str = internal("")
    public_key: str = internal("")


@frozen(kw_only=True)
class KeypairCreated:
    """A new keypair with its private key (PEM), which only this answer contains (FLD-009)."""

    keypair_fingerprint: str
    keypair_id: str
    keypair_name: str
    keypair_type: str
    private_key: str | None = field(default=None, repr=False)
    tags: tuple[ResourceTag, ...] = ()
