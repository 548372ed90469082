"""Hide the configuration of the machine from clients."""

from __future__ import annotations

import os
from collections.abc import Iterator
from contextlib import contextmanager
from unittest import mock

__all__ = ["isolated_environ"]


@contextmanager
def isolated_environ(*prefixes: str, **variables: str) -> Iterator[None]:
    """Remove the environment variables with these prefixes and set `variables`, until the context exits."""
    with mock.patch.dict(os.environ):
        for name in [name for name in os.environ if name.startswith(prefixes)]:
            del os.environ[name]
        os.environ.update(variables)
        yield
