"""`Call`: what an action gets beside its parameters: who calls, the state, the time, how to check and write."""

from __future__ import annotations

import datetime as dt
from collections.abc import Callable, Iterable, Mapping, Sequence
from typing import Any, TypeVar, cast

from omisim.model import AccountRow, ClientToken, Entity, OrDict, Origin
from omisim.model.ids import derive_hex
from omisim.spec.errors import ApiError
from omisim.spec.lifecycle import get_cell_rule, get_phase
from omisim.spec.rules import refuse
from omisim.state.lineage import get_product_codes
from omisim.state.settings import Value
from omisim.state.state import State
from omisim.state.transaction import Transaction

__all__ = ["Call", "Stop", "as_parsed", "as_parsed_list"]

E = TypeVar("E", bound=Entity)
T = TypeVar("T")


class Stop(Exception):
    """Nothing after this makes sense, and the reason was collected already (only when somebody asks `why_not`)."""


class Call:
    """One call of one account. Actions check with `refuse` and `check`, read, then write.

    `refuse` (spec/rules.py) where nothing after it makes sense; `check` where the rest can still be checked: it raises
    in a call, and collects when somebody asks `why_not`. Nothing is written once a check has failed.
    """

    def __init__(
        self,
        action: str,
        account: AccountRow | None,
        region: str,
        tx: Transaction,
        *,
        log: Sequence[Any] = (),
        collect: bool = False,
        spell: Callable[[str], str] = str,
    ) -> None:
        self.action = action
        self.spell = spell  # how the caller writes the name of a parameter
        self.region = region
        self.tx = tx
        self.state: State = tx.state
        self.now: dt.datetime = tx.at
        self.log = log  # the session's records of calls, of a package above; this call's own is the last
        self.values: Mapping[str, Any] = {}  # what the caller gave, once it is read
        self.refusals: list[ApiError] = []
        self.warnings: list[str] = []
        self._account = account
        self._account_id = account and account.account_id
        self._collect = collect

    @property
    def account(self) -> AccountRow:
        """The account that calls. An action open to everybody must not ask."""
        assert self._account is not None, f"{self.action} is open to everybody"
        return self._account

    @property
    def has_account(self) -> bool:
        """Whether somebody signed the call; nobody has to sign an action that is open to everybody."""
        return self._account is not None

    def switch(self, name: str) -> Value:
        """Return this cloud's answer to an open question of behaviour."""
        return self.tx.settings.switch(name)

    # --- checking

    def check(self, ok: object, rule: str, /, **facts: Any) -> bool:
        """Refuse unless `ok`. Returns whether it was, which only matters when refusals are collected."""
        if not ok:
            self.report(refuse(rule, **facts))
        return bool(ok)

    def check_range(self, start: dt.datetime | None, end: dt.datetime | None) -> None:
        """Refuse a range of dates that ends before it begins."""
        self.check(not (start and end and start > end), "FLT-009", start=start, end=end)

    def report(self, error: Exception) -> None:
        """Raise the refusal, or collect it."""
        if not self._collect or not isinstance(error, ApiError):
            raise error
        self.refusals.append(error)

    def check_state(self, entity: Entity, action: str | None = None) -> None:
        """Refuse when the entity's lifecycle forbids the action in its state."""
        action, state = action or self.action, get_phase(entity)
        if self.tx.observer is not None:
            self.tx.observer.on_attempt(entity.kind, action, state)
        rule = get_cell_rule(entity.kind, action, state)
        if rule is not None:
            self.report(ApiError(rule, {"id": entity.id, "state": state}))

    def get_owned(self, cls: type[E], row_id: str, rule: str, /) -> E:
        """Return an entity of the caller's, or refuse: an unknown one and a foreign one are the same (ID-018)."""
        entity: E | None = self.state.get(cls.kind, row_id)
        if entity is None or not self.owns(entity):
            raise refuse(rule, **{cls.key: row_id})
        return entity

    def owns(self, entity: Any) -> bool:
        """Whether the entity belongs to the caller."""
        mine: bool = entity.account_id == self._account_id
        return mine

    def get_region(self, account_id: str) -> str:
        """Return the Region of an account: what it owns is there, and nowhere else (REG-001)."""
        account: AccountRow = self.state.get("account", account_id)
        return account.region

    # --- reading

    def rows(self, cls: type[E], ids: Sequence[str] | None = None) -> Iterable[E]:
        """Return all entities of a kind in creation order, or those of the ids that exist."""
        if ids is None:
            return self.state.rows(cls.kind).values()
        found = [row for row_id in dict.fromkeys(ids) if (row := self.state.get(cls.kind, row_id)) is not None]
        return sorted(found, key=lambda row: self.state.order(cls.kind, row.id)) if len(found) > 1 else found

    def own_rows(self, cls: type[E], ids: Sequence[str] | None = None) -> list[E]:
        """Return all entities of a kind that are the caller's, or those of the ids that are."""
        return [row for row in self.rows(cls, ids) if self.owns(row)]

    # --- writing: never after a failed check

    def add(self, entity: E, *, then: str | None = None) -> E:
        """Create an entity."""
        self.stop_if_refused()
        return self.tx.add(entity, then=then)

    def put(self, entity: E) -> E:
        """Change an entity's fields, not its state."""
        self.stop_if_refused()
        return self.tx.put(entity)

    def move(self, entity: E, event: str, **fields: Any) -> E:
        """Move an entity along its lifecycle."""
        self.stop_if_refused()
        return self.tx.move(entity, event, **fields)

    def drop(self, entity: Entity) -> None:
        """Remove an entity whose kind has no lifecycle."""
        self.stop_if_refused()
        self.tx.drop(entity)

    def new_id(self, kind: str) -> str:
        """Return a fresh id."""
        self.stop_if_refused()
        return self.tx.new_id(kind)

    def record_origin(self, entity: Entity, label: str, *parents: tuple[str, str]) -> None:
        """Keep where an entity came from: (how, id of what it came from), the main one first."""
        owner = self.account.account_id
        inherited = (codes for _, parent in parents if (codes := self.get_product_codes(parent)))
        codes = getattr(entity, "product_codes", None) or next(inherited, ())
        self.tx.write("origin", entity.id, Origin(entity.kind, entity.id, owner, label, parents, codes))

    def get_product_codes(self, row_id: str) -> tuple[str, ...]:
        """Return the product codes of a resource, or of what it was made from, though the API shows none on disks."""
        return get_product_codes(self.state, row_id)

    def warn(self, text: str) -> None:
        """Leave a warning for the caller: allowed, but probably not what was meant."""
        self.warnings.append(text)

    def stop_if_refused(self) -> None:
        """Go on only if no check has failed: where what is about to be made needs what they have looked at."""
        if self.refusals:
            raise Stop

    # --- ClientToken

    def find_repeated(self, cls: type[E], client_token: str | None) -> tuple[E, ...]:
        """Return what this ClientToken made before, if it did (SNP-014, VOL-017, VM-008)."""
        if client_token is None:
            return ()
        before: ClientToken | None = self.state.get("token", self._make_token_key(client_token))
        if before is None:
            return ()
        same = before.request == self._compute_fingerprint()
        self.check(same, "SNP-014", client_token=client_token, made=before.ids)
        rows = tuple(row for row_id in before.ids if (row := self.state.get(cls.kind, row_id)) is not None)
        if len(rows) < len(before.ids):
            raise refuse("SNP-014/gone", client_token=client_token, made=before.ids)
        return rows

    def use_token(self, client_token: str | None, *made: Entity) -> None:
        """Remember what a ClientToken made."""
        if client_token is not None:
            ids = tuple(entity.id for entity in made)
            self.tx.write("token", self._make_token_key(client_token), ClientToken(self._compute_fingerprint(), ids))

    def _make_token_key(self, client_token: str) -> str:
        return f"{self.account.account_id}:{self.action}:{client_token}"

    def _compute_fingerprint(self) -> str:
        """Stand for the request as it was sent: what it does not say is not filled in."""
        return derive_hex(*sorted((name, repr(value)) for name, value in self.values.items()))


def as_parsed(value: OrDict[T] | None) -> T | None:
    """Tell the type checker what the schema has done: a nested argument is a dataclass by now."""
    return value  # type: ignore[return-value]


def as_parsed_list(values: Sequence[OrDict[T]] | None) -> tuple[T, ...]:
    """Tell the type checker the same of a list; an absent one is empty."""
    return cast("tuple[T, ...]", values or ())
