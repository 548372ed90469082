"""The figures of the documentation that the code knows."""

from __future__ import annotations

import re
import tomllib

from support.injection import OPERATIONS
from support.pages import ROOT

from benchmarks.__main__ import DEFAULT, TOPICS

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


def test_the_evidence_counts_what_the_probe_notices() -> None:
    """The sentence over the two tables counts their rows, and those in which no experiment noticed anything."""
    text = read("explanation/evidence.md")
    counts = []
    for mark in ("noticed", "noticed switches"):
        rows = text.partition(f"<!-- {mark} -->")[2].partition(f"<!-- /{mark} -->")[0].strip().splitlines()[2:]
        counts.append((sum("| nothing |" not in row for row in rows), len(rows)))
    (bugs, planted), (switches, flipped) = counts
    assert f"{bugs} of {planted} bugs and {switches} of {flipped} switches" in text


def test_the_guarantees_count_the_operations_that_are_interrupted() -> None:
    """The page names the number of operations that exceptions are injected into."""
    assert f"runs {len(OPERATIONS)} operations" in read("explanation/guarantees.md")
