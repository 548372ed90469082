"""How many small changes of the core the suite notices: `python tests/tools/mutants.py [--sample 150] [--seed 0]`.

cosmic-ray makes the changes, one at a time, in `actions/`, `lifecycle.py` and `state.py`; annotations, docstrings and
the options of dataclasses are left alone. Each is met by the tests that run its line: a sample of them first, all of
them if it survives that.
Prints the survivors and the share that was killed; exit status 1 when that is under 85 %.
"""

from __future__ import annotations

import argparse
import ast
import os
import random
import shutil
import subprocess
import sys
import tempfile
import time
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from itertools import islice
from pathlib import Path
from queue import Queue

import coverage
from cosmic_ray.ast import ast_nodes, get_ast
from cosmic_ray.mutating import mutate_code
from cosmic_ray.plugins import get_operator, operator_names

ROOT = Path(__file__).parents[2]
CORE = [
    *sorted((ROOT / "omisim" / "actions").rglob("*.py")),
    ROOT / "omisim/spec/lifecycle.py",
    ROOT / "omisim/state/state.py",
]
WHOLE = (
    "tests",
    "fixtures",
    "omisim",
    "benchmarks",
    "docs",
    "README.md",
    "CHANGELOG.md",
    "CONTRIBUTING.md",
    "SECURITY.md",
    "pyproject.toml",
    "constraints.txt",
    ".ci",
)
FIRST, LONGEST = 200, 300  # tests that meet a mutant first; seconds until it is taken for hanging
ENOUGH = 0.85


@dataclass(frozen=True, slots=True)
class Mutant:
    """One small change of one file."""

    path: Path
    operator: str
    occurrence: int
    line: int
    source: str

    def __str__(self) -> str:
        """Name it: file, line, operator, and the line as it became."""
        source_line = self.source.splitlines()[self.line - 1].strip()
        return f"{self.path.relative_to(ROOT)}:{self.line} {self.operator.rpartition('/')[2]}: {source_line}"


def mutants() -> Iterator[tuple[Path, str, int]]:
    """Yield every mutant of the core, by file, operator and occurrence."""
    operators = {name: get_operator(name) for name in operator_names() if not get_operator(name).arguments()}
    for path in CORE:
        nodes = list(ast_nodes(get_ast(path.read_text())))
        for name, operator in operators.items():
            count = sum(1 for node in nodes for _ in operator().mutation_positions(node))
            yield from ((path, name, number) for number in range(count))


def make_mutant(path: Path, name: str, occurrence: int) -> Mutant | None:
    """Return a mutant, or None when it changes no executed code, or leaves no Python (`{-row}` for `{**row}`)."""
    before = path.read_text()
    after = mutate_code(before, get_operator(name)(), occurrence)
    if after is None or _find_running_code(after) in (None, _find_running_code(before)):
        return None
    pairs = zip(before.splitlines(), after.splitlines(), strict=False)
    line = next((n for n, (old, new) in enumerate(pairs, 1) if old != new), 1)
    return Mutant(path, name, occurrence, line, after)


def _find_running_code(source: str) -> str | None:
    """Return the code of a module without annotations and docstrings; None for invalid Python."""
    try:
        tree = ast.parse(source)
    except SyntaxError:
        return None
    for node in ast.walk(tree):
        if isinstance(node, ast.FunctionDef):
            node.returns = None
        if isinstance(node, ast.arg):
            node.annotation = None
        if isinstance(node, ast.arguments):  # by position or by name: every call of ours names what has to be named
            node.args, node.posonlyargs, node.kwonlyargs = [*node.posonlyargs, *node.args, *node.kwonlyargs], [], []
            node.defaults, node.kw_defaults = [*node.defaults, *(d for d in node.kw_defaults if d)], []
        if isinstance(node, ast.AnnAssign):
            node.annotation = ast.Constant(None)
        if isinstance(node, ast.ClassDef):  # frozen and slots keep us from mistakes that we do not make
            node.decorator_list = []
        if isinstance(node, ast.Expr) and isinstance(node.value, ast.Constant):
            node.value = ast.Constant("")
    return ast.unparse(tree)


