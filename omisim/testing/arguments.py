"""Errors about wrong arguments of the functions that assert something about a cloud."""

from __future__ import annotations

from collections.abc import Callable
from functools import wraps
from typing import Any, TypeVar, cast

from omisim.cloud.account import Account
from omisim.cloud.cloud import Cloud

__all__ = ["require_some", "takes_cloud"]

__tracebackhide__ = True  # pytest shows the test's line, not ours

Function = TypeVar("Function", bound=Callable[..., Any])


def takes_cloud(function: Function) -> Function:
    """Make a function raise TypeError if its first argument is not a cloud, for example one of its accounts."""

    @wraps(function)
    def checked(cloud: Any, *args: Any, **options: Any) -> Any:
        if not isinstance(cloud, Cloud):
            remedy = f": pass {cloud.name}.cloud" if isinstance(cloud, Account) else ""
            raise TypeError(f"{function.__name__} takes a Cloud, not {cloud!r}{remedy}")
        return function(cloud, *args, **options)

    return cast("Function", checked)


def require_some(function: str, noun: str, values: tuple[str, ...]) -> None:
    """Raise TypeError if a function got none of the values that it checks, or one that is not a str."""
    if not values:
        raise TypeError(f"{function} takes at least one {noun}")
    for value in values:
        if not isinstance(value, str):
            raise TypeError(f"{function} takes each {noun} as a str, not {type(value).__name__}")
