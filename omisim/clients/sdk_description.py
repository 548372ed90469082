"""The API description of osc-sdk-python, parsed once for each version of the SDK.

The SDK parses a megabyte of YAML whenever a Gateway is created. Here what its two parsers set is kept in this process,
and for the next process in a file of the user's cache folder, as a Python literal. `OMISIM_CACHE_DIR` names another
folder; if it is empty, nothing is written. The file's name holds a digest of the SDK's parsers and of the files that
they read. Files are replaced as a whole, so any number of processes may write them at once; one that cannot be read or
written is ignored. One thread at a time reads or parses, and the others take its result: some releases of CPython 3.11
and 3.12 raise SystemError if two threads parse a literal at once (python/cpython#106905).
"""

from __future__ import annotations

import ast
import inspect
import os
import sys
from collections.abc import Callable, Iterator
from contextlib import contextmanager, suppress
from hashlib import blake2b
from pathlib import Path
from tempfile import NamedTemporaryFile
from threading import RLock
from typing import Any, Final

from omisim.base.process import hold_at_fork
from omisim.clients.replaced_values import original_environ, replaced_attribute

__all__ = ["get_cache_folder", "kept_description"]

_PARSERS: Final = ("_convert", "_load_errors")
_Parsed = dict[str, Any]  # what a parser returns, as "result", and the attributes that it sets, as "attributes"
_LOCK = RLock()
hold_at_fork(_LOCK)
_parsed: dict[tuple[str, ...], _Parsed] = {}  # by the parser's name and its arguments


def get_cache_folder() -> Path | None:
    """Return the folder in which files outlive the process; None without a home, or if `OMISIM_CACHE_DIR` is empty."""
    environ = original_environ()  # a test's HOME is a temporary directory
    if (folder := environ.get("OMISIM_CACHE_DIR")) is not None:
        return Path(folder) if folder else None
    if os.name == "nt":
        root = environ.get("LOCALAPPDATA")
    else:
        home = environ.get("HOME")
        system = home and str(Path(home, "Library", "Caches") if sys.platform == "darwin" else Path(home, ".cache"))
        root = environ.get("XDG_CACHE_HOME") or system
    return Path(root, "omisim") if root else None


@contextmanager
def kept_description(gateway: type) -> Iterator[None]:
    """Replace the two parsers of the SDK's Gateway class by what they have set before."""
    first, second = (replaced_attribute(gateway, name, _keep(name, getattr(gateway, name))) for name in _PARSERS)
    with first, second:
        yield


def _keep(name: str, parse: Callable[..., Any]) -> Callable[..., Any]:
    def parsed(self: Any, *sources: str) -> Any:
        key = (name, *sources)
        with _LOCK:
            if key not in _parsed:
                folder = get_cache_folder()
                file = folder / f"sdk-{_digest(parse, *key)}.txt" if folder else None
                _parsed[key] = _read(file) or _write(file, _parse(self, parse, sources))
        vars(self).update(_parsed[key]["attributes"])
        return _parsed[key]["result"]

    return parsed


def _digest(parse: Callable[..., Any], *key: str) -> str:
    """Digest the parser's module, the files beside it that it may read, and its arguments."""
    module = Path(inspect.getfile(parse))
    digest = blake2b(repr(key).encode(), digest_size=16)
    for path in [module, *sorted((module.parent / "resources").glob("*.yaml")), *map(Path, key[1:])]:
        digest.update(path.read_bytes())
    return digest.hexdigest()


def _parse(gateway: object, parse: Callable[..., Any], sources: tuple[str, ...]) -> _Parsed:
    before = set(vars(gateway))
    result = parse(gateway, *sources)
    return {
        "result": result,
        "attributes": {name: value for name, value in vars(gateway).items() if name not in before},
    }


def _read(file: Path | None) -> _Parsed | None:
    """Return what a file holds, or None if it is absent or damaged."""
    if file is not None:
        with suppress(OSError, ValueError, SyntaxError, RecursionError, MemoryError):
            parsed = ast.literal_eval(file.read_text(encoding="utf-8"))
            if isinstance(parsed, dict) and parsed.keys() == {"result", "attributes"}:
                return parsed
    return None


def _write(file: Path | None, parsed: _Parsed) -> _Parsed:
    """Write a file, unless it cannot be written or a value has no literal. Return `parsed`."""
    if file is not None:
        with suppress(OSError, ValueError, SyntaxError):
            text = repr(parsed)
            if ast.literal_eval(text) == parsed:
                file.parent.mkdir(parents=True, exist_ok=True)
                _replace(file, text)
    return parsed


def _replace(file: Path, text: str) -> None:
    with NamedTemporaryFile("w", encoding="utf-8", dir=file.parent, suffix=".tmp", delete=False) as temporary:
        try:
            temporary.write(text)
            temporary.close()
            Path(temporary.name).replace(file)
        except BaseException:
            temporary.close()
            Path(temporary.name).unlink(missing_ok=True)
            raise
