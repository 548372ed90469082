"""The planted bugs, which `planted.py` hunts."""

from __future__ import annotations

import pytest
from support.planted_bugs import PLANTED


@pytest.mark.parametrize("name", PLANTED)
def test_bug_can_be_planted(name: str, monkeypatch: pytest.MonkeyPatch) -> None:
    """Each planted bug patches something that exists; `python tests/tools/planted.py` hunts all of them."""
    PLANTED[name][1](monkeypatch)
