"""The figures of the documentation that the code knows."""

from __future__ import annotations

import re
import tomllib
from statistics import median

import pytest
from support.injection import OPERATIONS
from support.pages import ROOT

from benchmarks.__main__ import DEFAULT, TOPICS
from omisim.spec.lifecycle import LIFECYCLES, PerGib
from omisim.testing.coverage import Coverage
from omisim.tools.cli import main

DOCS = ROOT / "docs"


def read(page: str) -> str:
    """Return the text of a page."""
    return (DOCS / page).read_text("utf-8")


def test_every_topic_of_the_benchmarks_is_explained() -> None:
    """The page on speed has a row for each topic that it does not show in full."""
    rows = re.findall(r"^\| `(\w+)` \|", read("explanation/speed.md"), re.MULTILINE)
    assert sorted(set(rows)) == sorted(set(TOPICS) - set(DEFAULT))


def test_the_evidence_counts_the_mistakes_of_the_sample_projects() -> None:
    """As many mistakes are found as are planted."""
    samples = (ROOT / "fixtures" / "downstream").glob("*bugs.toml")
    planted = sum(len(tomllib.loads(path.read_text("utf-8"))["bugs"]) for path in samples)
    assert f"| all {planted} found |" in read("explanation/evidence.md")


def read_rows(text: str, mark: str) -> list[str]:
    """Return the rows of the table that a script writes between two marks."""
    return text.partition(f"<!-- {mark} -->")[2].partition(f"<!-- /{mark} -->")[0].strip().splitlines()[2:]


def test_the_evidence_summarizes_the_hunt_for_planted_bugs() -> None:
    """The sentence over the table counts its bugs, which were all found, and those found from each seed."""
    text = read("explanation/evidence.md")
    rows = [[cell.strip() for cell in row.split("|")] for row in read_rows(text, "planted")]
    found = [row[4] for row in rows]
    assert set(found) <= {"1 of 3", "2 of 3", "3 of 3"}
    steps = median(int(row[3].removeprefix("over ").replace(",", "")) for row in rows)
    from_each = f"{found.count('3 of 3')} of them from each seed"
    sentence = f"found all {len(rows)} bugs, {from_each}, and half of them within {steps:,} steps"
    assert sentence in " ".join(text.split())


def test_the_evidence_counts_what_the_probe_notices() -> None:
    """The sentence over the two tables counts their rows, and those in which no experiment noticed anything."""
    text = read("explanation/evidence.md")
    counts = []
    for mark in ("noticed", "noticed switches"):
        rows = read_rows(text, mark)
        counts.append((sum("| nothing |" not in row for row in rows), len(rows)))
    (bugs, planted), (switches, flipped) = counts
    assert f"{bugs} of {planted} bugs and {switches} of {flipped} switches" in text


def test_the_guarantees_count_the_operations_that_are_interrupted() -> None:
    """The page names the number of operations that exceptions are injected into."""
    assert f"runs {len(OPERATIONS)} operations" in read("explanation/guarantees.md")


def test_the_example_of_a_coverage_report_has_the_size_of_the_model() -> None:
    """It counts all actions, rules, cells and transitions, and has the percentage of its own counts."""
    text = read("howto/ci-coverage.md")
    counts = [(int(seen), int(total)) for seen, total in re.findall(r"^ +(\d+) of (\d+) ", text, re.MULTILINE)]
    assert [total for _, total in counts] == [total for _, total in Coverage().counts.values()]
    percent = 100 * sum(seen for seen, _ in counts) / sum(total for _, total in counts)
    assert f"\n{percent:.1f} % of the model was exercised\n" in text


def test_the_page_on_time_lists_all_durations() -> None:
    """The table has the default duration of each state that ends by itself."""
    rows = read("howto/time.md").partition("| state | default seconds |\n|---|---|\n")[2].partition("\n\n")[0]
    listed = {}
    for row in rows.splitlines():
        states, seconds = row.strip("| ").split(" | ")
        kind = ""
        for state in re.findall(r"`([^`]+)`", states):
            kind = state.partition(".")[0] or kind  # `.preparing` is of the kind before
            listed[f"{kind}.{state.partition('.')[2]}"] = seconds
    assert listed == {
        f"{kind}.{state}": f"{to.after.seconds} per GiB" if isinstance(to.after, PerGib) else f"{to.after:g}"
        for kind, lifecycle in LIFECYCLES.items()
        for state, events in lifecycle.moves.items()
        for to in events.values()
        if to.after is not None
    }


def test_the_page_on_model_checking_counts_the_states(capsys: pytest.CaptureFixture[str]) -> None:
    """The first three rows of its example are those that `omisim check` prints."""
    main(["check", "--depth", "3"])
    printed, shown = (
        [line for line in text.splitlines() if line.startswith("depth ")]
        for text in (capsys.readouterr().out, read("howto/model-checking.md"))
    )
    assert printed == shown[:3]
