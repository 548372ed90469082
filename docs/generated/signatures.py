"""Signatures for autodoc: resolved annotations, and the typed methods of an account as functions."""

from __future__ import annotations

import ast
import inspect
import sys
from collections.abc import Callable, Iterator, Mapping
from functools import cache
from importlib import import_module
from inspect import Parameter, Signature
from types import FunctionType
from typing import Any, get_type_hints

from omisim import Account
from omisim.cloud.account import Typed

__all__ = ["resolve_annotations", "typed_methods"]


def resolve_annotations(function: FunctionType) -> None:
    """Replace the annotations of a function by the classes that they name, and drop the metadata of Annotated."""
    function.__annotations__ = get_type_hints(function, localns=dict(_names_for_type_checkers(function.__module__)))


@cache
def _names_for_type_checkers(module: str) -> Mapping[str, Any]:
    """Return what a module imports under `if TYPE_CHECKING`."""
    tree = ast.parse(inspect.getsource(sys.modules[module]))
    blocks = [node for node in tree.body if isinstance(node, ast.If) and ast.unparse(node.test) == "TYPE_CHECKING"]
    imports = [node for block in blocks for node in block.body if isinstance(node, ast.ImportFrom)]
    return {
        alias.asname or alias.name: _imported(str(node.module), alias.name) for node in imports for alias in node.names
    }


def _imported(module: str, name: str) -> Any:
    """Return a name of a module, or a class of the same name if the module is not installed."""
    try:
        return getattr(import_module(module), name)
    except ImportError:
        return type(name, (), {"__module__": module})


def typed_methods() -> Iterator[tuple[str, Callable[..., Any]]]:
    """Yield each typed method of an account as a function, which autodoc documents as a method."""
    for name, value in vars(Account).items():
        if isinstance(value, Typed):
            yield name, _method(name, value)


def _method(name: str, typed: Typed[..., Any]) -> Callable[..., Any]:
    def method() -> None: ...

    parameters = list(inspect.signature(typed.__wrapped__).parameters.values())[1:]  # without the Call
    own = Parameter("self", Parameter.POSITIONAL_ONLY)
    method.__signature__ = Signature([own, *parameters])  # type: ignore[attr-defined]
    method.__annotations__ = get_type_hints(typed.__wrapped__)
    method.__doc__, method.__name__, method.__module__ = typed.__doc__, name, Account.__module__
    method.__qualname__ = f"Account.{name}"
    return method
