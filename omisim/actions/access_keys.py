"""Access keys, which sign the requests of an account."""

from __future__ import annotations

import datetime as dt

from omisim.actions.framework.call import Call, as_parsed
from omisim.actions.framework.registry import action
from omisim.base.foreign import parse_date
from omisim.base.frozen import replace
from omisim.model import AccessKey, AccessKeySecretKey, AccessKeyState, TextOrEmpty, ids, view_as
from omisim.model.base import hide_secrets
from omisim.model.filters import FiltersAccessKeys
from omisim.model.filters.dicts import FiltersAccessKeysDict
from omisim.spec.rules import refuse

MAX_KEYS = 10


@action("CreateAccessKey", "AccessKey")
def create_access_key(
    call: Call, *, expiration_date: str | None = None, tag: str | None = None, user_name: str | None = None
) -> AccessKeySecretKey:
    """Create an active access key, optionally with an expiration date.

    Returns it with its secret, which no other answer contains (AK-002).
    """
    _check_user(call, user_name)
    expires = _parse_date(call, expiration_date, "AK-004")
    call.check(len(_find_own_keys(call)) < MAX_KEYS, "AK-001", most=MAX_KEYS)
    access_key, secret_key = ids.make_access_key(call.tx.settings.seed, call.tx.next_number("access_key"))
    key = call.add(
        AccessKey(
            access_key_id=access_key,
            account_id=call.account.account_id,
            creation_date=call.now,
            expiration_date=expires,
            last_modification_date=call.now,
            secret_key=secret_key,
            tag=tag,
        )
    )
    return view_as(AccessKeySecretKey, key)


@action("ReadAccessKeys", "AccessKeys")
def read_access_keys(
    call: Call,
    *,
    filters: FiltersAccessKeys | FiltersAccessKeysDict | None = None,
    tag: str | None = None,
    user_name: str | None = None,
) -> tuple[AccessKey, ...]:
    """List the access keys of the account without their secrets (AK-009)."""
    _check_user(call, user_name)
    keys = call.select((key for key in _find_own_keys(call) if tag in (None, key.tag)), as_parsed(filters))
    return tuple(map(hide_secrets, keys))


@action("UpdateAccessKey", "AccessKey")
def update_access_key(
    call: Call,
    *,
    access_key_id: str,
    clear_expiration_date: bool = False,
    clear_tag: bool = False,
    expiration_date: TextOrEmpty | None = None,
    state: str | None = None,
    tag: TextOrEmpty | None = None,
    user_name: str | None = None,
) -> AccessKey:
    """Change the state, the expiration date or the tag of a key.

    An empty date or tag clears it, as does a state without a date (AK-006). A date beside ClearExpirationDate and a tag
    beside ClearTag are ignored (AK-006/clear).
    """
    changes = (state, expiration_date, tag, clear_expiration_date or None, clear_tag or None)
    call.check(any(value is not None for value in changes), "AK-005")
    call.check(state in (None, *AccessKeyState), "AK-005/state", state=state)
    _check_user(call, user_name)
    expires = _parse_date(call, None if clear_expiration_date else expiration_date, "AK-004/update")
    key = call.get_owned(AccessKey, access_key_id, "AK-007/update")
    call.check_state(key)
    keeps = expiration_date is None and state is None and not clear_expiration_date
    new_tag = key.tag if tag is None else tag or None
    changed = replace(
        key,
        expiration_date=key.expiration_date if keeps else expires,
        last_modification_date=call.now,
        tag=None if clear_tag else new_tag,
    )
    changed = call.put(changed)
    if state not in (None, key.state):
        changed = call.move(changed, "activate" if state == AccessKeyState.ACTIVE else "deactivate")
    return hide_secrets(changed)


@action("DeleteAccessKey")
def delete_access_key(call: Call, *, access_key_id: str, user_name: str | None = None) -> None:
    """Delete an access key. It can no longer sign requests (AK-007)."""
    _check_user(call, user_name)
    key = call.get_owned(AccessKey, access_key_id, "AK-007")
    call.check_state(key)
    call.move(key, "delete")


def _find_own_keys(call: Call) -> list[AccessKey]:
    return call.state.find_by("access_key", "account_id", call.account.account_id)


def _check_user(call: Call, user_name: str | None) -> None:
    call.check(user_name is None, "ACC-003/user", user_name=user_name)


def _parse_date(call: Call, text: str | None, rule: str) -> dt.datetime | None:
    """Parse an expiration date, which must be in the future."""
    if not text:
        return None
    try:
        at = parse_date(text)
    except ValueError:
        call.report(refuse(rule, expiration_date=text))
        return None
    call.check(at > call.now, rule, expiration_date=text)
    return at
