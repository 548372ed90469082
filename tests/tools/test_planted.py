"""The planted bugs of `planted.py`."""

from __future__ import annotations

import pytest
from tools import planted


@pytest.mark.parametrize("name", planted.PLANTED)
def test_bug_can_be_planted(name: str, monkeypatch: pytest.MonkeyPatch) -> None:
    """Each planted bug patches something that exists; `python tests/tools/planted.py` hunts all of them."""
    planted.PLANTED[name][1](monkeypatch)
