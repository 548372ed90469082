"""What `mutants.py` takes for a mutant, and how it runs the suite."""

from __future__ import annotations

from pathlib import Path

from support.pages import ROOT
from tools import mutants


def test_a_test_passes_without_a_mutant() -> None:
    """A passing test of the suite passes as the script runs it, so what fails there fails because of a mutant."""
    test = "tests/spec/test_lifecycle.py"
    assert mutants.run_pytest(ROOT, ["-q", "-n", "0", "-p", "no:cacheprovider", test], None) == 0


def test_a_change_that_is_not_python_is_no_mutant(tmp_path: Path) -> None:
    """No test has to notice a change that leaves a module that cannot be imported: an operator for `**` in a call."""
    path = tmp_path / "module.py"
    path.write_text("both = {**left, 'power': 2**right}\n")
    operator = "core/ReplaceBinaryOperator_Pow_Sub"
    made = [mutants.make_mutant(path, operator, number) for number in range(2)]
    assert [mutant and mutant.source for mutant in made] == [None, "both = {**left, 'power': 2-right}\n"]
