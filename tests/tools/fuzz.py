"""Fuzz every place that reads bytes from outside: the tests of `tests/test_fuzz.py`, driven by atheris or at random.

    python tests/tools/fuzz.py [--runs N] [--seconds N] [--corpus FOLDER] [TARGET...]

atheris 3.0.0 guides the bytes by the branches that they reach. It has wheels for Python 3.11 to 3.13 on Linux and is
not in omisim[dev]; install it beside omisim: `pip install atheris==3.0.0`. Without it, the bytes are random, from a
fixed seed. With atheris, each target runs in a process of its own. The runs that are printed are those whose bytes were
enough to draw an input. With `--corpus`, a run begins with the inputs that earlier ones found worth keeping, and leaves
an input that fails in this folder. The exit status is 1 if a target fails.
"""

from __future__ import annotations

import argparse
import importlib
import importlib.util
import random
import re
import subprocess
import sys
import time
from collections.abc import Callable
from contextlib import nullcontext
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import Any

ROOT = Path(__file__).parents[2]
HANG_SECONDS = 60  # for one input, by the clock
MAX_SECONDS = 1.0  # of the processor, for one input
MAX_BYTES = 4096
SEEDS, SEED_BYTES = 16, 512  # random inputs to begin with: shorter ones rarely hold a whole input
_RUNS = re.compile(r"^executed (\d+)", re.MULTILINE)


def load_targets() -> dict[str, Callable[[bytes], Any]]:
    """Return the targets: the name of each Hypothesis test, without its prefix, and its function of bytes."""
    sys.path[:0] = [str(ROOT), str(ROOT / "tests")]
    import test_fuzz  # noqa: PLC0415 - atheris has to instrument it first

    if importlib.util.find_spec("atheris"):  # a long run; a short one, as in CI, does not judge times
        test_fuzz.limits["seconds"] = MAX_SECONDS
    tests = {name: test for name, test in vars(test_fuzz).items() if name.startswith("test_")}
    return {name.removeprefix("test_"): test.hypothesis.fuzz_one_input for name, test in tests.items()}


class Counted:
    """A target that prints how many of its inputs were executed, now and then."""

    def __init__(self, target: Callable[[bytes], Any]) -> None:
        self._target = target
        self.executed = 0

    def __call__(self, content: bytes) -> None:
        """Run the target."""
        if self._target(content) is not None:
            self.executed += 1
            if self.executed % 100 == 0:
                print(f"executed {self.executed}", flush=True)


def run_target(name: str, runs: int, seconds: int, kept: str) -> None:
    """Run one target with atheris in this process, which it ends. `kept` is the folder of all corpora, or ""."""
    atheris: Any = importlib.import_module("atheris")
    with atheris.instrument_imports(include=["omisim"]):
        targets = load_targets()
    limits = [f"-runs={runs}", f"-max_len={MAX_BYTES}", f"-timeout={HANG_SECONDS}", "-rss_limit_mb=2048"]
    limits += [f"-max_total_time={seconds}"] if seconds else []
    with TemporaryDirectory() if not kept else nullcontext(str(Path(kept, name))) as corpus:
        Path(corpus).mkdir(parents=True, exist_ok=True)
        limits += [f"-artifact_prefix={corpus}-"] if kept else []
        numbers = random.Random(name)
        for number in range(SEEDS):
            Path(corpus, str(number)).write_bytes(numbers.randbytes(SEED_BYTES))
        atheris.Setup(["fuzz", *limits, corpus], Counted(targets[name]))
        atheris.Fuzz()


def run_at_random(name: str, runs: int, seconds: int) -> int:
    """Run a target with random bytes, until it has so many runs or the seconds have passed; return the runs."""
    target, numbers, start, executed = load_targets()[name], random.Random(name), time.monotonic(), 0
    while executed < runs and not (seconds and time.monotonic() - start > seconds):
        executed += target(numbers.randbytes(numbers.randrange(MAX_BYTES))) is not None
    return executed


def run_guided(name: str, runs: int, seconds: int, kept: str) -> tuple[int, str]:
    """Run a target with atheris, in another process; return the runs, and the output if it has failed."""
    limits = ["--runs", str(runs), "--seconds", str(seconds), "--corpus", kept]
    command = [sys.executable, __file__, "--here", *limits, name]
    run = subprocess.run(command, capture_output=True, text=True, check=False, errors="replace")
    executed = max(map(int, _RUNS.findall(run.stdout)), default=0)
    return executed, f"exit {run.returncode}\n{run.stdout[-2000:]}\n{run.stderr[-600:]}" if run.returncode else ""


def main() -> int:
    """Run the targets one after the other; return the exit status."""
    parser = argparse.ArgumentParser(description=__doc__.partition("\n")[0])
    parser.add_argument("--runs", type=int, default=100_000, help="of each target (default 100,000)")
    parser.add_argument("--seconds", type=int, default=0, help="for each target, at most")
    parser.add_argument("--corpus", default="", metavar="FOLDER", help="keep the inputs of each target below it")
    parser.add_argument("--here", action="store_true", help="run the one target in this process")
    parser.add_argument("targets", nargs="*", help="names of targets (default all)")
    options = parser.parse_args()
    if options.here:
        run_target(options.targets[0], options.runs, options.seconds, options.corpus)
        return 0
    total, failed = 0, []
    is_guided = importlib.util.find_spec("atheris") is not None
    for name in options.targets or load_targets():
        start, problem = time.monotonic(), ""
        if is_guided:
            executed, problem = run_guided(name, options.runs, options.seconds, options.corpus)
        else:
            executed = run_at_random(name, options.runs, options.seconds)
        rate = executed / (time.monotonic() - start)
        print(f"{name}: {executed:,} runs, {rate:,.0f} a second {problem}".rstrip(), flush=True)
        total += executed
        failed += [name] if problem else []
    print(f"{total:,} runs, {len(failed)} targets failed{': ' if failed else ''}{', '.join(failed)}")
    return int(bool(failed))


if __name__ == "__main__":
    sys.exit(main())
