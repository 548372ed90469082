"""How `mutants.py` runs the suite."""

from __future__ import annotations

from support.pages import ROOT
from tools import mutants


def test_a_test_passes_without_a_mutant() -> None:
    """A passing test of the suite passes as the script runs it, so what fails there fails because of a mutant."""
    test = "tests/spec/test_lifecycle.py"
    assert mutants.run_pytest(ROOT, ["-q", "-n", "0", "-p", "no:cacheprovider", test], None) == 0
