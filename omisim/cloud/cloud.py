"""`Cloud`: one in-memory cloud: its accounts, its clock, and the ways to look at it, undo it, fork it and save it."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping
from contextlib import AbstractContextManager, contextmanager
from dataclasses import replace
from pathlib import Path
from typing import TYPE_CHECKING, Any, NoReturn, SupportsIndex

from omisim.actions.new_account import open_account
from omisim.base.clock import Clock, ManualClock
from omisim.base.clock import checked as checked_clock
from omisim.cloud.account import Account
from omisim.cloud.guests import Guests
from omisim.cloud.marketplace import Marketplace
from omisim.cloud.official import Images, adopt, retire
from omisim.cloud.pace import Pace
from omisim.cloud.sight import Sight
from omisim.engine.engine import Mark, first_state
from omisim.model import Account as AccountRow
from omisim.model import Image
from omisim.model.serialize import iso
from omisim.spec.catalog import CATALOGS, catalog
from omisim.state.dump import dumped, loaded
from omisim.state.settings import Settings, Value

if TYPE_CHECKING:
    from omisim.server import Running

__all__ = ["Cloud"]

DEFAULT_REGION = "eu-west-2"


class Cloud(Sight, Guests, Pace):
    """An OUTSCALE cloud in memory: every Region of the catalogue, and the accounts a test makes.

    Args:
        seed: ids depend on it and on the calls, on nothing else.
        timing: "eager" (transients run to their end as soon as a call is answered), "clock" (each at its due time),
            or "manual" (only `complete` and `fail` move them).
        clock: where time comes from; by default a `ManualClock` that starts at 2026-01-01T00:00:00Z.
        switches: answers to open questions of behaviour by name, or other errors by rule id.
        catalog: what the cloud begins with; "default".
        auth: how the wire identifies callers: "strict" (signatures verified), "lenient" (the key must exist), "off".
        history: how many changes and calls are kept for `events` and `calls`; a live mark keeps all since it.
        fetch: gets the bytes behind a URL that an import names and that is not in this cloud's object storage; without
            one such a URL is unreachable (IMP-002). It is forked and not dumped.

    Raises ValueError for a value that is not known, with the list of those that are.
    """

    def __init__(
        self,
        seed: int | str = 0,
        timing: str = "eager",
        clock: Clock | None = None,
        switches: Mapping[str, Value] | None = None,
        catalog: str = "default",
        auth: str = "strict",
        history: int = 10_000,
        fetch: Callable[[str], bytes] | None = None,
    ) -> None:
        if catalog not in CATALOGS:
            raise ValueError(f"catalog is one of {', '.join(CATALOGS)}; not {catalog!r}")
        if type(history) is not int or history < 1:
            raise ValueError(f"history is a number of changes from 1 up, not {history!r}")
        if fetch is not None and not callable(fetch):
            raise ValueError(f"fetch is a function from a URL to its bytes, not {fetch!r}")
        settings = Settings.checked(seed, timing, auth, switches)
        settings.fetch = fetch
        self._begin(settings, ManualClock() if clock is None else checked_clock(clock), first_state().fork(), history)
        self._start = self._clock.now()

    # --- accounts

    def account(
        self,
        name: str,
        region: str | None = None,
        alias: str | None = None,
        quotas: Mapping[str, int] | None = None,
    ) -> Account:
        """Return the account of this name; the first use creates it, with one access key.

        `region` (default eu-west-2), `alias` and `quotas` (by name, 0 for no limit) are fixed at the first use: a later
        one that differs raises ValueError.
        """
        with self._lock:
            rows = self._state.found("account", "name", name)
            if not rows:
                row = self._opened(name, region or DEFAULT_REGION, alias, quotas or {})
            else:
                row = rows[0]
                _same(name, "region", region, row.region)
                _same(name, "alias", alias, row.alias)
                _same(name, "quotas", None if quotas is None else dict(quotas), dict(row.quotas))
            known = self._accounts.get(name)
            if known is None or known.account_id != row.account_id:
                keys = self._state.found("access_key", "account", row.account_id)
                known = self._accounts[name] = Account(self, row, keys[0] if keys else None)
            return known

    def _opened(self, name: str, region: str, alias: str | None, quotas: Mapping[str, int]) -> AccountRow:
        if not isinstance(name, str) or not name:
            raise ValueError(f"an account needs a name, not {name!r}")
        _one_of("region", region, catalog().regions)
        if alias is not None and not isinstance(alias, str):
            raise ValueError(f"an alias is a text, not {alias!r}")
        if not isinstance(quotas, Mapping):
            raise ValueError(f"quotas are a mapping of names to numbers, not {quotas!r}")  # noqa: TRY004 - as every wrong argument
        for quota, limit in quotas.items():
            _one_of("quota", quota, catalog().quotas)
            if type(limit) is not int or limit < 0:
                raise ValueError(f"the quota {quota} is a number from 0 up, not {limit!r}")
        return open_account(self._tx("account"), name, region, alias, quotas)

    def allow_account_creation(self, name: str) -> None:
        """Let an account open others with CreateAccount, which the API grants on demand (ACC-007).

        Raises ValueError for an account that there is not.
        """
        with self._writing("account") as tx:
            rows: list[AccountRow] = self._state.found("account", "name", name)
            if not rows:
                raise ValueError(f"there is no account {name!r} yet: call cloud.account({name!r}) first")
            tx.put(replace(rows[0], creates_accounts=True))

    # --- the platform's OMIs

    @property
    def images(self) -> Images:
        """The official OMIs: `cloud.images.official("debian")` is the newest, `cloud.images.all(region)` are all."""
        return Images(lambda: self._state)

    @property
    def marketplace(self) -> Marketplace:
        """The OUTSCALE Marketplace: publish, subscribe, activate, new_version, unpublish."""
        return Marketplace(lambda: self._state, self._writing)

    def adopt(self, image_id: str, region: str = DEFAULT_REGION, like: str = "Ubuntu") -> Image:
        """Let an OMI of this id exist, public and official, so that code which names it can run.

        It has the disks and product codes of the newest official OMI `like` this. One that exists already is returned
        as it is. Raises ValueError for what is no id of an OMI.
        """
        with self._writing("adopt") as tx:
            return adopt(tx, image_id, region, like)

    def allow_unknown_images(self, *, allow: bool = True) -> None:
        """Adopt every OMI id that a CreateVms, CreateImage or ReadImages names and that this cloud never had."""
        self._settings.unknown_images = allow

    def set_capacity(self, subregion: str, vms: int | None) -> None:
        """Let a Subregion have room for so many living VMs, of all accounts; None: for any number (VM-005, VMT-012).

        CreateVms launches as many as there is room for, and is refused for less than MinVmsCount. Raises ValueError for
        a Subregion that there is not, or a negative number.
        """
        _one_of("subregion", subregion, {name: 1 for row in catalog().regions.values() for name in row.subregions})
        if vms is not None and (type(vms) is not int or vms < 0):
            raise ValueError(f"a capacity is a number of VMs from 0 up, not {vms!r}")
        with self._lock:
            self._settings.capacity.pop(subregion, None)
            if vms is not None:
                self._settings.capacity[subregion] = vms

    def retire(self, image_id: str) -> None:
        """Remove an OMI as its owner would; VMs and copies made from it go on. Raises ValueError for an unknown one."""
        with self._writing("retire") as tx:
            retire(tx, image_id)

    # --- undoing and forking

    def mark(self) -> Mark:
        """Return a point to roll back to. While it lives, everything since it is kept."""
        with self._lock:
            mark = Mark(self._state.position, self._clock.now(), self._session.call_position)
            self._marks.add(mark)
            return mark

    def rollback(self, mark: Mark) -> None:
        """Undo everything since a mark, by whomever. Raises ValueError when the mark itself has been undone."""
        with self._lock:
            self._check_mark(mark)
            self._state.undo_to(mark.position)
            self._clock.restore(mark.at)
            for other in list(self._marks):
                if other.position > mark.position:
                    self._marks.discard(other)

    @contextmanager
    def savepoint(self) -> Iterator[None]:
        """Undo at the end everything that happened inside."""
        mark = self.mark()
        try:
            yield
        finally:
            self.rollback(mark)

    def fork(self) -> Cloud:
        """Return an independent cloud in the same state, with a clock of its own and an empty session."""
        with self._lock:
            twin = Cloud.__new__(Cloud)
            twin._begin(self._settings.copy(), self._clock.copy(), self._state.fork(), self._history)
            twin._start = self._start
            return twin

    def __reduce_ex__(self, protocol: SupportsIndex) -> NoReturn:
        """Refuse `copy`, `deepcopy` and `pickle`, which would share a clock and a lock, or fail in Python's words."""
        raise TypeError("a cloud is copied by cloud.fork(), and saved by cloud.dump() for Cloud.load")

    def reset(self) -> None:
        """Go back to the cloud as it was made: no accounts, no calls, the clock at its start."""
        with self._lock:
            settings, clock, start = self._settings, self._clock, self._start
            clock.restore(start)
            settings.durations.clear()
            settings.capacity.clear()
            lock = self._lock
            self._begin(settings, clock, first_state().fork(), self._history)
            self._lock, self._start = lock, start

    def __repr__(self) -> str:
        """Name its time, its timing and its accounts."""
        return f"<cloud at {iso(self.now)}, {self.timing}: {', '.join(self.accounts) or 'no accounts yet'}>"

    def __eq__(self, other: object) -> bool:
        """Whether two clouds are in the same state, at the same time, with the same history of changes."""
        if not isinstance(other, Cloud):
            return NotImplemented
        return self._state == other._state and self._clock.now() == other._clock.now()

    __hash__ = None  # type: ignore[assignment]  # a cloud changes

    # --- saving

    def dump(self) -> dict[str, Any]:
        """Return the cloud as plain JSON data, for `Cloud.load`. The session is left out."""
        with self._lock:
            return dumped(self._state, self._settings, self._clock, self._history, first_state())

    @classmethod
    def load(cls, data: Mapping[str, Any]) -> Cloud:
        """Return the cloud that `dump` made this of. Raises ValueError for anything else."""
        settings, clock, state, history = loaded(data, first_state().fork())
        cloud = cls.__new__(cls)
        cloud._begin(settings, clock, state, history)
        cloud._start = clock.now()
        return cloud

    # --- scenarios

    @classmethod
    def from_scenario(cls, scenario: str | Path, **given: Any) -> Cloud:
        """Return the cloud that a scenario sets up: a TOML file by its path, or a shipped one by its bare name.

        `given` are arguments of the constructor, which rule over those of the file. The calls that set it up are not in
        `calls`. Raises ValueError with the line of the file that is wrong.
        """
        from omisim.tools.scenario import played  # noqa: PLC0415 - an edge of L6: it reads files

        return played(scenario, given)

    # --- doors

    def intercept(self) -> AbstractContextManager[list[str]]:
        """Let every request of this process to an OUTSCALE host reach this cloud: a context manager.

        It reaches `requests` and everything else on urllib3 (hence osc-sdk-python and boto3), and httpx, in all
        threads. The innermost cloud answers; hosts that are not OUTSCALE's pass through. What nobody here serves is
        refused with `omisim.clients.intercept.NotServed`, and listed in what the context yields.
        """
        from omisim.clients.intercept import intercepted  # noqa: PLC0415 - a door of L6; needs urllib3

        return intercepted(self)

    def sleeping(self) -> AbstractContextManager[None]:
        """Let the sleeps of this thread move the clock instead of waiting: a context manager.

        `time.sleep` and `asyncio.sleep` return at once, and what falls due meanwhile happens. A transient lasts only
        with `Cloud(timing="clock")`. Other threads, and the standard library itself, sleep really.
        """
        from omisim.clients.sleeping import sleeping  # noqa: PLC0415 - a door of L6

        return sleeping(self)

    def serve(
        self, port: int = 0, host: str = "127.0.0.1", *, tls: bool | tuple[str, str] = False, token: str | None = None
    ) -> AbstractContextManager[Running]:
        """Serve this cloud over HTTP, or HTTPS with `tls`, as long as the context lasts.

        Yields a `Running`: its `url`, its `env(account)` for clients, the `token` of its control plane. Port 0 picks a
        free one; `tls` may name the files of a certificate and its key. Needs the extra `omisim[server]`. Raises
        OSError when the port is taken.
        """
        try:
            from omisim.server import running  # noqa: PLC0415 - a door of L6; needs cheroot
        except ImportError as error:
            raise ImportError("cloud.serve() needs cheroot: pip install 'omisim[server]'") from error
        return running(self, port, host, tls=tls, token=token)


def _one_of(what: str, value: str, known: Mapping[str, object]) -> None:
    if value not in known:
        raise ValueError(f"{what} is one of {', '.join(known)}; not {value!r}")


def _same(name: str, what: str, given: object, had: object) -> None:
    if given is not None and given != had:
        raise ValueError(f"the account {name!r} exists already, with {what}={had!r}, not {given!r}")
