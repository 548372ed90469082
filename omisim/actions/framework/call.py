"""`Call`: the context of an action: its caller, the state, the time, and the methods that check and write."""

from __future__ import annotations

import datetime as dt
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from itertools import islice, repeat
from typing import Any, TypeVar, cast

from omisim.actions.framework.request import EVERYTHING, NOTHING
from omisim.base.sharing import share
from omisim.model import AccountRow, ClientToken, Entity, OrDict, Origin
from omisim.model.filters import Filters, compile_filters, find_ids_alone, select_matching
from omisim.model.ids import derive_hex
from omisim.spec.cell_rules import get_cell_rule
from omisim.spec.errors import ApiError
from omisim.spec.lifecycle import get_phase
from omisim.spec.rules import refuse
from omisim.state.indexes import ELSEWHERE, INDEXES
from omisim.state.lineage import get_product_codes
from omisim.state.settings import Value
from omisim.state.state import State
from omisim.state.table import Lookup
from omisim.state.transaction import Transaction

__all__ = ["Call", "Stop", "as_parsed", "as_parsed_list"]

E = TypeVar("E", bound=Entity)
T = TypeVar("T")


class Stop(Exception):
    """Ends a call whose refusals were collected for `why_not`, where no later check makes sense."""


class Call:
    """One call of one account. An action checks, reads, then writes.

    An action raises `refuse(...)` (spec/rules.py) where no later check makes sense, and calls `check` where the rest
    can still be checked. `check` raises in a call and collects the refusal for `why_not`. After a failed check, nothing
    is written.
    """

    __slots__ = (
        "_account", "_account_id", "_collect", "action", "decoded", "log", "now", "page", "refusals", "region", "spell",
        "state", "tx", "values", "warnings",
    )  # fmt: skip

    def __init__(
        self,
        action: str,
        account: AccountRow | None,
        region: str,
        tx: Transaction,
        log: Sequence[Any] = (),
        spell: Callable[[str], str] = str,
        *,
        collect: bool = False,
    ) -> None:
        self.action = action
        self.spell = spell  # snake_case name of a parameter → the caller's spelling
        self.region = region
        self.tx = tx
        self.state: State = tx.state
        self.now: dt.datetime = tx.at
        self.log = log  # the session's call log, ending with this call; its class belongs to a higher package
        self.values: Mapping[str, Any] = NOTHING  # the parsed parameters that the caller gave
        self.page = EVERYTHING
        self.decoded: Mapping[Any, Any] = NOTHING  # the disk images that were decoded ahead (imports.Decoded)
        self.refusals: list[ApiError] = []
        self.warnings: tuple[str, ...] = ()
        self._account = account
        self._account_id: str | None = account.account_id if account else None
        self._collect = collect

    @property
    def account(self) -> AccountRow:
        """The account of the caller. An action that needs no authentication must not use it."""
        assert self._account is not None, f"{self.action} needs no authentication"
        return self._account

    @property
    def has_account(self) -> bool:
        """Whether the call is signed. An action that needs no authentication may be unsigned."""
        return self._account is not None

    def switch(self, name: str) -> Value:
        """Return the value of a behaviour switch in this cloud."""
        return self.tx.settings.switch(name)

    # --- checking

    def check(self, ok: object, rule: str, /, **facts: Any) -> bool:
        """Refuse the call unless `ok`. Returns whether it is, which only matters when refusals are collected."""
        if not ok:
            self.report(refuse(rule, **facts))
        return bool(ok)

    def check_range(self, start: dt.datetime | None, end: dt.datetime | None) -> None:
        """Refuse a date range that ends before it starts (FLT-009)."""
        self.check(not (start and end and start > end), "FLT-009", start=start, end=end)

    def report(self, error: ApiError) -> None:
        """Raise the refusal, or collect it."""
        if self._collect:
            self.refusals.append(error)
            return
        try:
            raise error
        finally:
            del error  # its traceback holds this frame

    def check_state(self, entity: Entity, action: str | None = None) -> None:
        """Refuse the action if the entity's lifecycle forbids it in the entity's state."""
        action, state = action or self.action, get_phase(entity)
        if self.tx.observer is not None:
            self.tx.observer.on_attempt(entity.kind, action, state)
        rule = get_cell_rule(entity.kind, action, state)
        if rule is not None:
            self.report(ApiError(rule, {"id": entity.id, "state": state}))

    def get_owned(self, cls: type[E], row_id: str, rule: str, /) -> E:
        """Return an entity of the caller. Refuses an unknown entity and one of another account alike (ID-018)."""
        entity: E | None = self.state.get(cls.kind, row_id)
        if entity is None or not self.owns(entity) or entity.is_gone:
            raise refuse(rule, **{cls.key: row_id})
        return entity

    def owns(self, entity: Any) -> bool:
        """Whether the entity belongs to the caller."""
        mine: bool = entity.account_id == self._account_id
        return mine

    def get_region(self, account_id: str) -> str:
        """Return the Region of an account, which contains all its resources (REG-001)."""
        account: AccountRow = self.state.get("account", account_id)
        return account.region

    # --- reading

    def select(self, entities: Iterable[T], filters: Filters[T] | None) -> tuple[T, ...]:
        """Return the entities that match the filters, in their order: all, or as many as the requested page needs."""
        return self.take(select_matching(entities, filters))

    def take(self, results: Iterable[T]) -> tuple[T, ...]:
        """Return the results in the form of answers: all, or as many as the requested page needs."""
        page = self.page
        return tuple(islice(results if page.select is None else page.select(self._account_id, results), page.limit))

    def read_own(
        self, cls: type[E], filters: Filters[E] | None, view: Callable[[State, E], E] | None = None
    ) -> tuple[E, ...]:
        """Return the caller's entities of a class that match the filters, in creation order, as `select` does.

        `view` returns the form of an entity in answers.
        """
        ids = find_ids_alone(cls, filters)
        rows = self.own_rows(cls, filters) if ids is None else filter(self.owns, self._find_by_ids(cls, ids))
        shown = rows if view is None else map(view, repeat(self.state), rows)
        return self.take(shown if ids is not None else select_matching(shown, filters))

    def own_rows(self, cls: type[E], filters: Filters[Any] | None = None) -> Iterator[E]:
        """Yield the caller's entities of a class as `find_rows` does."""
        return filter(self.owns, self.find_rows(cls, [("account_id", self._account_id)], filters))

    def find_rows(self, cls: type[E], lookup: Lookup, filters: Filters[Any] | None = None) -> Iterator[E]:
        """Yield the entities that a lookup finds and the filters match, in creation order, and perhaps others.

        It takes the rows from the index that has the fewest: that of the lookup, or that of one of the filters. Those
        that earlier pages showed are left out.
        """
        kind, state = cls.kind, self.state
        lookups = [lookup]
        for path, values in compile_filters(filters)[1]:
            if path == cls.key:
                return self._find_by_ids(cls, values)
            if path in INDEXES[kind]:
                lookups.append([(path, value) for value in values])
            elif (kind, path) in ELSEWHERE:
                other, index = ELSEWHERE[kind, path]
                lookups.append([("id", row.id) for value in values for row in state.find_by(other, index, value)])
        return state.find_narrowest(kind, lookups, self.page.first)

    def _find_by_ids(self, cls: type[E], ids: Iterable[object]) -> Iterator[E]:
        return self.state.find_by_ids(cls.kind, ids, self.page.first)

    # --- writing: never after a failed check

    def add(self, entity: E, *, then: str | None = None) -> E:
        """Create an entity. `then` is the event that leaves its first state, if not the lifecycle's own."""
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

    def record_origin(
        self, entity: Entity, label: str, *parents: tuple[str, str], values: tuple[tuple[str, str, str], ...] = ()
    ) -> None:
        """Record the origin of an entity for lineage: (relation, parent id) pairs, the main parent first.

        `values` are those of `Origin`.
        """
        owner = self.account.account_id
        codes: tuple[str, ...] = getattr(entity, "product_codes", ())
        for _, parent in parents:
            codes = codes or get_product_codes(self.state, parent)
        origin = share(Origin, entity.kind, owner, label, share(tuple, parents), codes, values)
        self.tx.write("origin", entity.id, origin)

    def warn(self, text: str) -> None:
        """Warn the caller about a request that is allowed but probably a mistake."""
        self.warnings += (text,)

    def stop_if_refused(self) -> None:
        """End the call if a check has failed: the code that follows relies on the checked values."""
        if self.refusals:
            raise Stop

    # --- ClientToken

    def find_repeated(self, cls: type[E], client_token: str | None) -> tuple[E, ...]:
        """Return the entities that an earlier call with this ClientToken created (SNP-014, VOL-017, VM-008).

        Empty for a new token. Refuses a token that was used with other parameters, or whose entities are gone.
        """
        if client_token is None:
            return ()
        token: ClientToken | None = self.state.get("token", self._make_token_key(client_token))
        if token is None:
            return ()
        same = token.request == self._compute_fingerprint()
        self.check(same, "SNP-014", client_token=client_token, made=token.ids)
        rows = tuple(row for row_id in token.ids if (row := self.state.get(cls.kind, row_id)) is not None)
        if len(rows) < len(token.ids):
            raise refuse("SNP-014/gone", client_token=client_token, made=token.ids)
        return rows

    def use_token(self, client_token: str | None, *created: Entity) -> None:
        """Store the entities that a call with this ClientToken created. Does nothing without a token."""
        if client_token is not None:
            ids = tuple(entity.id for entity in created)
            self.tx.write("token", self._make_token_key(client_token), ClientToken(self._compute_fingerprint(), ids))

    def _make_token_key(self, client_token: str) -> str:
        return f"{self.account.account_id}:{self.action}:{client_token}"

    def _compute_fingerprint(self) -> str:
        """Return a hash of the parameters as the caller sent them, without defaults."""
        return derive_hex(":".join(str((name, repr(value))) for name, value in sorted(self.values.items())))


def as_parsed(value: OrDict[T] | None) -> T | None:
    """Narrow a nested argument for the type checker: the schema has turned it into a dataclass."""
    return value  # type: ignore[return-value]


def as_parsed_list(values: Sequence[OrDict[T]] | None) -> tuple[T, ...]:
    """Narrow a list of nested arguments for the type checker. An absent list becomes empty."""
    return cast("tuple[T, ...]", values or ())
