"""A model check on the workers of a dask cluster."""

from __future__ import annotations

import json
import logging
import os
import signal
import sys
from pathlib import Path
from typing import Any

import pytest
from distributed import LocalCluster
from support.checking import SMALL

from omisim.tools.check import Level, check
from omisim.tools.check import cluster as cluster_module
from omisim.tools.check.actions import describe_scenario, load_scenario
from omisim.tools.check.cluster import visit_part
from omisim.tools.cli import main
from omisim.tools.scenario import list_shipped


class TestCluster:
    """`--dask`: the states are visited by the workers of a dask cluster."""

    @pytest.mark.filterwarnings("default")  # of dask's own
    def test_has_the_same_numbers_when_a_worker_is_killed(self) -> None:
        """Two workers of a real cluster, one of which is killed on the way, find what one process finds."""
        with LocalCluster(  # type: ignore[no-untyped-call]
            n_workers=2, threads_per_worker=1, processes=True, dashboard_address=None, silence_logs=logging.CRITICAL
        ) as cluster:
            killed: list[int] = []

            def kill(level: Level, _states: int) -> None:
                if level.depth == 2 and not killed:
                    killed.append(next(iter(cluster.workers.values())).pid)
                    os.kill(killed[0], signal.SIGKILL)

            result = check(SMALL, 3, progress=kill, dask=cluster.scheduler_address)
        assert killed
        assert result == check(SMALL, 3)

    @pytest.mark.filterwarnings("default")  # of dask's own
    def test_gets_the_cloud_of_a_scenario(self, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
        """The workers need no file of the scenario: here they run in another folder than the check."""
        with LocalCluster(  # type: ignore[no-untyped-call]
            n_workers=1, threads_per_worker=1, processes=True, dashboard_address=None, silence_logs=logging.CRITICAL
        ) as cluster:
            monkeypatch.chdir(tmp_path)
            Path("own.toml").write_text(list_shipped()["shared-image"].read_text())
            question: Any = {"scenario": "own.toml", "never": ["len(bob.read_volumes()) == 1"]}
            result = check(SMALL, 1, dask=cluster.scheduler_address, **question)
            assert result == check(SMALL, 1, **question)
        assert result.violation is not None

    def test_gets_the_answers_of_a_scenario(self, tmp_path: Path) -> None:
        """A statement may call an action that the scenario answers, on another machine, too."""
        scenario = tmp_path / "own.toml"
        scenario.write_text(
            '[accounts]\nalice = {}\n[[answers.ReadLoadBalancers.LoadBalancers]]\nLoadBalancerName = "one"\n'
        )
        cloud = load_scenario(json.loads(json.dumps(describe_scenario(str(scenario)))))
        assert cloud.account("alice").call("ReadLoadBalancers")["LoadBalancers"] == [{"LoadBalancerName": "one"}]

    def test_runs_a_part_again_with_the_same_result(self) -> None:
        """The result of a part does not depend on what its worker has visited before."""
        start = (SMALL, None, ())
        (first,) = visit_part(start, [()])
        parts = [(step,) for _, step in first.new_states]
        before = visit_part(start, parts)
        assert visit_part(start, [()]) == [first]
        assert visit_part(start, parts) == before

    @pytest.mark.parametrize(
        ("arguments", "message"),
        [
            (["--dask", "tcp://127.0.0.1:1"], "no scheduler of dask answers at 'tcp://127.0.0.1:1'"),
            (["--dask", "nonsense://x"], "no scheduler of dask answers at 'nonsense://x'"),
            (["--dask", "nonsense"], "no scheduler of dask answers at 'nonsense': missing port number"),
            (["--dask", ""], "no scheduler of dask answers at ''"),
            (["--dask", "tcp://127.0.0.1:1", "--workers", "2"], "--workers has no effect beside --dask"),
        ],
    )
    def test_that_does_not_answer_is_one_line(
        self,
        capsys: pytest.CaptureFixture[str],
        monkeypatch: pytest.MonkeyPatch,
        arguments: list[str],
        message: str,
    ) -> None:
        """An address at which no scheduler answers is one line and status 2."""
        monkeypatch.setattr(cluster_module, "CONNECT_SECONDS", 0.1)
        assert main(["check", "--depth", "1", *arguments]) == 2
        error = capsys.readouterr().err
        assert message in error
        assert error.count("\n") == 1

    def test_needs_its_extra(self, capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch) -> None:
        """Without dask, one line names the extra."""
        monkeypatch.setitem(sys.modules, "distributed", None)
        assert main(["check", "--dask", "tcp://127.0.0.1:1"]) == 2
        assert capsys.readouterr().err == "omisim check: --dask needs dask: pip install 'omisim[dask]'\n"
