"""`Cloud`: an in-memory cloud with its accounts, clock, faults, history, rollback, forks, dumps and servers."""

from __future__ import annotations

import datetime as dt
from collections.abc import Callable, Iterator, Mapping
from contextlib import AbstractContextManager, contextmanager
from pathlib import Path
from typing import TYPE_CHECKING, Any, ClassVar, NoReturn, SupportsIndex, Unpack

from omisim.base.clock import Clock, ManualClock, check_clock, show_same_time
from omisim.base.frozen import replace
from omisim.base.private_file import write_private
from omisim.base.suggest import check_known, describe_unknown, suggest
from omisim.cloud.access_matrix import Access, explain_access
from omisim.cloud.account import Account
from omisim.cloud.account_setup import (
    find_account,
    find_first_key,
    find_or_create_account,
    has_its_key,
    replace_access_key,
)
from omisim.cloud.calls import Calls, list_records, search_calls
from omisim.cloud.deletion import describe_deletion
from omisim.cloud.diff import Difference, diff_states
from omisim.cloud.durations import Durations
from omisim.cloud.guest import read_file, write_console, write_file
from omisim.cloud.html import render_cloud
from omisim.cloud.images import Images
from omisim.cloud.licences import Licences
from omisim.cloud.lineage import Lineage
from omisim.cloud.marketplace import Marketplace
from omisim.cloud.switch_file import load_switches
from omisim.cloud.timeline import LISTED, Timeline, trace_timeline
from omisim.cloud.trace import find_row, trace_lineage
from omisim.engine import scheduler
from omisim.engine.engine import Engine
from omisim.engine.failures import make_failure
from omisim.engine.faults import Faults
from omisim.engine.marks import Mark
from omisim.engine.unserved import OwnAnswer, check_answer, parse_answers
from omisim.model import Image
from omisim.model.ids import check_id
from omisim.model.serialize import format_date
from omisim.spec.catalog import CATALOGS, QuotaName
from omisim.state.image_origins import add_origin
from omisim.state.initial_state import initial_state, iter_users
from omisim.state.licences import parse_licences
from omisim.state.official_images import adopt, retire
from omisim.state.settings import TIMINGS, Auth, Settings, Timing, Unserved, check_region
from omisim.state.state import Change

if TYPE_CHECKING:
    from omisim.cloud.options import CloudOptions
    from omisim.server import Limits, Running
    from omisim.state.switch_types import Switches

__all__ = ["Cloud"]


