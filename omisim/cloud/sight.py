"""What a cloud shows of itself: accounts, calls, events, timelines, lineage, differences, rights, names."""

from __future__ import annotations

from typing import Any

from omisim.base.suggest import hint
from omisim.cloud.calls import Calls, asked_for
from omisim.cloud.diff import Difference, differences, who_can
from omisim.engine.engine import Engine, Mark, first_state
from omisim.model import ENTITIES
from omisim.state.lineage import Lineage, lineage
from omisim.state.state import Change

__all__ = ["Sight"]

_LISTED = frozenset(entity.kind for entity in ENTITIES)


class Sight(Engine):
    """The part of `Cloud` that looks, and changes nothing."""

    @property
    def accounts(self) -> tuple[str, ...]:
        """The names of the accounts that were made, in that order; without the platform's own."""
        own = first_state().rows("account")
        return tuple(row.name for row_id, row in self._state.rows("account").items() if row_id not in own)

    def calls(
        self, action: str | None = None, *, account: str | None = None, since: Mark | None = None, **parameters: Any
    ) -> Calls:
        """Return the calls so far, oldest first: of one action, of one account, since a mark, with these parameters.

        `parameters` go by the API's names, and each must be among the call's: objects by their keys, lists by their
        items. `calls(...).one()` is the only such call; where there is none, it tells which came nearest. Raises
        ValueError for an action, an account or a parameter that there is not, and for another cloud's mark.
        """
        with self._lock:
            if since is not None:
                self._check_mark(since)
            position = self._session.call_position
            count = self._kept(position, "call_position") if since is None else position - since.call_position
            kept = self._session.calls[max(0, len(self._session.calls) - count) :]
            return asked_for(kept, action, account, parameters, self.accounts)

    @property
    def warnings(self) -> tuple[str, ...]:
        """What was allowed but probably not meant, oldest first."""
        return tuple(self._session.warnings)

    @property
    def events(self) -> tuple[Change, ...]:
        """The changes of resources so far, oldest first."""
        kept = self._state.journal[-self._kept(self._state.position, "position") :]
        return tuple(change for change in kept if change.kind in _LISTED)

    def timeline(self, resource_id: str) -> tuple[Change, ...]:
        """Return the changes of one resource so far, oldest first; for a volume, those of its links too.

        None for one of the catalogue, and for what the history forgot. Raises ValueError for an id that never was here.
        """
        with self._lock:
            changes = tuple(change for change in self.events if change.id == resource_id)
            if not changes and all(self._state.get(kind, resource_id) is None for kind in (*_LISTED, "origin")):
                raise ValueError(f"{resource_id} is nothing this cloud has had")
            return changes

    def lineage(self, resource_id: str) -> Lineage:
        """Return what a resource came from and what came of it. Raises ValueError for an id that never was here."""
        with self._lock:
            return lineage(self._state, resource_id)

    def diff(self, other: Sight) -> tuple[Difference, ...]:
        """Return the rows in which another cloud differs from this one; none for a fork that nothing happened to."""
        if not isinstance(other, Sight):
            raise ValueError(f"a cloud differs from another Cloud, for example its fork(); not from {other!r}")  # noqa: TRY004 - as every wrong argument
        with self._lock:
            return tuple(differences(self._state, other._state))

    def who_can(self, image_id: str) -> dict[str, tuple[str, ...]]:
        """Return what each account may do with an OMI: read, launch, copy, export, modify, delete.

        Accounts that may do nothing are left out. Raises ValueError for an OMI that is not there.
        """
        with self._lock:
            return who_can(self._state, image_id)

    def named(self, name: str) -> str:
        """Return the id of what a scenario made under this name; "golden/dev/sda1" is behind a device of "golden".

        Raises ValueError, with the names that there are, for any other.
        """
        found: str | None = self._state.get("name", name)
        if found is None:
            known = self._state.rows("name")
            raise ValueError(f"nothing is named {name!r}{hint(name, known)}; known: {', '.join(known) or 'nothing'}")
        return found
