"""The machine's own configuration, out of sight of clients that need none of it."""

from __future__ import annotations

import os
from collections.abc import Iterator
from contextlib import contextmanager
from unittest import mock

__all__ = ["isolated_environ"]


@contextmanager
def isolated_environ(*prefixes: str, **variables: str) -> Iterator[None]:
    """Hide the variables whose names begin so, and set others, until the context is left."""
    with mock.patch.dict(os.environ):
        for name in [name for name in os.environ if name.startswith(prefixes)]:
            del os.environ[name]
        os.environ.update(variables)
        yield
