"""The cloud of the cases: accounts and resources with the names of `omisim/probe/world.toml`."""

from __future__ import annotations

from collections.abc import Mapping
from functools import cache
from typing import Any

from support.probing import REGIONS

from omisim import ApiError, Cloud
from omisim.base.data_files import load_toml
from omisim.probe.connection import Answer
from omisim.probe.experiments import Parameters, fill
from omisim.probe.runner import Runner

__all__ = ["NAMES", "World", "get_world"]

# the names that the file explains
NAMES = [name for row in load_toml("omisim.probe", "world.toml").values() for name in row["says"]]


class World:
    """Alice and bob in eu-west-2, carol in us-east-2, and the resources of the recipes, forked for each test."""

    def __init__(self) -> None:
        self.cloud = Cloud()
        accounts = {name: self.cloud.account(name, region=region) for name, region in REGIONS.items()}
        given = {name: account.account_id for name, account in accounts.items()}
        given |= {"prefix": "", "region": "eu-west-2", "other_region": "us-east-2"}
        given |= {"subregion_a": "eu-west-2a", "subregion_b": "eu-west-2b", "bucket": "exports"}

        def send(
            by: str, action: str, parameters: Mapping[str, Any], _options: Mapping[str, str], _door: str
        ) -> Answer:
            if action == "CreateTags":  # the marks, which tests would see
                return Answer(200, {})
            try:
                return Answer(200, accounts[by].call(action, **parameters))
            except ApiError as error:
                return Answer(error.status, {"Errors": [{"Code": error.code, "Details": error.details}]})

        runner = Runner(send, frozenset(accounts), given, lambda _: None)
        self.ids = runner.create(NAMES)

    def fill(self, parameters: Parameters) -> Parameters:
        """Return parameters with the names in braces replaced."""
        values: Parameters = fill(parameters, self.ids)
        return values


@cache
def get_world() -> World:
    """Return the cached world."""
    return World()
