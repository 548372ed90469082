"""A server of omisim to probe, in virtual time: the probe's waiting advances the clock of the cloud."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass
from typing import Any

from support.storing import BUCKET, create_bucket

from omisim import Cloud
from omisim.probe.accounts import identify
from omisim.probe.endpoint import Endpoint, Keys
from omisim.probe.experiments import Experiment
from omisim.probe.judge import Finding
from omisim.probe.runner import Limits, Runner
from omisim.server import run_server

__all__ = ["REGIONS", "Probed", "serve_probed"]

REGIONS = {"alice": "eu-west-2", "bob": "eu-west-2", "carol": "us-east-2"}


@dataclass(frozen=True)
class Probed:
    """A served cloud, and the endpoints of its accounts."""

    cloud: Cloud
    url: str
    endpoints: Mapping[str, Endpoint]

    def advance(self, seconds: float) -> None:
        """Let the cloud's time pass instead of ours."""
        self.cloud.advance(seconds=seconds)

    def start(self, limits: Limits | None = None, switches: Mapping[str, Any] | None = None) -> Runner:
        """Return a new run."""
        given = identify(self.endpoints, "omisim-probe-0") | {"bucket": BUCKET}

        def send(by: str, action: str, parameters: Mapping[str, Any], options: Mapping[str, str]) -> Any:
            return self.endpoints[by].call(action, parameters, options)

        callers = frozenset(self.endpoints)
        return Runner(send, callers, given, self.advance, limits or Limits(), switches or {})

    def probe(self, *experiments: Experiment, switches: Mapping[str, Any] | None = None) -> list[Finding]:
        """Run experiments, clean up, and return the findings."""
        runner = self.start(switches=switches)
        findings = [finding for experiment in experiments for finding in runner.run(experiment)]
        assert runner.clean() == {}
        return findings


@contextmanager
def serve_probed(cloud: Cloud, callers: Mapping[str, str] = REGIONS) -> Iterator[Probed]:
    """Serve a cloud with the accounts of the experiments."""
    accounts = {name: cloud.account(name, region=region) for name, region in callers.items()}
    create_bucket(cloud.account("alice"))
    with run_server(cloud) as server:
        endpoints = {
            name: Endpoint(
                server.url,
                Keys(account.access_key, account.secret_key),
                account.region,
                now=lambda: cloud.now,
                sleep=lambda seconds: cloud.advance(seconds=seconds),
            )
            for name, account in accounts.items()
        }
        try:
            yield Probed(cloud, server.url, endpoints)
        finally:
            for endpoint in endpoints.values():
                endpoint.close()
