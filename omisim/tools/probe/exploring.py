"""`omisim probe --explore N`: random histories on an endpoint and on a server of omisim in a process of its own."""

from __future__ import annotations

import random
import re
import secrets
import subprocess
import sys
import time
from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager
from typing import Any

from omisim.probe.accounts import identify
from omisim.probe.connection import Answer, Keys
from omisim.probe.endpoint import Endpoint
from omisim.probe.explore import draw_history, find_difference, render_script, shrink
from omisim.probe.ledger import TAG
from omisim.probe.runner import CannotTell, Limits, Runner
from omisim.probe.session import Interrupted, describe_rest
from omisim.tools.output import print_text

__all__ = ["explore"]

_EXPORT = re.compile(r"export (\w+)=(\S+)")


def explore(endpoint: Endpoint, number: int, seed: str, limits: Limits, stop: Callable[[], bool]) -> int:
    """Print the first difference that random histories find, as a script; return the exit status.

    `stop` is asked before each history. Raises Interrupted if it says so, and ValueError if a history cannot
    be played to its end.
    """
    rng = random.Random(seed)  # noqa: S311 - a seed makes a run repeatable
    with _serve_omisim(endpoint) as own:
        here, there = _make_runner(own, limits), _make_runner(endpoint, limits)
        try:
            for count in range(1, number + 1):
                if stop():
                    raise Interrupted
                try:
                    difference = find_difference(draw_history(rng), here, there)
                    if difference is not None:
                        print_text(f"history {count} of seed {seed}: {difference.details}", sys.stderr)
                        print(render_script(shrink(difference, here, there)), end="")
                        return 1
                except CannotTell as error:
                    raise ValueError(f"stopped in history {count}: {error}") from None
        finally:
            for line in describe_rest(there, there.ledger.owners):
                print_text(f"omisim probe: {line}", sys.stderr)
    print(f"{number} {'history' if number == 1 else 'histories'}, no difference (seed {seed})", file=sys.stderr)
    return 0


def _make_runner(endpoint: Endpoint, limits: Limits) -> Runner:
    def send(_by: str, action: str, parameters: Mapping[str, Any], options: Mapping[str, str], _door: str) -> Answer:
        return endpoint.call(action, parameters, options)

    initial_values = identify({"alice": endpoint}, f"{TAG}-{secrets.token_hex(4)}")
    sleep: Callable[[float], None] = time.sleep
    return Runner(send, frozenset({"alice"}), initial_values, sleep, limits)


@contextmanager
def _serve_omisim(endpoint: Endpoint) -> Iterator[Endpoint]:
    """Serve a new cloud of omisim with one account in the Region of the endpoint, in another process.

    Ctrl-C in the terminal does not reach that process: it is still needed for the clean-up.
    """
    command = [sys.executable, "-m", "omisim", "serve", "--port", "0", "--account", f"explorer@{endpoint.region}"]
    process = subprocess.Popen(  # noqa: S603 - this program
        command, stdout=subprocess.PIPE, stderr=subprocess.STDOUT, text=True, start_new_session=True
    )
    try:
        assert process.stdout is not None
        lines: list[str] = []
        for line in process.stdout:
            lines.append(line)
            if line.startswith("# omisim is ready"):
                break
        values = {match[1]: match[2] for line in lines if (match := _EXPORT.match(line))}
        if "OMISIM_URL" not in values:
            raise ValueError(f"omisim serve did not start: {' '.join(lines).strip() or 'no output'}")
        keys = Keys(values["OSC_ACCESS_KEY"], values["OSC_SECRET_KEY"])
        own = Endpoint(values["OMISIM_URL"], keys, endpoint.region, now=endpoint.now, sleep=time.sleep)
        try:
            yield own
        finally:
            own.connection.close()
    finally:
        process.kill()  # a suspended process would not end otherwise
        process.communicate()
