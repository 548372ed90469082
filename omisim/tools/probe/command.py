"""Run `omisim probe`: its plan, its questions, its run and its exit statuses."""

from __future__ import annotations

import argparse
import datetime as dt
import os
import secrets
import signal
import sys
import time
from collections.abc import Iterator, Sequence
from contextlib import ExitStack, contextmanager
from pathlib import Path
from threading import Event
from typing import Any

from omisim import __version__
from omisim.base.home import find_home
from omisim.base.hosts import is_loopback
from omisim.cloud.switch_file import read_switches
from omisim.probe.accounts import find_profiles
from omisim.probe.connection import Unreachable
from omisim.probe.doors import ABSENT, Caller
from omisim.probe.endpoint import Endpoint, parse_endpoint
from omisim.probe.experiments import Experiment
from omisim.probe.ledger import TAG
from omisim.probe.plan import estimate, uses_storage
from omisim.probe.report import Report
from omisim.probe.runner import Limits, Stopped
from omisim.probe.session import Interrupted, Session
from omisim.tools.output import FAILED, INTERRUPTED, describe_error, report_error
from omisim.tools.probe.exploring import explore
from omisim.tools.probe.output import Saver, check_outputs, print_coverage, print_plan, show_progress, write_outputs
from omisim.tools.probe.selection import find_chosen_rules, read_old_report, select_experiments

__all__ = ["run"]

AGREES, DIFFERS = 0, 1
LOOPBACK_PAUSE = 0.2
MAX_SECONDS = 1e9


def run(options: argparse.Namespace) -> int:
    """Run the command and return its exit status."""
    try:
        if options.list:
            return print_coverage(find_chosen_rules(options), json_output=options.json)
        limits = _read_limits(options)
        if options.explore is not None:
            return _explore(options, limits)
        experiments = select_experiments(options)
        if options.dry:
            return print_plan(experiments, limits, json_output=options.json)
        return _probe(options, experiments, limits)
    except Interrupted:
        return INTERRUPTED
    except (Stopped, Unreachable, ValueError, OSError) as error:
        return report_error("probe", error)


def _read_limits(options: argparse.Namespace) -> Limits:
    if options.max_resources <= 0:
        raise ValueError(f"--max-resources must be at least 1, not {options.max_resources}")
    if not (0 < options.wait < MAX_SECONDS and 0 < options.timeout < MAX_SECONDS):  # nan is neither
        raise ValueError("--wait and --timeout must be positive numbers of seconds")
    pause = LOOPBACK_PAUSE if options.endpoint and _is_local("ENDPOINT", options.endpoint) else Limits().pause
    return Limits(options.max_resources, options.wait, pause)


def _probe(options: argparse.Namespace, experiments: Sequence[Experiment], limits: Limits) -> int:
    check_outputs(options)
    _ask_before(options, estimate(experiments, limits).resources)
    report = _open_report(options)
    switches = read_switches(options.switches) if options.switches else {}
    status = AGREES
    with ExitStack() as stack:
        endpoints = _connect(options, stack)
        report.region = endpoints["alice"].api.region
        stop = stack.enter_context(_stop_on_interrupt())
        session = Session(endpoints, report, time.sleep, limits, switches, options.bucket or "", stop.is_set)
        stores = uses_storage(experiments)
        try:
            if stores and options.bucket:
                session.check_bucket()
            session.delete_leftovers(buckets=stores)
            session.run(
                experiments, find_chosen_rules(options), show_progress, Saver(options.report, report, time.monotonic)
            )
        except Interrupted:
            status = INTERRUPTED
        except (Stopped, Unreachable, OSError) as error:  # an OSError: of --report, whose disk may be full
            report.notes.append(describe_error(error))
            status = FAILED
    write_outputs(options, report)
    return status or (DIFFERS if "differs" in report.summary else AGREES)


def _explore(options: argparse.Namespace, limits: Limits) -> int:
    if options.explore < 1:
        raise ValueError(f"--explore must be at least 1, not {options.explore}")
    _ask_before(options, limits.resources)
    with ExitStack() as stack:
        endpoint = _connect(options, stack)["alice"].api
        stop = stack.enter_context(_stop_on_interrupt())
        return explore(endpoint, options.explore, options.seed, limits, stop.is_set)


def _ask_before(options: argparse.Namespace, resources: int) -> None:
    """Raise ValueError unless resources may be created: all services are on this machine, or the user agrees."""
    if not options.endpoint:
        raise ValueError("ENDPOINT is missing; --list and --dry need none")
    urls = {"ENDPOINT": options.endpoint, "--fcu": options.fcu, "--oos": options.oos}
    remote = [url for name, url in urls.items() if url not in ("", ABSENT) and not _is_local(name, url)]
    if resources and remote and not options.yes and not _ask(", ".join(remote), resources):
        raise ValueError("nothing was done: answer yes, or give --yes")


def _connect(options: argparse.Namespace, stack: ExitStack) -> dict[str, Caller]:
    """Return the endpoint as each caller that has keys; the stack closes them."""
    profile_names = {"alice": options.profile, "bob": options.second_profile, "carol": options.third_profile}
    endpoints = {}
    for caller, profile in find_profiles(os.environ, find_home(), profile_names).items():
        region = (options.region if caller == "alice" else "") or profile.region
        endpoint = Endpoint(options.endpoint, profile.keys, region, now=_now, sleep=time.sleep, timeout=options.timeout)
        endpoints[caller] = Caller(endpoint, {"fcu": options.fcu, "oos": options.oos})
        stack.callback(endpoints[caller].close)
    return endpoints


def _open_report(options: argparse.Namespace) -> Report:
    """Return the report to go on with, or a new one."""
    path = Path(options.report) if options.report else None
    if path is not None and path.exists():
        return read_old_report(path, options.endpoint)
    started = _now().isoformat(timespec="seconds")
    return Report(options.endpoint, "", __version__, started, f"{TAG}-{secrets.token_hex(4)}")


def _ask(endpoint: str, resources: int) -> bool:
    if not sys.stdin.isatty():
        return False
    print(f"{endpoint}: create and delete up to {resources} resources? [y/N] ", end="", file=sys.stderr, flush=True)
    return sys.stdin.readline().strip().lower() in ("y", "yes")


def _is_local(option: str, url: str) -> bool:
    return is_loopback(parse_endpoint(option, url).hostname or "")


def _now() -> dt.datetime:
    return dt.datetime.now(dt.UTC)


@contextmanager
def _stop_on_interrupt() -> Iterator[Event]:
    """Make the first Ctrl-C set an event, so that the call in progress ends; the next one interrupts the clean-up."""
    stop = Event()

    def note(*_: Any) -> None:
        if stop.is_set():
            raise KeyboardInterrupt
        stop.set()
        print("\nomisim probe: stopping, and cleaning up (Ctrl-C again to leave it)", file=sys.stderr)

    try:
        before = signal.signal(signal.SIGINT, note)
    except ValueError:  # not in the main thread
        yield stop
        return
    try:
        yield stop
    finally:
        signal.signal(signal.SIGINT, before)
