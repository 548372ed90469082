"""The report of a sweep, as text and as data."""

from __future__ import annotations

from functools import partial

from support.growth import measure
from support.sweeping import LOST, create_volume, setup

from omisim.testing import sweep
from omisim.testing.sweeps import KINDS, OUTCOMES, Deviation, SweepReport, World


class TestReport:
    def test_is_json(self) -> None:
        """`to_dict` has what the text has."""
        data = sweep(setup, create_volume, kinds=LOST).to_dict()
        assert data["outcomes"] == {"left something behind": 2}
        assert data["findings"] == data["worlds"]
        assert data["findings"][0]["deviations"][0] == {
            "kind": "lost",
            "call": 1,
            "says": "CreateVolume: the answer is lost (dropped connection)",
            "line": "cloud.faults.add('CreateVolume', drop=True, after_effect=True)",
        }

    def test_shows_findings_that_differ_in_the_call_alone_once(self) -> None:
        """Two lost answers with one consequence are one paragraph."""
        text = str(sweep(setup, create_volume, kinds=LOST))
        assert text.count("reproduce:") == 1
        assert "the same in 1 more run: call 1" in text

    def test_says_why_nothing_was_tried(self) -> None:
        """A sweep without a run is not taken for a success."""
        report = sweep(setup, create_volume, kinds=["cut"])
        assert str(report).endswith(" 0 runs\n  none: no deviation of the selected kinds applies")

    def test_of_many_worlds_takes_as_long_per_world(self) -> None:
        """The text looks at each world once, and not at all others for each."""
        world = World((Deviation("lost", 1, "lost", "cloud.faults.add('ReadVms', drop=True)"),), "survived")
        costs = [measure(partial(str, SweepReport(1, worlds))) for worlds in ([world] * 10, [world] * 1000)]
        assert costs[1] < 200 * costs[0]

    def test_names_are_complete(self) -> None:
        """Every kind and outcome of the documentation exists."""
        assert len(KINDS) == 9
        assert OUTCOMES[0] == "survived"