class Cloud:
    """An in-memory OUTSCALE cloud, with every Region of the catalogue and the accounts that a test creates.

    A cloud consists of its *state* (resources, due transitions, a `ManualClock`, disk contents, buckets, the history of
    changes) and its *session* (the call log, faults, failed logins, warnings). Rollbacks undo the state, and forks and
    dumps copy it. None of them affects the session.

    Args:
        seed: The seed of all generated ids. The same seed and the same calls give the same ids.
        timing: When transitions of transient states happen. "eager": all of them, as soon as a call is answered.
            "clock": each when the clock reaches its due time. "manual": only by `complete` and `fail`. "reads": at the
            start of the next call, when clients have read the resource often enough, by default once.
        clock: The source of time. The default is a `ManualClock` that starts at 2026-01-01T00:00:00Z.
        switches: Behaviour switches by name, and replacement errors by rule id (`{"OMI-022": "already-exist"}`), or
            the path of a TOML file with them, as `omisim probe --calibrate` writes it.
        catalog: The initial resources: "default".
        auth: How requests over HTTP are authenticated. "strict": signatures and passwords are verified. "lenient": the
            access key or login must exist. "off": every request is accepted.
        history: The number of changes and of calls to keep for `events` and `calls`; fewer calls if their requests over
            HTTP have more than 16 MiB. Everything since a live mark is kept in addition. Older than that, a deleted
            resource is known only as an ancestor of others.
        fetch: A function that returns the bytes of a URL outside this cloud's object storage, for imports. Without it,
            such a URL is unreachable (IMP-002). A fork keeps it; a dump does not.
        licences: What licences authorise, by product code: `{"0002": {"export": False}}` (see `licences`).
        unserved: What the reads of families do that omisim does not serve, such as ReadLoadBalancers. "empty": they
            answer an empty list, which is true, because nothing can be created. "refuse": they are refused.
        answers: Your own answers to actions that omisim does not serve; see `answer`. A fork keeps
            them; a dump does not.

    Raises:
        ValueError: An argument is invalid; the text lists the valid values.
    """

    def __init__(
        self,
        seed: int | str = 0,
        timing: Timing = "eager",
        clock: Clock | None = None,
        switches: Switches | str | Path | None = None,
        catalog: str = "default",
        auth: Auth = "strict",
        history: int = 10_000,
        fetch: Callable[[str], bytes] | None = None,
        licences: Mapping[str, Mapping[str, bool]] | None = None,
        unserved: Unserved = "empty",
        answers: Mapping[str, OwnAnswer] | None = None,
    ) -> None:
        check_known("catalog", catalog, CATALOGS)
        if seed in TIMINGS:
            raise ValueError(f"seed must not be the name of a timing; write timing={seed!r}")
        if type(history) is not int or history < 1:
            raise ValueError(f"history must be a positive int, not {history!r}")
        if fetch is not None and not callable(fetch):
            raise ValueError(f"fetch must be a function from a URL to bytes, not {fetch!r}")
        first_answers = parse_answers(answers)
        settings = replace(
            Settings.checked(seed, timing, auth, load_switches(switches), unserved),
            answers=first_answers,
            first_answers=first_answers,
            fetch=fetch,
            licences=parse_licences(licences, initial_state()),
        )
        self._attach(Engine(settings, ManualClock() if clock is None else check_clock(clock), history=history))

    def _attach(self, engine: Engine) -> None:
        self._engine = engine
        self._accounts: dict[str, Account] = {}
        self.account_watchers: list[Callable[[], None]] = []  # called with each new account, for environments

    if not TYPE_CHECKING:  # type checkers report unknown methods themselves

        def __getattr__(self, name: str) -> Any:
            """Raise AttributeError with a suggestion, or with the place of a method of accounts."""
            of_account = hasattr(Account, name) and not name.startswith("_")
            hint = f"; an account has: cloud.account(name).{name}" if of_account else suggest(name, dir(self))
            raise AttributeError(f"Cloud has no attribute {name!r}{hint}")

    @property
    def engine(self) -> Engine:
        """The engine that holds the state and the session, for doors and tools."""
        return self._engine

    @property
    def default_region(self) -> str:
        """The Region of accounts and official OMIs if a call names none; the option `region` of a test sets it.

        Setting it raises ValueError for an unknown Region.
        """
        return self.engine.settings.default_region

    @default_region.setter
    def default_region(self, region: str) -> None:
        self.engine.change_settings(default_region=check_region(region))

    # --- accounts

    def account(
        self,
        name: str,
        region: str | None = None,
        alias: str | None = None,
        quotas: Mapping[QuotaName, int] | None = None,
    ) -> Account:
        """Return the account with this name; the first use creates it, with one access key.

        If its key is gone, by DeleteAccessKey or a rollback, the account signs with its oldest one. The other arguments
        apply to the first use. Later uses may repeat them, but not change them.

        Args:
            name: The name of the account in this cloud.
            region: Its Region (default eu-west-2, or the option `region` of pytest and unittest): an OUTSCALE account
                exists in one Region.
            alias: Its alias, the `AccountAlias` of its OMIs.
            quotas: Limits by quota name, such as `{"vm_limit": 20}`; 0 means no limit. Others keep their default.

        Raises:
            ValueError: An argument is invalid, or differs from the existing account.
        """
        with self.engine.atomic():
            row, key = find_or_create_account(self.engine, name, region, self.default_region, alias, quotas)
            account = self._accounts.get(name)
            if account is None or account.account_id != row.account_id or not has_its_key(self.engine.state, account):
                key = key or find_first_key(self.engine.state, row)
                account = self._keep_account(name, Account(self, row, key))
            return account

    def _keep_account(self, name: str, account: Account) -> Account:
        """Keep the Account to return for a name, and let open environments write its profile."""
        self._accounts[name] = account
        for update in tuple(self.account_watchers):
            update()
        return account

    def allow_account_creation(self, name: str) -> None:
        """Permit an account to use CreateAccount, as OUTSCALE does on request (ACC-007).

        Raises ValueError for an unknown account.
        """
        with self.engine.transaction("account") as tx:
            tx.put(replace(find_account(tx.state, name), creates_accounts=True))

    def set_access_key(self, name: str, access_key: str, secret_key: str) -> Account:
        """Replace the first access key of an account, and return a new `Account` that signs with the new key.

        `Account` objects returned before keep the old key. Raises ValueError for an unknown account, for a key that
        belongs to another account, and for one that no client could sign with.
        """
        with self.engine.transaction("account") as tx:
            row = find_account(tx.state, name)
            account = Account(self, row, replace_access_key(tx, self.account(name), access_key, secret_key))
        with self.engine.lock:
            self._keep_account(name, account)
        return account

    # --- the platform's OMIs

    @property
    def images(self) -> Images:
        """The official OMIs: `images.official("debian")` is the newest of a family, `images.all(region)` lists all.

        `images.renew("debian")` publishes a newer one.
        """
        return Images(self.engine)

    @property
    def marketplace(self) -> Marketplace:
        """The OUTSCALE Marketplace: `publish`, `subscribe`, `activate`, `new_version`, `unpublish`."""
        return Marketplace(self.engine)

    @property
    def licences(self) -> Licences:
        """What third-party licences authorise: `licences.set("0002", export=False)` forbids exports of Windows."""
        return Licences(self.engine)

    def adopt(self, image_id: str, region: str | None = None, like: str = "Ubuntu") -> Image:
        """Create a public official OMI with this id, so that code with a hard-coded OMI id can run.

        The OMI gets the disks and product codes of the newest official OMI whose name begins with `like`. An existing
        OMI is returned unchanged. Raises ValueError for an invalid OMI id, an unknown Region or an unknown family.
        """
        with self.engine.transaction("adopt") as tx:
            check_id("image_id", image_id)
            region = self.default_region if region is None else region
            return add_origin(tx.state, adopt(tx, image_id, region, like))

    def allow_unknown_images(self, *, allow: bool = True) -> None:
        """Adopt every unknown OMI id that a CreateVms, CreateImage or ReadImages call names (see `adopt`).

        `allow=False` ends it. Forks and dumps keep the setting.
        """
        self.engine.change_settings(unknown_images=allow)

    def set_capacity(self, subregion: str, vms: int | None) -> None:
        """Limit the number of VMs in a Subregion, over all accounts; None removes the limit (VM-005, VMT-012).

        VMs that are shutting-down or terminated do not count. CreateVms launches as many VMs as fit, and is refused if
        fewer than `MinVmsCount` do. Raises ValueError for an unknown Subregion or a negative number.
        """
        with self.engine.lock:
            self.engine.change_settings(capacity=self.engine.settings.limit_vms(subregion, vms))

    def retire(self, image_id: str) -> None:
        """Delete an OMI as its owner would; VMs and copies created from it remain (OMI-123).

        Raises ValueError for an unknown OMI.
        """
        with self.engine.transaction("retire") as tx:
            check_id("image_id", image_id)
            retire(tx, image_id)

    # --- time and failures

    @property
    def timing(self) -> Timing:
        """When transitions happen: "eager", "clock", "manual" or "reads". Fixed by the constructor."""
        return self.engine.settings.timing

    @property
    def now(self) -> dt.datetime:
        """The cloud's current time, an aware datetime in UTC."""
        return self.engine.clock.now()

    @property
    def durations(self) -> Durations:
        """Overrides of the seconds spent in a transient state, by "<kind>.<state>".

        For example `cloud.durations["snapshot.pending"] = 600`. With the timing "reads", they are numbers of reads.
        """
        return Durations(self.engine)

    def advance(self, seconds: float) -> None:
        """Advance the clock by a number of seconds, and apply each due transition and timer at its own time.

        Raises ValueError for a negative or non-finite number.
        """
        with self.engine.atomic():
            scheduler.advance(self.engine, seconds)

    def settle(self) -> None:
        """Advance the clock from one due transition to the next until no resource is in a transient state.

        Timers that fall due on the way fire; later timers do not count.
        """
        with self.engine.atomic():
            scheduler.settle(self.engine)

    def complete(self, resource_id: str) -> None:
        """Apply the next transition of a resource's success path now.

        The id of a volume link is its volume's. For a pending OMI, this completes the snapshots that it waits for, and
        so the OMI. If the transition was due already, by a `SystemClock` or a clock that you moved, it happens at its
        own time, and nothing more. Raises ValueError if the resource was not in a transient state.
        """
        with self.engine.atomic():
            check_id("resource_id", resource_id)
            scheduler.complete(self.engine, resource_id)

    def fail(self, resource_id: str, comment: str = "") -> None:
        """Move a resource to its failure state now, after what is due: by a `SystemClock`, prefer `fail_next`.

        For a pending OMI, this fails one of its snapshots; `comment` becomes its `StateComment.StateMessage`. Raises
        ValueError if the current state has no failure transition.
        """
        with self.engine.atomic():
            check_id("resource_id", resource_id)
            scheduler.fail(self.engine, resource_id, comment)

    @property
    def faults(self) -> Faults:
        """Injected faults of calls, for example `faults.add("CreateSnapshot", times=2, status=503)` (THR-001)."""
        return Faults(self.engine)

    def fail_next(self, kind: str, id: str | None = None, comment: str = "") -> None:  # noqa: A002 - the natural name for users
        """Make the next transition of a kind, or of one resource, end in its failure state.

        Use it before the call that starts the transition: one that is due already succeeds. `kind` is for example
        "snapshot"; `comment` is the reason that the API reports. `complete` never fails: with the timing "manual", use
        `fail` instead. Raises ValueError for a kind without a failure state, and for an id of another kind.
        """
        with self.engine.atomic():
            if id is not None:
                check_id("id", id)
            scheduler.apply_due(self.engine)
            session = self.engine.session
            session.failures = (*session.failures, make_failure(kind, id, comment))

    # --- disk contents and consoles

    def write(self, volume_id: str, path: str, text: str) -> None:
        """Write a text file on a volume, as the guest of a VM would.

        Snapshots, OMIs and VMs created from the volume carry the file. Raises ValueError for an unknown volume or an
        empty path, and TypeError if `text` is not a str.
        """
        with self.engine.transaction("write") as tx:
            write_file(tx, volume_id, path, text)

    def read(self, volume_id: str, path: str) -> str:
        """Return the text of a file on a volume.

        Raises ValueError for an unknown volume, and FileNotFoundError that lists the files for an unknown path.
        """
        with self.engine.lock:
            return read_file(self.engine.state, volume_id, path)

    def write_console(self, vm_id: str, text: str) -> None:
        """Append text to the console of a VM, as its guest would.

        ReadConsoleOutput returns the last 64 KiB of the console (VM-056). Raises ValueError for an unknown VM.
        """
        with self.engine.transaction("write") as tx:
            write_console(tx, vm_id, text)

    # --- inspection

    @property
    def accounts(self) -> tuple[str, ...]:
        """The names of the accounts in order of creation, without the platform's own accounts."""
        with self.engine.lock:
            return tuple(row.name for row in iter_users(self.engine.state))

    def answer(self, action: str, answer: OwnAnswer) -> None:
        """Answer an action that omisim does not serve with your own answer, for example CreateLoadBalancer.

        `answer` is the JSON object of the API's answer, or a function that returns it. The function gets the record of
        the call, with `account` and `parameters`, and may raise ApiError. `cloud.calls` lists the calls with `by_user`
        set, and they count as no coverage. A dry run does not call the function. EC2 clients do not get the answer.

        Raises ValueError for an action that omisim serves or the API does not have, and an answer of another type.
        A call raises TypeError if the function returns no dict of JSON values.
        """
        with self.engine.lock:
            answers = {**self.engine.settings.answers, action: check_answer(action, answer)}
            self.engine.change_settings(answers=answers)

    def calls(
        self, action: str | None = None, *, account: str | None = None, since: Mark | None = None, **parameters: Any
    ) -> Calls:
        """Return the recorded calls of OAPI and FCU that match, oldest first.

        Requests to object storage are not among them; the console shows them between the calls.
        `calls(...).one()` returns the single match. Each recorded call has `account`, `parameters`, `error` and
        `warnings`.

        Args:
            action: Only calls of this action.
            account: Only calls by the account with this name.
            since: Only calls since this mark.
            parameters: Only calls whose parameters include these, under their API names. An object matches if it has
                the given keys, a list if it has the given items.

        Raises:
            ValueError: The action, account or parameter is unknown, or the mark belongs to another cloud.
        """
        with self.engine.lock:
            records = list_records(self.engine, since)
            return search_calls(records, action, account, parameters, self.accounts)

    @property
    def warnings(self) -> tuple[str, ...]:
        """Warnings about calls that succeeded but were probably a mistake, oldest first (see the rules for each)."""
        with self.engine.lock:
            return tuple(self.engine.session.warnings)

    @property
    def events(self) -> tuple[Change, ...]:
        """The changes of resources, oldest first, as far back as `history` reaches."""
        with self.engine.lock:
            journal = self.engine.state.journal[-self.engine.kept_changes() :]
        return tuple(change for change in journal if change.kind in LISTED)

    def timeline(self, resource_id: str | None = None, *, account: str | None = None) -> Timeline:
        """Return the changes of one resource, oldest first; those of a volume include its links.

        `account` selects the changes of the resources of the account with this name; without both, all changes are
        returned. `str` shows a line for each, with the call that caused it. The result is empty for an unchanged
        resource of the catalogue, and for changes older than the history. Raises ValueError for an id of which
        neither the cloud nor its history knows, and for an unknown account.
        """
        with self.engine.lock:
            return trace_timeline(self.engine, self.events, resource_id, account, self.accounts)

    def lineage(self, resource_id: str, most: int = 500) -> Lineage:
        """Return the tree of a resource's parents and descendants, deleted ones included.

        `str` shows it as text, `mermaid()` and `svg()` as a picture. It has at most `most` ancestors and descendants.
        A deleted resource without descendants leaves it when the history no longer reaches its deletion. Raises
        ValueError for an id of which neither the cloud nor its history knows.
        """
        with self.engine.lock:
            tree = trace_lineage(self.engine.state, resource_id, most)
            return replace(tree, deletion=describe_deletion(self.engine, find_row(self.engine.state, resource_id)))

    def diff(self, other: Cloud) -> tuple[Difference, ...]:
        """Return the rows that differ between this cloud and another; () for an unchanged fork.

        Raises ValueError if `other` is not a Cloud.
        """
        _check_is_cloud(other)
        with self._lock_both(other):
            return tuple(diff_states(self.engine.state, other.engine.state))

    def who_can(self, image_id: str) -> Access:
        """Return the rights of each account on an OMI now, by account name.

        The rights are "read", "launch", "copy", "export", "modify" and "delete". Accounts without rights are left out.
        `origins` of the result is the OMI's origin as each account sees it, `supported_by` who supports it. `cells`
        has the rule behind each right, `str` shows them as a table, and `before.diff(after)` compares two results.
        Raises ValueError for an unknown OMI.
        """
        with self.engine.lock, scheduler.preview(self.engine):
            return explain_access(self.engine, image_id, self.accounts)

    def named(self, name: str) -> str:
        """Return the id of the resource that a scenario created under a name.

        "golden/dev/sda1" is the volume or snapshot of a device of "golden". Raises ValueError that lists the names for
        an unknown name.
        """
        with self.engine.lock:
            ids_by_name = dict(self.engine.state.rows("name"))
        resource_id: str | None = ids_by_name.get(name)
        if resource_id is None:
            raise ValueError(describe_unknown("name", name, ids_by_name))
        return resource_id

    def report(self, path: str | Path, title: str = "") -> None:
        """Write the console as a self-contained HTML file: the resources, as they were after any call, and refusals.

        The file needs neither a server nor a network, and holds no secrets. It reaches as far back as `history`.
        `title` is its heading. Raises OSError if the file cannot be written.
        """
        from omisim.cloud.console import render_report, view_for_report  # noqa: PLC0415 - only a report needs it

        write_private(path, render_report(view_for_report(self), title))

    # --- rollback and forks

    def mark(self) -> Mark:
        """Return a mark of the current state, for `rollback` and `calls(since=...)`.

        The history keeps everything since a mark as long as the Mark object exists.
        """
        return self.engine.mark()

    def rollback(self, mark: Mark) -> None:
        """Undo every change of the state since a mark, from any account or thread.

        Raises ValueError for a mark of another cloud, and for one that an earlier rollback has undone.
        """
        self.engine.rollback(mark)

    @contextmanager
    def savepoint(self) -> Iterator[None]:
        """Roll back every change of the state that was made inside the context when it exits."""
        mark = self.mark()
        try:
            yield
        finally:
            try:
                self.rollback(mark)
            except ValueError:  # another rollback has undone the mark
                raise
            except BaseException:
                self.rollback(mark)  # an interruption may have come before it began
                raise

    def fork(self) -> Cloud:
        """Return an independent cloud with the same state, its own clock and an empty session."""
        return Cloud._from_engine(self._engine.fork())

    @classmethod
    def _from_engine(cls, engine: Engine) -> Cloud:
        cloud = cls.__new__(cls)
        cls._attach(cloud, engine)  # __init__ would create another Engine
        return cloud

    def __reduce_ex__(self, protocol: SupportsIndex) -> NoReturn:
        """Refuse `copy`, `deepcopy` and `pickle`, and name the methods to use instead."""
        raise TypeError("a Cloud cannot be copied or pickled: use cloud.fork(), or cloud.dump() and Cloud.load()")

    def reset(self) -> None:
        """Return to the initial state: no accounts, no calls, no faults, the clock at its start.

        The arguments of the constructor still apply. What `answer`, `durations`, `licences.set`, `set_capacity` and
        `allow_unknown_images` have set since does not.
        """
        with self.engine.lock:
            self.engine.reset()
            self._accounts.clear()

    def become(self, other: Cloud) -> None:
        """Take the place of another cloud, which must not be used any more: its state, time, settings and session.

        Accounts, clients and servers of this cloud reach the new state. Raises ValueError if `other` is not a Cloud.
        """
        _check_is_cloud(other)
        with self.engine.lock:
            self.engine.become(other.engine)
            self._accounts.clear()

    def __repr__(self) -> str:
        """Show the time, the timing and the accounts."""
        return f"<cloud at {format_date(self.now)}, {self.timing}: {', '.join(self.accounts) or 'no accounts yet'}>"

    def _repr_html_(self) -> str:
        """Show the accounts and the number of their resources in a notebook."""
        return render_cloud(self.engine.state, repr(self), self.accounts)

    def __eq__(self, other: object) -> bool:
        """Whether two clouds have the same state, time and history of changes."""
        if not isinstance(other, Cloud):
            return NotImplemented
        with self._lock_both(other):
            return self.engine.state == other.engine.state and show_same_time(self.engine.clock, other.engine.clock)

    @contextmanager
    def _lock_both(self, other: Cloud) -> Iterator[None]:
        """Hold the locks of both clouds, which every thread takes in the same order."""
        first, second = sorted((self.engine, other.engine), key=id)
        with first.lock, second.lock:
            yield

    __hash__: ClassVar[None] = None  # type: ignore[assignment]  # a Cloud is mutable

    # --- dumps

    def dump(self) -> dict[str, Any]:
        """Return the state and the settings as JSON data for `Cloud.load`; the session is left out."""
        return self.engine.dump()

    @classmethod
    def load(cls, data: Mapping[str, Any]) -> Cloud:
        """Return a cloud from the data of `dump`. Raises ValueError for other data."""
        return cls._from_engine(Engine.load(data))

    # --- scenarios

    @classmethod
    def from_scenario(cls, scenario: str | Path, **settings: Unpack[CloudOptions]) -> Cloud:
        """Return a cloud set up by a scenario, a TOML file given by its path or a shipped one by its bare name.

        `settings` are constructor arguments that override those of the file. The calls of the setup are not in `calls`.
        Raises ValueError that names the line of a mistake in the file.
        """
        from omisim.tools.scenario import load_scenario  # noqa: PLC0415 - imported on first use

        return load_scenario(scenario, settings)

    # --- doors

    def intercept(self) -> AbstractContextManager[list[str]]:
        """Redirect this process's requests to OUTSCALE hosts to this cloud, in all threads: a context manager.

        It covers httpx, aiohttp and every client built on urllib3: requests, osc-sdk-python, boto3 and others. Contexts
        nest; the innermost cloud answers. Requests to other hosts pass through. A request to an OUTSCALE service that
        omisim does not serve, and a signed request to AWS, raises `omisim.intercept.NotServed`. The context yields the
        list of those requests.
        """
        from omisim.clients.intercept import intercept_requests  # noqa: PLC0415 - imported on first use; needs urllib3

        return intercept_requests(self.engine)

    def sleeping(self, *, virtual_time: bool = False, patience: float = 10.0) -> AbstractContextManager[None]:
        """Make waiting advance the clock instead of taking time: a context manager.

        It covers this thread, and the threads, executor jobs and event loops that start inside: sleeps, time limits of
        events, conditions, queues, locks and `select`, and asyncio's timers. The clock jumps to the earliest wake-up
        when all of them wait, and stands still while one of them works. Use `Cloud(timing="clock")`: with "eager", no
        transition is left to wait for.

        Args:
            virtual_time: Whether `time.time`, `time.monotonic` and `time.perf_counter` follow the clock, too.
            patience: The number of real seconds after which a deadlock of all threads or a polling loop that
                does not wait in this clock's time is reported.

        Raises:
            EndlessPollingError: From the wait itself: a polling loop can never finish. A RuntimeError.
            RuntimeError: From the wait itself: all threads wait for each other, or the event loop cannot be followed.
            ValueError: `patience` is not a positive number.
        """
        from omisim.clients.sleeping import virtual_sleep  # noqa: PLC0415 - imported on first use

        return virtual_sleep(self, virtual_time=virtual_time, patience=patience)

    def serve(
        self,
        port: int = 0,
        host: str = "127.0.0.1",
        *,
        tls: bool | tuple[str, str] = False,
        token: str | None = None,
        limits: Limits | None = None,
    ) -> AbstractContextManager[Running]:
        """Serve this cloud over HTTP or HTTPS until the context exits.

        The context yields a `Running`, with its `url`, the `token` of its control plane, and `env(account)`, the
        environment variables for clients. Needs the extra `omisim[server]`.

        Args:
            port: The TCP port; 0 picks a free one.
            host: The address to listen on.
            tls: True for HTTPS with a generated certificate, or the paths of a certificate and its key.
            token: The token of the control plane; by default a random one.
            limits: What a client may use of the server, `omisim.server.Limits`: sizes, times and connections.

        Raises:
            ImportError: The extra is not installed.
            OSError: The port is in use.
            ValueError: The port is out of range.
        """
        try:
            from omisim.server import run_server  # noqa: PLC0415 - imported on first use; needs cheroot
        except ImportError as error:
            raise ImportError("cloud.serve() needs cheroot: pip install 'omisim[server]'") from error
        return run_server(self, port, host, tls=tls, token=token, limits=limits)


def _check_is_cloud(other: object) -> None:
    if not isinstance(other, Cloud):
        raise ValueError(f"other must be a Cloud, for example cloud.fork(), not {other!r}")
