"""`omisim doctor`: check an installation and its surroundings, and say what to do."""

from __future__ import annotations

import os
import re
import sys
import tempfile
from collections.abc import Callable, Iterator, Mapping
from importlib import metadata
from pathlib import Path
from types import ModuleType
from typing import Final, Literal

import omisim
from omisim.base.frozen import frozen
from omisim.clients.intercept.contexts import are_patches_idle

__all__ = ["Finding", "diagnose", "fits"]

# the libraries whose functions omisim replaces while a context is entered
PATCHED_LIBRARIES: Final = (
    "aiohttp", "asyncio", "boto3", "botocore", "httpx", "osc_sdk_python", "queue", "requests", "select", "socket",
    "threading", "time", "urllib3",
)  # fmt: skip
PROXIES: Final = ("HTTP_PROXY", "HTTPS_PROXY", "ALL_PROXY")
LOCAL: Final = ("127.0.0.1", "localhost")
BUNDLES: Final = ("REQUESTS_CA_BUNDLE", "CURL_CA_BUNDLE", "SSL_CERT_FILE", "AWS_CA_BUNDLE")
CONFIGURATIONS: Final = (".osc/config.json", ".oapi/config.json", ".aws/config", ".aws/credentials")
# extra → what needs it
PURPOSES: Final = {
    "osc": "account.gateway()", "fcu": "client('fcu')", "oos": "client('oos')", "server": "omisim serve",
    "demo": "omisim demo", "hypothesis": "omisim.testing.strategies and omisim.testing.machine",
    "dask": "omisim check --dask",
}  # fmt: skip
_REQUIREMENT: Final = re.compile(r"([\w.-]+)(?:\[[^]]*\])?\s*([^;]*)(?:;.*extra\s*==\s*['\"]([\w-]+)['\"])?.*")
_COMPARED: Final[Mapping[str, Callable[[tuple[int, ...], tuple[int, ...]], bool]]] = {
    ">=": lambda installed, bound: installed >= bound,
    "<": lambda installed, bound: installed < bound,
    "!=": lambda installed, bound: installed[: len(bound)] != bound,
}


@frozen()
class Finding:
    """One finding: "ok", a "note" that explains surprises, or a "problem"; `remedy` says what to do."""

    grade: Literal["ok", "note", "problem"]
    text: str
    remedy: str = ""

    def __str__(self) -> str:
        """Format the finding as one line, and a second one with the remedy."""
        return f"{self.grade:<8} {self.text}" + (f"\n         → {self.remedy}" if self.remedy else "")


def diagnose(environ: Mapping[str, str], home: Path | None) -> Iterator[Finding]:
    """Yield the findings for this process, its environment variables and a home folder. Values are never shown."""
    yield Finding(
        "ok", f"omisim {omisim.__version__} in {Path(omisim.__file__).parent}, Python {sys.version.split()[0]}"
    )
    yield from _check_installation()
    yield from _check_extras()
    yield from _check_pytest(environ)
    yield from _check_patches()
    yield from _check_proxies(environ)
    yield from _check_configuration(environ, home)
    yield from _check_leftovers(Path(tempfile.gettempdir()))


def _check_installation() -> Iterator[Finding]:
    try:
        version = metadata.version("omisim")
    except metadata.PackageNotFoundError:
        yield Finding("problem", "omisim is imported, but not installed", "pip install omisim, or pip install -e .")
        return
    if version != omisim.__version__:
        text = f"the installed omisim is {version}, the imported one {omisim.__version__}"
        yield Finding("problem", text, "remove the other copy from PYTHONPATH and this directory, or install again")


def _check_extras() -> Iterator[Finding]:
    """Compare the packages of each extra with what is installed."""
    extras: dict[str, list[tuple[str, str]]] = {}
    for line in metadata.requires("omisim") or () if _is_installed("omisim") else ():
        match = _REQUIREMENT.fullmatch(line)
        if match and match[3] in PURPOSES:
            extras.setdefault(match[3], []).append((match[1], match[2].strip(" ()")))
    for extra, packages in extras.items():
        missing = [name for name, _ in packages if not _is_installed(name)]
        installed = [
            (name, metadata.version(name), requirement) for name, requirement in packages if name not in missing
        ]
        wrong = [
            f"{name} {version}, not {requirement}"
            for name, version, requirement in installed
            if not fits(version, requirement)
        ]
        command = f"pip install 'omisim[{extra}]'"
        if wrong:
            yield Finding("problem", f"extra {extra}: {'; '.join(wrong)}", f"{command} --upgrade")
        elif missing:
            text = f"extra {extra} is not installed (missing: {', '.join(missing)}), needed for {PURPOSES[extra]}"
            yield Finding("note", text, command)
        else:
            yield Finding("ok", f"extra {extra}: {', '.join(f'{name} {version}' for name, version, _ in installed)}")


