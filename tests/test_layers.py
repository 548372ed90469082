"""The tree of packages: one list of layers, the same in the contract and for contributors, and no import circle."""

from __future__ import annotations

import ast
import re
import tomllib
from collections import Counter
from collections.abc import Iterator
from functools import cache
from graphlib import TopologicalSorter
from pathlib import Path

ROOT = Path(__file__).parents[1]
PACKAGE = ROOT / "omisim"
MODULES = {
    ".".join(path.relative_to(ROOT).with_suffix("").parts).removesuffix(".__init__"): path
    for path in sorted(PACKAGE.rglob("*.py"))
}
CONTRACTS = tomllib.loads((ROOT / "pyproject.toml").read_text())["tool"]["importlinter"]["contracts"]
LAYERS = next(contract for contract in CONTRACTS if contract["type"] == "layers")


@cache
def parse(module: str) -> ast.Module:
    """Return the syntax of a module."""
    return ast.parse(MODULES[module].read_text())


def imports(module: str) -> Iterator[str]:
    """Yield the modules of omisim that a module imports at run time, inside functions too."""
    for node in runtime_nodes(parse(module)):
        if isinstance(node, ast.ImportFrom) and node.module in MODULES:
            for alias in node.names:
                inner = f"{node.module}.{alias.name}"
                yield inner if inner in MODULES else node.module
        elif isinstance(node, ast.Import):
            yield from (alias.name for alias in node.names if alias.name in MODULES)


def runtime_nodes(node: ast.AST) -> Iterator[ast.AST]:
    """Yield the nodes below one, but for what only a type checker sees."""
    for child in ast.iter_child_nodes(node):
        if not (isinstance(child, ast.If) and ast.unparse(child.test) == "TYPE_CHECKING"):
            yield child
            yield from runtime_nodes(child)


class TestTheTree:
    def test_has_the_same_layers_for_contributors_as_in_the_contract(self) -> None:
        """CONTRIBUTING's table lists the packages of the layers contract, lowest first."""
        text = (ROOT / "CONTRIBUTING.md").read_text()
        packages = re.findall(r"^\| `(\w+)/` \|", text, re.MULTILINE)
        assert [f"omisim.{name}" for name in reversed(packages)] == LAYERS["layers"]

    def test_has_a_layer_for_each_package(self) -> None:
        """Every package below omisim is a row of the contract."""
        packages = {f"omisim.{path.parent.name}" for path in PACKAGE.glob("*/__init__.py")}
        assert packages == set(LAYERS["layers"])

    def test_holds_at_most_a_dozen_files_beside_packages(self) -> None:
        """What lies directly under omisim is the package itself, its plugin, and public import paths."""
        files = [path.name for path in PACKAGE.iterdir() if path.is_file()]
        assert len(files) <= 12, files

    def test_has_public_import_paths_that_nothing_inside_uses(self) -> None:
        """A thin module directly under omisim only offers names of the package that they live in."""
        thin = {
            name for name in MODULES if name.count(".") == 1 and MODULES[name].name not in ("__init__.py", "plugin.py")
        }
        used_names = {(module, name) for module in MODULES for name in imports(module) if name in thin}
        assert used_names == set()


class TestImports:
    def test_form_no_circle(self) -> None:
        """No module imports itself through others, but for the seven conveniences of Cloud and Account."""
        conveniences = {tuple(edge.split(" -> ")) for edge in LAYERS["ignore_imports"]}
        graph = {
            module: {name for name in imports(module) if name != module and not leaves(module, name, conveniences)}
            for module in MODULES
        }
        assert len(list(TopologicalSorter(graph).static_order())) == len(MODULES)

    def test_upwards_are_at_most_seven(self) -> None:
        """Only methods of Cloud and Account, which open something above them, import upwards."""
        assert len(LAYERS["ignore_imports"]) <= 7
        assert all(
            edge.startswith(("omisim.cloud.cloud ", "omisim.cloud.account ")) for edge in LAYERS["ignore_imports"]
        )

    def test_of_private_names_are_excused_at_most_five_times(self) -> None:
        """SLF001 is on everywhere; at most five lines are excused, each with a reason."""
        assert "SLF001" not in (ROOT / "pyproject.toml").read_text()
        folders = (PACKAGE, ROOT / "tests", ROOT / "benchmarks", ROOT / "fixtures")
        lines = [line for folder in folders for path in folder.rglob("*.py") for line in path.read_text().splitlines()]
        excused = [
            line.partition("# noqa: SLF001")[2] for line in lines if line.count("noqa: SLF001") and '"' not in line
        ]
        assert len(excused) <= 5
        assert all(reason.startswith(" - ") for reason in excused)


class TestExports:
    def test_list_what_other_modules_import(self) -> None:
        """The `__all__` of a module has every name that another module imports from it, but for the version."""
        exports = {module: names for module in MODULES if (names := read_exports(module))}
        missing = [
            f"{node.module}.{alias.name}"
            for module in MODULES
            for node in ast.walk(parse(module))
            if isinstance(node, ast.ImportFrom) and node.module in exports
            for alias in node.names
            if alias.name not in ("*", "__version__", *exports[node.module])
            and f"{node.module}.{alias.name}" not in MODULES
        ]
        assert missing == []

    def test_are_used_outside_their_module(self) -> None:
        """Each function and constant in an `__all__` stands in another file too, of omisim or of its tests."""
        paths = (*MODULES.values(), *(ROOT / "tests").rglob("*.py"))
        files_by_word = Counter(word for path in paths for word in set(re.findall(r"\w+", path.read_text())))
        names = [(module, name) for module in MODULES for name in read_exports(module)]
        values = [(module, name) for module, name in names if name in (name.upper(), name.lower())]  # not types
        assert [f"{module}.{name}" for module, name in values if files_by_word[name] == 1] == []


def read_exports(module: str) -> list[str]:
    """Return the names in the `__all__` of a module; [] without one."""
    for node in parse(module).body:
        if isinstance(node, ast.Assign) and ast.unparse(node.targets[0]) == "__all__":
            names: list[str] = ast.literal_eval(node.value)
            return names
    return []


def leaves(module: str, name: str, conveniences: set[tuple[str, ...]]) -> bool:
    """Whether an import is one of the conveniences, which may lead to the package or to a module of it."""
    return any(module == start and (name == end or name.startswith(f"{end}.")) for start, end in conveniences)