def covering(copy: Path) -> coverage.CoverageData:
    """Run the suite once, and note which test runs which line."""
    words = ["-q", "-n", "0", "-p", "no:cacheprovider", "--cov=omisim", "--cov-context=test", "--cov-report="]
    if run_pytest(copy, words, None):
        raise SystemExit("the suite fails without any mutant: run it first")
    data = coverage.CoverageData(str(copy / ".coverage"))
    data.read()
    return data


def run_pytest(copy: Path, words: list[str], timeout: float | None) -> int:
    """Run the tests that the words name in a copy of the tree. Returns the exit status; 1 after the timeout."""
    environment = os.environ | {"PYTHONPATH": str(copy), "PYTHONDONTWRITEBYTECODE": "1"}
    run = subprocess.Popen(
        [sys.executable, "-m", "pytest", *words],
        cwd=copy,
        env=environment,
        stdout=subprocess.DEVNULL,
        stderr=subprocess.DEVNULL,
    )
    try:
        return run.wait(timeout)
    except subprocess.TimeoutExpired:
        run.kill()
        run.wait()
        return 1


def survives(mutant: Mutant, copy: Path, tests: list[str]) -> bool:
    """Whether no test fails on a mutant. `tests`: those that run its line; none: it is of the module, so all."""
    target = copy / mutant.path.relative_to(ROOT)
    target.write_text(mutant.source)
    try:
        chosen = random.Random(0).sample(tests, min(FIRST, len(tests)))
        for some in (chosen, tests if len(tests) > FIRST else []) if tests else (["tests"],):
            if not some:
                continue
            chosen_file = copy / "chosen.txt"
            chosen_file.write_text("\n".join(some))
            words = ["-x", "-q", "-n", "0", "-p", "no:cacheprovider", "--hypothesis-seed=0", f"@{chosen_file}"]
            if run_pytest(copy, words, LONGEST):
                return False
        return True
    finally:
        target.write_text(mutant.path.read_text())


def main() -> int:
    """Make the mutants, run the tests, print what survived."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--sample", type=int, default=150)
    parser.add_argument("--seed", type=int, default=0)
    arguments = parser.parse_args()
    start = time.monotonic()
    with tempfile.TemporaryDirectory() as place:
        copies: Queue[Path] = Queue()
        for number in range(os.cpu_count() or 1):
            copies.put(_copied(Path(place) / str(number)))
        first = copies.get()
        data = covering(first)
        lines = {path: _contexts(data, first / path.relative_to(ROOT)) for path in CORE}
        copies.put(first)
        every = list(mutants())
        random.Random(arguments.seed).shuffle(every)
        chosen = list(islice((mutant for mutation in every if (mutant := make_mutant(*mutation))), arguments.sample))
        print(f"{len(chosen)} of {len(every)} mutants, ready at {time.monotonic() - start:.0f} s", flush=True)

        def meet(mutant: Mutant) -> tuple[Mutant, bool]:
            copy = copies.get()
            try:
                return mutant, survives(mutant, copy, lines[mutant.path].get(mutant.line, []))
            finally:
                copies.put(copy)

        with ThreadPoolExecutor(copies.qsize()) as pool:
            survivors = []
            for mutant, survived in pool.map(meet, chosen):
                if survived:
                    survivors.append(mutant)
                    print("survived:", mutant, flush=True)
    killed = 1 - len(survivors) / len(chosen)
    print(f"killed {killed:.1%} of {len(chosen)} (seed {arguments.seed}) in {time.monotonic() - start:.0f} s")
    return int(killed < ENOUGH)


def _copied(copy: Path) -> Path:
    copy.mkdir()
    for name in WHOLE:
        source = ROOT / name
        (shutil.copytree if source.is_dir() else shutil.copy)(source, copy / name)
    return copy


def _contexts(data: coverage.CoverageData, path: Path) -> dict[int, list[str]]:
    """Return the tests that run each line of a file; lines that run at import are left out."""
    tests_by_line = data.contexts_by_lineno(str(path.resolve()))
    return {
        line: [c.rpartition("|")[0] for c in contexts if c]
        for line, contexts in tests_by_line.items()
        if "" not in contexts
    }


if __name__ == "__main__":
    sys.exit(main())