def _is_installed(package: str) -> bool:
    try:
        metadata.version(package)
    except metadata.PackageNotFoundError:
        return False
    return True


def fits(version: str, requirement: str) -> bool:
    """Whether a version meets a requirement such as `>=5.1,<6`; other kinds of requirements count as met."""
    for part in requirement.split(","):
        match = re.fullmatch(r"\s*(>=|<|!=)\s*([\d.]+)\s*", part)
        if match and not _COMPARED[match[1]](_read_numbers(version), _read_numbers(match[2])):
            return False
    return True


def _read_numbers(version: str) -> tuple[int, ...]:
    return tuple(map(int, re.findall(r"\d+", re.match(r"[\d.]*", version)[0])))  # type: ignore[index]  # it matches ""


def _check_pytest(environ: Mapping[str, str]) -> Iterator[Finding]:
    if not _is_installed("pytest"):
        yield Finding("note", "pytest is not installed; the fixtures need it", "pip install 'pytest>=8.2'")
    elif environ.get("PYTEST_DISABLE_PLUGIN_AUTOLOAD"):
        text = "PYTEST_DISABLE_PLUGIN_AUTOLOAD is set, so pytest does not load the plugin"
        yield Finding("problem", text, "unset it, or run pytest -p omisim.plugin")
    else:
        yield Finding("ok", f"pytest {metadata.version('pytest')} loads the plugin by itself")


def _check_patches() -> Iterator[Finding]:
    """Find functions of omisim in other libraries, which only an entered context leaves there."""
    for name, module in sorted(sys.modules.items()):
        if name.partition(".")[0] in PATCHED_LIBRARIES and isinstance(module, ModuleType):
            classes = [value for value in vars(module).values() if isinstance(value, type)]
            for owner, where in ((module, name), *((each, f"{name}.{each.__name__}") for each in classes)):
                for attribute in _list_replaced(owner):
                    text = f"{where}.{attribute} is replaced by omisim: a context has not been left"
                    yield Finding("problem", text, "enter cloud.intercept(), sleeping() and environment() by `with`")


def _list_replaced(owner: object) -> list[str]:
    """Return the attributes of a module or class that are functions of omisim, but for those that do nothing."""
    attributes = list(vars(owner).items())
    functions = {name: value for name, value in attributes if callable(value)}
    modules = {name: _defining_module(function) for name, function in functions.items()}
    replaced = [name for name, module in modules.items() if module.startswith("omisim.")]
    if are_patches_idle():  # pytest's plugin keeps them from one test to the next
        replaced = [name for name in replaced if not modules[name].startswith("omisim.clients.intercept.")]
    return replaced


def _defining_module(function: object) -> str:
    """Return the name of a function's module: of its code, because a wrapper takes the other from what it wraps."""
    return str(getattr(function, "__globals__", {}).get("__name__", getattr(function, "__module__", "")))


def _check_proxies(environ: Mapping[str, str]) -> Iterator[Finding]:
    proxies = [name for name in environ if name.upper() in PROXIES and environ[name]]
    exempt = ",".join(value for name, value in environ.items() if name.upper() == "NO_PROXY")
    if proxies and not ("*" in exempt or all(host in exempt for host in LOCAL)):
        text = f"NO_PROXY does not name {' and '.join(LOCAL)}, although a proxy is set: {', '.join(proxies)}"
        yield Finding("problem", text, f'export NO_PROXY="{",".join(LOCAL)}${{NO_PROXY:+,$NO_PROXY}}"')
    for name in BUNDLES:
        if environ.get(name) and not os.access(environ[name], os.R_OK):
            yield Finding("problem", f"{name} names a file that does not exist or cannot be read", f"unset {name}")


def _check_configuration(environ: Mapping[str, str], home: Path | None) -> Iterator[Finding]:
    prefixes = ("OSC_", "AWS_", "OMISIM_")
    variables = sorted(name for name in environ if name.startswith(prefixes) and name not in BUNDLES)
    remedy = "use omi_env or account.environment(), which hide it, for code that makes its own clients"
    if variables:
        yield Finding("note", f"the environment configures real clients: {', '.join(variables)}", remedy)
    files = [f"~/{name}" for name in CONFIGURATIONS if home and os.access(home / name, os.R_OK)]
    if files:
        yield Finding("note", f"there are configuration files of real clients: {', '.join(files)}", remedy)
    if not variables and not files:
        yield Finding("ok", "no configuration of real clients")


def _check_leftovers(folder: Path) -> Iterator[Finding]:
    homes = sorted(path.parent.name for path in folder.glob("omisim-*/.osc"))  # without those of other users
    if homes:
        text = f"home directories of environments in {folder}: {len(homes)}; those of killed processes stay"
        yield Finding("note", text, f"remove them when no test runs: {', '.join(homes[:3])}")
