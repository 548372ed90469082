"""The planted bugs, which `planted.py` hunts."""

from __future__ import annotations

import pytest
from support.planted_bugs import PLANTED
from tools import planted


@pytest.mark.parametrize("name", PLANTED)
def test_bug_can_be_planted(name: str, monkeypatch: pytest.MonkeyPatch) -> None:
    """Each planted bug patches something that exists; `python tests/tools/planted.py` hunts all of them."""
    PLANTED[name][1](monkeypatch)


def test_bug_that_fails_by_itself_is_not_found(monkeypatch: pytest.MonkeyPatch) -> None:
    """An error of the code that plants a bug ends the hunt, in place of counting as a discovery."""
    monkeypatch.setattr("support.planted_bugs.to_dict", None)
    with pytest.raises(RuntimeError, match="the code of the planted bug fails: a dump forgets what is due"):
        planted.hunt("a dump forgets what is due", 0)
