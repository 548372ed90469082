"""Keypairs: creating, importing, reading and deleting them."""

from __future__ import annotations

import base64
import binascii
from collections.abc import Mapping
from typing import Annotated, Any

from omisim.actions.framework.call import Call, as_parsed
from omisim.actions.framework.registry import action
from omisim.formats import ssh_keys
from omisim.model import Keypair, KeypairCreated, view_as
from omisim.model.filters import FiltersKeypair
from omisim.model.filters.dicts import FiltersKeypairDict
from omisim.model.ids import Id
from omisim.spec.rules import refuse

KeypairId = Annotated[str, Id("keypair")]
MAX_NAME_LENGTH = 255


@action("CreateKeypair", "Keypair")
def create_keypair(call: Call, *, keypair_name: str, public_key: str | None = None) -> KeypairCreated:
    """Generate a 2048-bit RSA keypair, or import a public key (KEY-003). Returns the keypair.

    Only this answer contains the private key of a generated keypair.
    """
    printable = keypair_name.isascii() and keypair_name.isprintable()
    call.check(printable and len(keypair_name) <= MAX_NAME_LENGTH, "KEY-001/name", keypair_name=keypair_name)
    imported = None if public_key is None else _parse_public_key(call, public_key)
    taken = call.state.find_by("keypair", "name", (call.account.account_id, keypair_name))
    call.check(not taken, "KEY-001", keypair_name=keypair_name)
    keypair_id = call.new_id("keypair")
    private = None
    if imported is None:
        private, imported = ssh_keys.generate(call.tx.next_number("rsa"))
    keypair = call.add(
        Keypair(
            account_id=call.account.account_id,
            keypair_fingerprint=imported.fingerprint,
            keypair_id=keypair_id,
            keypair_name=keypair_name,
            keypair_type=imported.type,
            public_key=imported.openssh,
        )
    )
    return view_as(KeypairCreated, keypair, private_key=private)


def _parse_public_key(call: Call, public_key: str) -> ssh_keys.PublicKey | None:
    """Parse a public key, an OpenSSH line or any format in Base64, or refuse it (KEY-003)."""
    is_line = public_key.lstrip().startswith(tuple(f"{name} " for name in ssh_keys.TYPES))
    try:
        text = public_key if is_line else base64.b64decode(public_key, validate=True).decode(errors="replace")
        return ssh_keys.parse(text)
    except binascii.Error:
        call.report(refuse("KEY-003", reason="the parameter is neither an OpenSSH line nor Base64"))
    except ValueError as error:
        call.report(refuse("KEY-003", reason=str(error)))
    return None


@action("ReadKeypairs", "Keypairs", paged=True)
def read_keypairs(call: Call, *, filters: FiltersKeypair | FiltersKeypairDict | None = None) -> tuple[Keypair, ...]:
    """List the caller's keypairs in creation order."""
    return call.read_own(Keypair, as_parsed(filters))


def _check_name_or_id(call: Call, parameters: Mapping[str, Any]) -> None:
    call.check(parameters.get("keypair_name") or parameters.get("keypair_id"), "KEY-005")


@action("DeleteKeypair", combinations=_check_name_or_id)
def delete_keypair(call: Call, *, keypair_id: KeypairId | None = None, keypair_name: str | None = None) -> None:
    """Delete a keypair by its id or its name. VMs that use it are unaffected (KEY-006)."""
    rows: list[Keypair] = (
        call.state.find_by("keypair", "name", (call.account.account_id, keypair_name))
        if keypair_id is None
        else [*filter(call.owns, call.state.find_by_ids("keypair", [keypair_id]))]
    )
    if not rows or keypair_name not in (None, rows[0].keypair_name):
        raise refuse("KEY-005/unknown", keypair=keypair_id or keypair_name)
    call.drop(rows[0])
