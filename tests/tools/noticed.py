"""Which planted bugs and flipped switches the probe notices: a table of bug → experiments.

    python tests/tools/noticed.py            # all of them (8 minutes): writes the tables of evidence.md
    python tests/tools/noticed.py NAME       # one bug or switch, with what differs

A mutated server is probed with the experiments of the package, in virtual time.
"""

from __future__ import annotations

import re
import sys
from collections.abc import Iterable, Mapping
from multiprocessing import Pool
from pathlib import Path
from typing import cast

import pytest

sys.path.insert(0, str(Path(__file__).parents[1]))
from support.planted_bugs import PLANTED
from support.probing import serve_probed
from tools.planted import EVIDENCE

from omisim import Cloud, Switches
from omisim.probe.experiments import Experiment
from omisim.probe.judge import DIFFERS, Finding
from omisim.probe.ledger import KINDS
from omisim.probe.loading import load_experiments
from omisim.probe.runner import Limits, Stopped
from omisim.state.settings import SWITCHES

MOST_SHOWN = 3  # experiments in a row of the table


def find_differences(
    experiments: Iterable[Experiment], bug: str = "", switches: Switches | None = None
) -> list[Finding]:
    """Probe a server with a planted bug or with other switches, and return the findings that differ."""
    chosen = tuple(experiments)  # read before the bug is planted: the probe has the tables in the same process
    assert KINDS
    findings: list[Finding] = []
    with serve_probed(Cloud(timing="clock", switches=switches)) as probed, pytest.MonkeyPatch.context() as patch:
        runner = probed.start(Limits(resources=2000))
        if bug:
            PLANTED[bug][1](patch)
        for experiment in chosen:
            try:
                findings += runner.run(experiment)
            except Stopped:
                break
            except Exception as error:  # noqa: BLE001 - of a mutated cloud, whose clock runs in this process
                failed = f"the server failed: {error!r}"
                findings.append(Finding(experiment.name, experiment.rules, DIFFERS, "", failed))
    return [one for one in findings if one.verdict == DIFFERS]


def notice_bug(name: str) -> list[Finding]:
    """Return what the whole set finds on a server with a planted bug."""
    return find_differences(load_experiments(), bug=name)


def notice_switch(name: str) -> list[Finding]:
    """Return what the whole set finds on a server with the first other value of a switch."""
    return find_differences(load_experiments(), switches=cast("Switches", {name: SWITCHES[name].others[0]}))


def render(title: str, noticed: Mapping[str, list[Finding]]) -> str:
    """Return the table of what was noticed."""
    rows = [f"| {title} | noticed by | experiments |\n|---|---|---|\n"]
    for name, findings in noticed.items():
        names = list(dict.fromkeys(one.experiment for one in findings))
        more = f" and {len(names) - MOST_SHOWN} more" if len(names) > MOST_SHOWN else ""
        rows.append(f"| {name} | {len(names) or 'nothing'} | {'; '.join(names[:MOST_SHOWN])}{more} |\n")
    return "".join(rows)


def main(names: list[str]) -> None:
    """Write the tables into evidence.md, or print what one bug or switch changes."""
    for name in names:
        for one in notice_switch(name) if name in SWITCHES else notice_bug(name):
            sys.stdout.write(f"{one.experiment}: {', '.join(one.rules)}: expected {one.expected}: {one.measured}\n")
    if names:
        return
    with Pool(maxtasksperchild=1) as pool:
        bugs = {name: pool.apply_async(notice_bug, (name,)) for name in PLANTED}
        switches = {name: pool.apply_async(notice_switch, (name,)) for name in SWITCHES}
        text = EVIDENCE.read_text()
        for title, runs, mark in (("planted bug", bugs, "noticed"), ("switch", switches, "noticed switches")):
            noticed = {}
            for name, result in runs.items():
                noticed[name] = result.get()
                sys.stdout.write(f"{name}: {len(noticed[name])}\n")
                sys.stdout.flush()
            between = re.compile(f"(<!-- {mark} -->\n).*?(<!-- /{mark} -->)", re.DOTALL)
            text = between.sub(rf"\g<1>{render(title, noticed)}\g<2>", text)
    EVIDENCE.write_text(text)


if __name__ == "__main__":
    main(sys.argv[1:])
