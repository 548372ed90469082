"""`Cloud`: one in-memory cloud: its accounts, its clock, and the ways to look at it, undo it, fork it and save it."""

from __future__ import annotations

import datetime as dt
from collections.abc import Callable, Iterator, Mapping
from contextlib import AbstractContextManager, contextmanager
from dataclasses import replace
from pathlib import Path
from typing import TYPE_CHECKING, Any, ClassVar, NoReturn, SupportsIndex

from omisim.actions.new_account import open_account
from omisim.actions.vm_diagnostics import CONSOLE_BYTES
from omisim.base.clock import Clock, ManualClock
from omisim.base.clock import check_clock as checked_clock
from omisim.base.hosts import DEFAULT_REGION
from omisim.base.suggest import suggest
from omisim.cloud.access_matrix import who_can
from omisim.cloud.account import Account
from omisim.cloud.calls import Calls, search_calls
from omisim.cloud.diff import Difference, diff_states
from omisim.cloud.images import Images
from omisim.cloud.marketplace import Marketplace
from omisim.engine.engine import Engine, Mark
from omisim.engine.faults import Faults
from omisim.model import ENTITIES, AccessKey, AccountRow, Content, Image, Volume
from omisim.model.serialize import format_date
from omisim.spec.catalog import CATALOGS, QuotaName, load_catalog
from omisim.state.initial_state import initial_state
from omisim.state.lineage import Lineage, trace_lineage
from omisim.state.official_images import adopt, retire
from omisim.state.settings import Auth, Durations, Settings, Switches, Timing, Value
from omisim.state.state import Change

if TYPE_CHECKING:
    from omisim.server import Running

__all__ = ["Cloud"]

_LISTED = frozenset(entity.kind for entity in ENTITIES)


