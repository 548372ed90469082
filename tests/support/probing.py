"""A server of omisim to probe, in virtual time: the probe's waiting advances the clock of the cloud."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass
from typing import Any

from omisim import Cloud
from omisim.probe.accounts import identify
from omisim.probe.connection import Keys
from omisim.probe.doors import Caller
from omisim.probe.endpoint import Endpoint
from omisim.probe.experiments import Experiment
from omisim.probe.judge import Finding
from omisim.probe.runner import Limits, Runner
from omisim.server import run_server
from omisim.spec.catalog import QuotaName

__all__ = ["REGIONS", "Probed", "serve_probed"]

REGIONS = {"alice": "eu-west-2", "bob": "eu-west-2", "carol": "us-east-2"}


@dataclass(frozen=True)
class Probed:
    """A served cloud, and the endpoints of its accounts."""

    cloud: Cloud
    url: str
    endpoints: Mapping[str, Caller]

    def advance(self, seconds: float) -> None:
        """Let the cloud's time pass instead of ours."""
        self.cloud.advance(seconds=seconds)

    def start(self, limits: Limits | None = None, switches: Mapping[str, Any] | None = None) -> Runner:
        """Return a new run."""
        given = identify({name: caller.api for name, caller in self.endpoints.items()}, "omisim-probe-0")

        def send(by: str, action: str, parameters: Mapping[str, Any], options: Mapping[str, str], door: str) -> Any:
            return self.endpoints[by].call(action, parameters, options, door)

        callers = frozenset(self.endpoints)
        return Runner(send, callers, given, self.advance, limits or Limits(), switches or {})

    def probe(self, *experiments: Experiment, switches: Mapping[str, Any] | None = None) -> list[Finding]:
        """Run experiments, clean up, and return the findings."""
        runner = self.start(switches=switches)
        findings = [finding for experiment in experiments for finding in runner.run(experiment)]
        assert runner.clean() == {}
        return findings


@contextmanager
def serve_probed(cloud: Cloud, quotas: Mapping[QuotaName, int] | None = None) -> Iterator[Probed]:
    """Serve a cloud with the accounts of the experiments; `quotas` are those of alice."""
    accounts = {
        name: cloud.account(name, region=region, quotas=quotas if name == "alice" else None)
        for name, region in REGIONS.items()
    }
    with run_server(cloud) as server:
        endpoints = {
            name: Caller(
                Endpoint(
                    server.url,
                    Keys(account.access_key, account.secret_key),
                    account.region,
                    now=lambda: cloud.now,
                    sleep=lambda seconds: cloud.advance(seconds=seconds),
                )
            )
            for name, account in accounts.items()
        }
        try:
            yield Probed(cloud, server.url, endpoints)
        finally:
            for endpoint in endpoints.values():
                endpoint.close()
