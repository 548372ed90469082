"""Visit states on the workers of a dask cluster, for a check that one machine is too small for.

A task visits consecutive states of a level. Its result depends on these states alone, not on what its worker has
visited before, so that dask can run it again elsewhere when a worker is lost, and the result of the check is the same.
"""

from __future__ import annotations

import gc
import logging
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from itertools import islice
from threading import local
from typing import Any

import omisim
from omisim.tools.check.actions import describe_scenario
from omisim.tools.check.explorer import Explorer, Path, Start, Visit, collect_seldom

__all__ = ["connect", "visit_part"]

PART_SIZE = 64  # states per task, at most: a task costs the scheduler about a millisecond
PARTS_PER_WORKER = 4  # tasks that wait for each worker
CONNECT_SECONDS = 10

_own = local()  # the explorer of each thread of a worker, and its start


@contextmanager
def connect(address: str, start: Start) -> Iterator[Callable[[Sequence[Path]], Iterator[Visit]]]:
    """Yield a function that visits states, in order, on the cluster whose scheduler has this address.

    The workers get the cloud of the scenario, whose file only this machine has. Raises ImportError without the extra,
    ValueError if no scheduler answers, if its workers have another omisim or for a wrong scenario, and
    ChildProcessError if the workers are lost again and again.
    """
    try:
        from distributed import Client, KilledWorker
        from distributed.comm.addressing import get_address_host_port
    except ImportError as error:
        raise ImportError("--dask needs dask: pip install 'omisim[dask]'") from error
    bounds, scenario, never = start
    if isinstance(scenario, str):
        start = (bounds, describe_scenario(scenario), never)
    logging.getLogger("distributed").setLevel(logging.CRITICAL)  # it reports each lost worker
    try:
        get_address_host_port(address)  # a client of a malformed address never closes
        client = Client(address, timeout=CONNECT_SECONDS, set_as_default=False)  # type: ignore[no-untyped-call]
    except (OSError, ValueError, TypeError, ImportError) as error:
        raise ValueError(f"no scheduler of dask answers at {address!r}: {error or type(error).__name__}") from None
    with client:
        _check_workers(client)
        try:
            yield lambda paths: _visit(client, start, paths)
        except KilledWorker as error:
            raise ChildProcessError("the workers of the cluster are killed, possibly for lack of memory") from error


def _check_workers(client: Any) -> None:
    try:
        versions = set(client.run(_get_version).values())
    except ImportError as error:
        raise ValueError(f"the workers of the cluster must have omisim {omisim.__version__}: {error}") from None
    if not versions:
        raise ValueError("the cluster has no workers")
    if versions != {omisim.__version__}:
        installed = ", ".join(sorted(versions))
        raise ValueError(f"the workers of the cluster must have omisim {omisim.__version__}, not {installed}")


def _get_version() -> str:
    return omisim.__version__


def _visit(client: Any, start: Start, paths: Sequence[Path]) -> Iterator[Visit]:
    """Yield the visits of a level in its order. Only as many tasks are open as keep the workers busy."""
    workers = max(1, len(client.scheduler_info()["workers"]))
    size = min(PART_SIZE, 1 + len(paths) // (PARTS_PER_WORKER * workers))
    parts = (paths[begin : begin + size] for begin in range(0, len(paths), size))
    futures = [_submit(client, start, part) for part in islice(parts, 2 * PARTS_PER_WORKER * workers)]
    try:
        while futures:
            visits: list[Visit] = futures[0].result()
            del futures[0]
            futures += [_submit(client, start, part) for part in islice(parts, 1)]
            yield from visits
    finally:
        client.cancel(futures)


def _submit(client: Any, start: Start, part: Sequence[Path]) -> Any:
    return client.submit(visit_part, start, part, pure=False)


def visit_part(start: Start, paths: Sequence[Path]) -> list[Visit]:
    """Visit states in this thread of a worker."""
    if getattr(_own, "start", None) != start:
        _own.explorer, _own.start = Explorer(*start), start
        if gc.get_freeze_count() == 0:
            collect_seldom()
    explorer: Explorer = _own.explorer
    explorer.forget_states()
    return [explorer.visit(path) for path in paths]