class Cloud:
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
        timing: Timing = "eager",
        clock: Clock | None = None,
        switches: Switches | Mapping[str, Value] | None = None,
        catalog: str = "default",
        auth: Auth = "strict",
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
        self._begin(Engine(settings, ManualClock() if clock is None else checked_clock(clock), history=history))

    def _begin(self, engine: Engine) -> None:
        self._engine = engine
        self._accounts: dict[str, Account] = {}

    @property
    def engine(self) -> Engine:
        """The parts of this cloud, and one call through them: for doors and tools."""
        return self._engine

    # --- accounts

    def account(
        self,
        name: str,
        region: str | None = None,
        alias: str | None = None,
        quotas: Mapping[QuotaName, int] | None = None,
    ) -> Account:
        """Return the account of this name; the first use creates it, with one access key.

        `region` (default eu-west-2), `alias` and `quotas` (by name, 0 for no limit) are fixed at the first use: a later
        one that differs raises ValueError.
        """
        with self.engine.lock:
            rows = self.engine.state.find_by("account", "name", name)
            if not rows:
                row = self._opened(name, region or DEFAULT_REGION, alias, quotas or {})
            else:
                row = rows[0]
                _same(name, "region", region, row.region)
                _same(name, "alias", alias, row.alias)
                _same(name, "quotas", None if quotas is None else dict(quotas), dict(row.quotas))
            known = self._accounts.get(name)
            if known is None or known.account_id != row.account_id:
                keys = self.engine.state.find_by("access_key", "account", row.account_id)
                known = self._accounts[name] = Account(self, row, keys[0] if keys else None)
            return known

    def _opened(self, name: str, region: str, alias: str | None, quotas: Mapping[QuotaName, int]) -> AccountRow:
        if not isinstance(name, str) or not name:
            raise ValueError(f"an account needs a name, not {name!r}")
        _one_of("region", region, load_catalog().regions)
        if alias is not None and not isinstance(alias, str):
            raise ValueError(f"an alias is a text, not {alias!r}")
        if not isinstance(quotas, Mapping):
            raise ValueError(f"quotas are a mapping of names to numbers, not {quotas!r}")  # noqa: TRY004 - as every wrong argument
        for quota, limit in quotas.items():
            _one_of("quota", quota, load_catalog().quotas)
            if type(limit) is not int or limit < 0:
                raise ValueError(f"the quota {quota} is a number from 0 up, not {limit!r}")
        return open_account(self.engine.begin("account"), name, region, alias, quotas)

    def allow_account_creation(self, name: str) -> None:
        """Let an account open others with CreateAccount, which the API grants on demand (ACC-007).

        Raises ValueError for an account that there is not.
        """
        with self.engine.transaction("account") as tx:
            rows: list[AccountRow] = self.engine.state.find_by("account", "name", name)
            if not rows:
                raise ValueError(f"there is no account {name!r} yet: call cloud.account({name!r}) first")
            tx.put(replace(rows[0], creates_accounts=True))

    def set_access_key(self, name: str, access_key: str, secret_key: str) -> Account:
        """Give an account this key in place of its first one, and return the account; one from before has the old key.

        Raises ValueError for an account that there is not, and for a key that is another account's.
        """
        with self.engine.transaction("account") as tx:
            account = self.account(name) if name in self.accounts else None
            if account is None:
                raise ValueError(f"there is no account {name!r} yet: call cloud.account({name!r}) first")
            known: AccessKey | None = self.engine.state.get("access_key", access_key)
            if known is not None and known.account_id != account.account_id:
                raise ValueError(f"the access key {access_key} is another account's")
            first: AccessKey = self.engine.state.get("access_key", account.access_key)
            if known is None:
                tx.add(replace(first, access_key_id=access_key, secret_key=secret_key))
                tx.move(first, "delete")
            del self._accounts[name]
            return self.account(name)

    # --- the platform's OMIs

    @property
    def images(self) -> Images:
        """The official OMIs: `cloud.images.official("debian")` is the newest, `cloud.images.all(region)` are all."""
        return Images(self.engine)

    @property
    def marketplace(self) -> Marketplace:
        """The OUTSCALE Marketplace: publish, subscribe, activate, new_version, unpublish."""
        return Marketplace(self.engine)

    def adopt(self, image_id: str, region: str = DEFAULT_REGION, like: str = "Ubuntu") -> Image:
        """Let an OMI of this id exist, public and official, so that code which names it can run.

        It has the disks and product codes of the newest official OMI `like` this. One that exists already is returned
        as it is. Raises ValueError for what is no id of an OMI.
        """
        with self.engine.transaction("adopt") as tx:
            return adopt(tx, image_id, region, like)

    def allow_unknown_images(self, *, allow: bool = True) -> None:
        """Adopt every OMI id that a CreateVms, CreateImage or ReadImages names and that this cloud never had."""
        self.engine.settings.unknown_images = allow

    def set_capacity(self, subregion: str, vms: int | None) -> None:
        """Let a Subregion have room for so many living VMs, of all accounts; None: for any number (VM-005, VMT-012).

        CreateVms launches as many as there is room for, and is refused for less than MinVmsCount. Raises ValueError for
        a Subregion that there is not, or a negative number.
        """
        _one_of("subregion", subregion, {name: 1 for row in load_catalog().regions.values() for name in row.subregions})
        if vms is not None and (type(vms) is not int or vms < 0):
            raise ValueError(f"a capacity is a number of VMs from 0 up, not {vms!r}")
        with self.engine.lock:
            self.engine.settings.capacity.pop(subregion, None)
            if vms is not None:
                self.engine.settings.capacity[subregion] = vms

    def retire(self, image_id: str) -> None:
        """Remove an OMI as its owner would; VMs and copies made from it go on. Raises ValueError for an unknown one."""
        with self.engine.transaction("retire") as tx:
            retire(tx, image_id)

    # --- time and failures

    @property
    def timing(self) -> str:
        """When what a call starts comes to its end: eager, clock or manual. It is given when the cloud is made."""
        return self.engine.settings.timing

    @property
    def now(self) -> dt.datetime:
        """The cloud's time, in UTC."""
        return self.engine.clock.now()

    @property
    def durations(self) -> Durations:
        """Seconds spent in transient states by "<kind>.<state>", where they are to differ from the default."""
        return self.engine.settings.durations

    def advance(self, seconds: float) -> None:
        """Move the clock by so many seconds; what falls due on the way happens, each at its own time."""
        with self.engine.lock:
            self.engine.scheduler.advance(seconds)

    def settle(self) -> None:
        """Jump to each due transient in turn until none is left, firing the timers that are passed."""
        with self.engine.lock:
            self.engine.scheduler.settle()

    def complete(self, resource_id: str) -> None:
        """Take one step on a resource's success path now. The id of a link is its volume's.

        For a pending OMI: complete the snapshots it waits for, and thereby the OMI. Raises ValueError when nothing is
        under way.
        """
        with self.engine.lock:
            self.engine.scheduler.complete(resource_id)

    def fail(self, resource_id: str, comment: str = "") -> None:
        """Let a resource fail now. For a pending OMI: one of its snapshots. Raises ValueError when it cannot."""
        with self.engine.lock:
            self.engine.scheduler.fail(resource_id, comment)

    @property
    def faults(self) -> Faults:
        """Calls that are to be refused on order: `faults.add("CreateSnapshot", times=2, status=503)`."""
        return self.engine.session.faults

    def fail_next(self, kind: str, id: str | None = None, comment: str = "") -> None:  # noqa: A002 - the users' name
        """Let the next transition of a kind (or of one resource) end in its failure state. Set it before the call.

        Raises ValueError for a kind that cannot fail, and for what is no id of that kind.
        """
        with self.engine.lock:
            self.engine.scheduler.fail_next(kind, id, comment)

    # --- what its VMs write

    def write(self, volume_id: str, path: str, text: str) -> None:
        """Write a file on a volume, as a guest would. Raises ValueError when there is no such volume, or no path."""
        if not isinstance(text, str):
            raise TypeError(f"a file is a text by its path, not {text!r}")
        if not isinstance(path, str) or not path:
            raise ValueError(f"a path is a text, for example /etc/motd; not {path!r}")
        with self.engine.lock:
            content = self._content(volume_id)
            files = tuple(sorted((dict(content.files) | {path: text}).items()))
            self.engine.begin("write").write("content", volume_id, Content(content.version + 1, files))

    def read(self, volume_id: str, path: str) -> str:
        """Return a file of a volume. Raises ValueError for an unknown volume, FileNotFoundError for an unknown path."""
        files = dict(self._content(volume_id).files)
        if path not in files:
            there = ", ".join(files) or "nothing"
            raise FileNotFoundError(f"there is no {path} on {volume_id}; there is {there}")
        return files[path]

    def write_console(self, vm_id: str, text: str) -> None:
        """Print on the console of a VM, as its guest would: ReadConsoleOutput answers the last 64 KiB of it (VM-056).

        Raises ValueError when there is no such VM.
        """
        with self.engine.lock:
            if self.engine.state.get("vm", vm_id) is None:
                raise ValueError(f"{vm_id!r} is no VM of this cloud")
            printed = self.engine.state.get("console", vm_id) or ""
            self.engine.begin("write").write("console", vm_id, (printed + text)[-CONSOLE_BYTES:])

    def _content(self, volume_id: str) -> Content:
        volume: Volume | None = self.engine.state.get("volume", volume_id)
        if volume is None:
            raise ValueError(f"{volume_id!r} is no volume of this cloud")
        return self.engine.state.get("content", volume_id) or Content()

    # --- looking at it

    @property
    def accounts(self) -> tuple[str, ...]:
        """The names of the accounts that were made, in that order; without the platform's own."""
        own = initial_state().rows("account")
        return tuple(row.name for row_id, row in self.engine.state.rows("account").items() if row_id not in own)

    def calls(
        self, action: str | None = None, *, account: str | None = None, since: Mark | None = None, **parameters: Any
    ) -> Calls:
        """Return the calls so far, oldest first: of one action, of one account, since a mark, with these parameters.

        `parameters` go by the API's names, and each must be among the call's: objects by their keys, lists by their
        items. `calls(...).one()` is the only such call; where there is none, it tells which came nearest. Raises
        ValueError for an action, an account or a parameter that there is not, and for another cloud's mark.
        """
        with self.engine.lock:
            if since is not None:
                self.engine.check_mark(since)
            position = self.engine.session.call_position
            count = self.engine.kept_calls() if since is None else position - since.call_position
            kept = self.engine.session.calls[max(0, len(self.engine.session.calls) - count) :]
            return search_calls(kept, action, account, parameters, self.accounts)

    @property
    def warnings(self) -> tuple[str, ...]:
        """What was allowed but probably not meant, oldest first."""
        return tuple(self.engine.session.warnings)

    @property
    def events(self) -> tuple[Change, ...]:
        """The changes of resources so far, oldest first."""
        kept = self.engine.state.journal[-self.engine.kept_changes() :]
        return tuple(change for change in kept if change.kind in _LISTED)

    def timeline(self, resource_id: str) -> tuple[Change, ...]:
        """Return the changes of one resource so far, oldest first; for a volume, those of its links too.

        None for one of the catalogue, and for what the history forgot. Raises ValueError for an id that never was here.
        """
        with self.engine.lock:
            changes = tuple(change for change in self.events if change.id == resource_id)
            if not changes and all(self.engine.state.get(kind, resource_id) is None for kind in (*_LISTED, "origin")):
                raise ValueError(f"{resource_id} is nothing this cloud has had")
            return changes

    def lineage(self, resource_id: str) -> Lineage:
        """Return what a resource came from and what came of it. Raises ValueError for an id that never was here."""
        with self.engine.lock:
            return trace_lineage(self.engine.state, resource_id)

    def diff(self, other: Cloud) -> tuple[Difference, ...]:
        """Return the rows in which another cloud differs from this one; none for a fork that nothing happened to."""
        if not isinstance(other, Cloud):
            raise ValueError(f"a cloud differs from another Cloud, for example its fork(); not from {other!r}")  # noqa: TRY004 - as every wrong argument
        with self.engine.lock:
            return tuple(diff_states(self.engine.state, other.engine.state))

    def who_can(self, image_id: str) -> dict[str, tuple[str, ...]]:
        """Return what each account may do with an OMI: read, launch, copy, export, modify, delete.

        Accounts that may do nothing are left out. Raises ValueError for an OMI that is not there.
        """
        with self.engine.lock:
            return who_can(self.engine, image_id)

    def named(self, name: str) -> str:
        """Return the id of what a scenario made under this name; "golden/dev/sda1" is behind a device of "golden".

        Raises ValueError, with the names that there are, for any other.
        """
        found: str | None = self.engine.state.get("name", name)
        if found is None:
            known = self.engine.state.rows("name")
            raise ValueError(f"nothing is named {name!r}{suggest(name, known)}; known: {', '.join(known) or 'nothing'}")
        return found

    # --- undoing and forking

    def mark(self) -> Mark:
        """Return a point to roll back to. While it lives, everything since it is kept."""
        return self.engine.mark()

    def rollback(self, mark: Mark) -> None:
        """Undo everything since a mark, by whomever. Raises ValueError when the mark itself has been undone."""
        self.engine.rollback(mark)

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
        return self._of(self.engine.fork())

    @classmethod
    def _of(cls, engine: Engine) -> Cloud:
        cloud = cls.__new__(cls)
        cloud._begin(engine)  # noqa: SLF001 - an instance of its own, which __init__ would give an Engine
        return cloud

    def __reduce_ex__(self, protocol: SupportsIndex) -> NoReturn:
        """Refuse `copy`, `deepcopy` and `pickle`, which would share a clock and a lock, or fail in Python's words."""
        raise TypeError("a cloud is copied by cloud.fork(), and saved by cloud.dump() for Cloud.load")

    def reset(self) -> None:
        """Go back to the cloud as it was made: no accounts, no calls, the clock at its start."""
        with self.engine.lock:
            self.engine.reset()
            self._accounts.clear()

    def __repr__(self) -> str:
        """Name its time, its timing and its accounts."""
        return f"<cloud at {format_date(self.now)}, {self.timing}: {', '.join(self.accounts) or 'no accounts yet'}>"

    def __eq__(self, other: object) -> bool:
        """Whether two clouds are in the same state, at the same time, with the same history of changes."""
        if not isinstance(other, Cloud):
            return NotImplemented
        return self.engine.state == other.engine.state and self.now == other.now

    __hash__: ClassVar[None] = None  # type: ignore[assignment]  # a cloud changes

    # --- saving

    def dump(self) -> dict[str, Any]:
        """Return the cloud as plain JSON data, for `Cloud.load`. The session is left out."""
        return self.engine.dump()

    @classmethod
    def load(cls, data: Mapping[str, Any]) -> Cloud:
        """Return the cloud that `dump` made this of. Raises ValueError for anything else."""
        return cls._of(Engine.load(data))

    # --- scenarios

    @classmethod
    def from_scenario(cls, scenario: str | Path, **given: Any) -> Cloud:
        """Return the cloud that a scenario sets up: a TOML file by its path, or a shipped one by its bare name.

        `given` are arguments of the constructor, which rule over those of the file. The calls that set it up are not in
        `calls`. Raises ValueError with the line of the file that is wrong.
        """
        from omisim.tools.scenario import load_scenario  # noqa: PLC0415 - an edge of L6: it reads files

        return load_scenario(scenario, given)

    # --- doors

    def intercept(self) -> AbstractContextManager[list[str]]:
        """Let every request of this process to an OUTSCALE host reach this cloud: a context manager.

        It reaches `requests` and everything else on urllib3 (hence osc-sdk-python and boto3), and httpx, in all
        threads. The innermost cloud answers; hosts that are not OUTSCALE's pass through. What nobody here serves is
        refused with `omisim.clients.intercept.NotServed`, and listed in what the context yields.
        """
        from omisim.clients.intercept import intercept_requests  # noqa: PLC0415 - a door of L6; needs urllib3

        return intercept_requests(self.engine)

    def sleeping(self) -> AbstractContextManager[None]:
        """Let the sleeps of this thread move the clock instead of waiting: a context manager.

        `time.sleep` and `asyncio.sleep` return at once, and what falls due meanwhile happens. A transient lasts only
        with `Cloud(timing="clock")`. Other threads, and the standard library itself, sleep really.
        """
        from omisim.clients.sleeping import virtual_sleep  # noqa: PLC0415 - a door of L6

        return virtual_sleep(self)

    def serve(
        self, port: int = 0, host: str = "127.0.0.1", *, tls: bool | tuple[str, str] = False, token: str | None = None
    ) -> AbstractContextManager[Running]:
        """Serve this cloud over HTTP, or HTTPS with `tls`, as long as the context lasts.

        Yields a `Running`: its `url`, its `env(account)` for clients, the `token` of its control plane. Port 0 picks a
        free one; `tls` may name the files of a certificate and its key. Needs the extra `omisim[server]`. Raises
        OSError when the port is taken.
        """
        try:
            from omisim.server import run_server  # noqa: PLC0415 - a door of L6; needs cheroot
        except ImportError as error:
            raise ImportError("cloud.serve() needs cheroot: pip install 'omisim[server]'") from error
        return run_server(self, port, host, tls=tls, token=token)


def _one_of(what: str, value: str, known: Mapping[str, object]) -> None:
    if value not in known:
        raise ValueError(f"{what} is one of {', '.join(known)}; not {value!r}")


def _same(name: str, what: str, given: object, had: object) -> None:
    if given is not None and given != had:
        raise ValueError(f"the account {name!r} exists already, with {what}={had!r}, not {given!r}")
