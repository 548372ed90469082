"""`omisim serve`: run a server in the foreground until SIGTERM, SIGINT or SIGHUP."""

from __future__ import annotations

import argparse
import os
import secrets
import signal
import sys
from collections.abc import Callable, Iterator, Sequence
from contextlib import AbstractContextManager, ExitStack, contextmanager, suppress
from dataclasses import fields
from functools import partial
from io import FileIO, TextIOWrapper
from pathlib import Path
from socket import socketpair
from typing import Any, TextIO
from urllib.parse import quote

from omisim.base.clock import SystemClock
from omisim.base.foreign import parse_count
from omisim.base.hosts import is_loopback
from omisim.base.private_file import open_private
from omisim.cloud.account import Account
from omisim.cloud.cloud import Cloud
from omisim.model import AccessKey
from omisim.server.client import render_exports
from omisim.server.cloud_endpoints import account_names
from omisim.server.framing import Limits
from omisim.server.host import Running, run_server
from omisim.server.state_file import open_state_file
from omisim.tools.output import report_error

__all__ = ["serve"]

MAX_LIMIT = 2**40
M_MMAP_THRESHOLD, M_ARENA_MAX = -3, -8  # of mallopt(3)
SETTINGS = ("seed", "timing", "auth", "switches")  # of a new cloud
STOPS = ("SIGTERM", "SIGINT", "SIGHUP")


def serve(options: argparse.Namespace) -> int:
    """Run the server until a signal stops it; return the exit status."""
    try:
        with ExitStack() as stack:
            wait_for_signal = stack.enter_context(_catch_signals())
            bound_heap()
            with _start_server(options, stack) as server:
                if not is_loopback(options.host):
                    print(f"omisim serve: warning: --host {options.host} lets other machines in", file=sys.stderr)
                announce(server)
                wait_for_signal()
    except (ImportError, OSError, ValueError) as error:
        return report_error("serve", error)
    return 0


def bound_heap() -> None:
    """Let this process return the memory of large answers, if the C library is glibc.

    All threads allocate from one heap, and each block of 256 KiB or more is mapped by itself. Left alone, the library
    gives threads heaps of their own, which keep the size of their largest answers, and soon maps no block up to 32 MiB.
    CPython runs one thread at a time, so that they rarely wait for the heap.
    """
    if sys.platform == "linux":
        with suppress(ImportError, AttributeError):  # without ctypes; of another C library
            import ctypes

            library = ctypes.CDLL(None)
            library.mallopt(M_ARENA_MAX, 1)
            library.mallopt(M_MMAP_THRESHOLD, 256 * 1024)


def _start_server(options: argparse.Namespace, stack: ExitStack) -> AbstractContextManager[Running]:
    _check_files(options)
    if options.record:
        _check_record(Path(options.record), options.state)
    _warn_of_existing_state(options)
    choose_seed(options)
    if options.state:
        add_accounts = partial(_add_accounts, options.account)
        cloud = stack.enter_context(open_state_file(options.state, partial(create_cloud, options), add_accounts))
        fresh = cloud.fork().fork  # a reset returns to the start of the server, which the file does not have any more
    else:
        fresh = partial(_start_again, options)
        cloud = fresh()
    tls = (options.tls_cert, options.tls_key) if options.tls_cert else options.tls
    log = sys.stderr if options.log == "-" else open_for_append(stack, options.log)
    record = open_for_append(stack, options.record)

    def reset() -> Cloud:
        if record is not None:
            with suppress(OSError):  # as /dev/full refuses it
                record.truncate(0)  # a recording covers one cloud from its start
        return fresh()

    limits = parse_limits(options.limit)
    settings = {"tls": tls, "token": options.token, "log": log, "record": record, "fresh": reset, "limits": limits}
    return run_server(cloud, options.port, options.host, hosts=options.allow_host, **settings)


def _check_files(options: argparse.Namespace) -> None:
    """Refuse empty options, as an unset variable leaves them, and one file for two purposes."""
    purposes: dict[Path, str] = {}
    for name, value in vars(options).items():
        if value == "":
            raise ValueError(f"--{name.replace('_', '-')} must not be empty")
        if name in ("state", "log", "record") and value not in (None, "-"):
            path = Path(os.path.realpath(value))
            other = purposes.setdefault(path, name)
            if other != name and (path.is_file() or not path.exists()):  # a device may take the lines of both
                raise ValueError(f"--{other} and --{name} must be different files, not both {value}")


def _warn_of_existing_state(options: argparse.Namespace) -> None:
    """Name the options that have no effect, because a state file has a cloud already."""
    names = [name for name in (*SETTINGS, "scenario") if getattr(options, name) is not None]
    if options.state and names and Path(options.state).exists():
        without_effect = ", ".join(f"--{name}" for name in names)
        print(f"omisim serve: no effect on the cloud in {options.state}: {without_effect}", file=sys.stderr)


def choose_seed(options: argparse.Namespace) -> None:
    """Choose a random seed unless one is given: keys derive from it, and must not work on another server.

    Raises ValueError if one is given to a server that other machines reach.
    """
    if options.seed is None:
        options.seed = secrets.token_hex(16)
    elif not is_loopback(options.host):
        raise ValueError(f"--host {options.host} lets other machines in, which know the keys of --seed {options.seed}")


def parse_limits(arguments: list[str]) -> Limits:
    """Return the limits of NAME=NUMBER arguments. Raises ValueError for an unknown name and a number out of range."""
    known = [field.name for field in fields(Limits)]
    chosen: dict[str, Any] = {}
    for argument in arguments:
        name, _, text = argument.partition("=")
        if name not in known:
            raise ValueError(f"--limit must be NAME=NUMBER with a name of {', '.join(known)}, not {argument!r}")
        try:
            chosen[name] = parse_count(text, MAX_LIMIT)
        except ValueError as error:
            raise ValueError(f"--limit {name}: {error}") from None
    return Limits(**chosen)


def open_for_append(stack: ExitStack, place: str | None) -> TextIO | None:
    """Open a file that its owner alone may read. It keeps nothing back, so that a full disk costs single lines.

    Neither does it wait: a pipe that has no reader is refused, and one whose reader has stopped costs lines, too.
    """
    if not place:
        return None
    file = FileIO(open_private(place, os.O_APPEND | getattr(os, "O_NONBLOCK", 0)), "a")
    return stack.enter_context(TextIOWrapper(file, "utf-8", write_through=True))


def create_cloud(options: argparse.Namespace) -> Cloud:
    """Return a new cloud, or that of the scenario."""
    settings = {name: getattr(options, name) for name in SETTINGS}
    chosen_settings = {name: value for name, value in settings.items() if value is not None}
    make = partial(Cloud.from_scenario, options.scenario) if options.scenario else Cloud
    cloud: Cloud = make(clock=SystemClock(), **chosen_settings)
    return cloud


def _start_again(options: argparse.Namespace) -> Cloud:
    cloud = create_cloud(options)
    _add_accounts(options.account, cloud)
    return cloud


def _add_accounts(arguments: Sequence[str] | None, cloud: Cloud) -> None:
    """Create the accounts of the command line, or alice if there are none at all."""
    for argument in arguments or (() if account_names(cloud) else ("alice",)):
        add_account(cloud, argument)


def _check_record(record: Path, state: str | None) -> None:
    if record.exists() and record.stat().st_size:
        raise ValueError(f"--record {record}: the file already has a recording")
    if state and Path(state).exists():
        raise ValueError(f"--record needs a new cloud, because a replay starts with one: {state} already exists")


def add_account(cloud: Cloud, argument: str) -> None:
    """Create the account of NAME[@REGION][:AK:SK], with this access key if one is given.

    Raises ValueError if the text has another form, or for an invalid or foreign key.
    """
    full_name, *key = argument.split(":")
    name, _, region = full_name.partition("@")
    if not name or "," in name or len(key) not in (0, 2) or not all(key):
        text = "NAME[@REGION][:ACCESS_KEY:SECRET_KEY], once for each account"
        raise ValueError(f"--account must be {text}, not {argument!r}")
    account = cloud.account(name, region=region or None)
    if key:
        try:
            _set_access_key(cloud, account, *key)
        except ValueError as error:
            raise ValueError(f"--account {name}: {error}") from None


def _set_access_key(cloud: Cloud, account: Account, access_key: str, secret_key: str) -> None:
    """Give an account an access key, unless it has it already."""
    existing: AccessKey | None = cloud.engine.state.get("access_key", access_key)
    if existing is None or existing.account_id != account.account_id:
        cloud.set_access_key(account.name, access_key, secret_key)
    elif existing.secret_key != secret_key:
        raise ValueError(f"the access key {access_key} already has another secret key")


def announce(server: Running) -> None:
    """Print the accounts with the variables of their clients, and the addresses of the server, which is then ready."""
    for account in map(server.cloud.account, account_names(server.cloud)):
        name = account.name if account.name.isprintable() else ascii(account.name)  # a line feed would end the comment
        print(f"# {name}, {account.account_id}, {account.region}")
        print(render_exports(server.env(account)))
    print(render_exports({"OMISIM_URL": server.url, "OMISIM_TOKEN": server.token}))
    print(f"# the console: {server.url}/_omisim/#token={quote(server.token)}")
    print(f"# omisim is ready at {server.url}", flush=True)


@contextmanager
def _catch_signals() -> Iterator[Callable[[], object]]:
    """Keep SIGTERM, SIGINT and SIGHUP from ending the process; yield a function that waits for the first of them.

    A signal may reach any thread, and a second one may come while Python handles the first. So the signal itself wakes
    this thread, through a socket, and not what Python runs for it.
    """
    receiver, sender = socketpair()
    sender.setblocking(False)
    with receiver, sender:
        numbers = [getattr(signal, name) for name in STOPS if hasattr(signal, name)]  # Windows has no SIGHUP
        numbers = [each for each in numbers if signal.getsignal(each) is not signal.SIG_IGN]  # nohup ignores SIGHUP
        wakeup = signal.set_wakeup_fd(sender.fileno(), warn_on_full_buffer=False)
        before = {number: signal.signal(number, lambda *_: None) for number in numbers}
        try:
            yield partial(receiver.recv, 1)
        finally:
            for number, handler in before.items():
                signal.signal(number, handler)
            signal.set_wakeup_fd(wakeup)
