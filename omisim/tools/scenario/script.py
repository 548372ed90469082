"""Run the steps of a scenario, and resolve the names that they use."""

from __future__ import annotations

import inspect
import re
from collections.abc import Callable, Collection, Iterator, Mapping
from operator import attrgetter
from typing import Any, Final

from omisim.actions.framework.registry import ACTIONS, not_served
from omisim.base.suggest import suggest, suggest_action
from omisim.base.texts import pluralize
from omisim.cloud.account import Account
from omisim.cloud.cloud import Cloud
from omisim.cloud.marketplace import Product
from omisim.doors.oapi import make_request
from omisim.engine.calls import run_call
from omisim.engine.faults import Dropped
from omisim.model import Vm, Volume
from omisim.model.serialize import api_name
from omisim.spec.errors import ApiError
from omisim.tools.scenario.mistakes import Place, ScenarioError, check_name, locate_errors

__all__ = ["Script"]

PLATFORM: Final = (
    "adopt", "advance", "allow_unknown_images", "complete", "fail", "fail_next", "faults.add", "images.renew",
    "licences.set", "marketplace.activate",
    "marketplace.new_version", "marketplace.publish", "marketplace.subscribe", "marketplace.unpublish", "retire",
    "set_capacity", "settle", "write",
)  # fmt: skip
_STEP_KEYS: Final = ("do", "by", "as", "files")
_THINGS: Final[Mapping[str, type]] = {"seller": Account, "buyer": Account, "product": Product}
_OFFICIAL: Final = "official/"
_NAME: Final = re.compile(r"[\w-]+")
_REFERENCE: Final = re.compile(r"\{([\w-]+(?:/[\w/.-]+)?)\}")


class Script:
    """Runs the steps of a scenario, and keeps the names that they define."""

    def __init__(self, cloud: Cloud, accounts: Mapping[str, Account]) -> None:
        self._cloud = cloud
        self._accounts = accounts
        self._things: dict[str, Any] = dict(accounts)  # objects that methods of `Cloud` take: accounts, products
        self._ids: dict[str, str] = {name: account.account_id for name, account in accounts.items()}

    def play(self, step: Mapping[str, Any], place: Place) -> None:
        """Run one step, and define the name of the resource that it creates. Raises ScenarioError."""
        do, account = step.get("do"), self._account(step, place)
        if not isinstance(do, str):
            raise ScenarioError('a step needs a call, for example do = "CreateVms"', place)
        with locate_errors(*place, "do"):
            call, accepted = self._call(do, account)
        parameters = {name: value for name, value in step.items() if name not in _STEP_KEYS}
        for name, value in parameters.items():
            check_name(f"parameter of {do}", name, accepted, (*place, name))
            with locate_errors(*place, name):
                parameters[name] = (
                    self._resolve_argument(name, value) if do in PLATFORM else self._resolve(value, account)
                )
        try:
            entity = call(parameters)
        except ApiError as error:
            parameter = re.split(r"[.\[]", str(error.facts.get("parameter", "")))[0]
            where = (*place, parameter) if parameter in parameters else place
            raise ScenarioError(
                f"{do} by {account.name if account else 'no account'} is refused: {error}", where
            ) from error
        except (AttributeError, KeyError, TypeError, ValueError, Dropped) as error:
            raise ScenarioError(f"{do}: {error}", place) from error
        rows = entity if isinstance(entity, tuple) else (entity,)
        with locate_errors(*place, "as"):
            self._define_names(step.get("as", []), do, rows)
        with locate_errors(*place, "files"):
            self._write_files(step.get("files", {}), do, rows)

    def _account(self, step: Mapping[str, Any], place: Place) -> Account | None:
        by = step.get("by")
        if by is None:
            return next(iter(self._accounts.values()), None)
        if step.get("do") in PLATFORM:
            raise ScenarioError(f"{step['do']} is not a call of an account: remove `by`", (*place, "by"))
        check_name("account of this scenario", by, self._accounts, (*place, "by"))
        return self._accounts[by]

    def _call(self, do: str, account: Account | None) -> tuple[Callable[[dict[str, Any]], Any], Collection[str]]:
        """Return the function that a step calls, and the names of its parameters."""
        if do in PLATFORM:
            method = attrgetter(do)(self._cloud)
            return lambda parameters: method(**parameters), inspect.signature(method).parameters
        if account is None:
            raise ValueError(f"{do} needs an account: name one in [accounts]")
        if do.startswith("oos."):
            return _bind_storage_call(account, do.removeprefix("oos."))
        if do not in ACTIONS:
            reason = not_served().get(do)
            addition = f": {reason}" if reason else suggest_action(do, (*ACTIONS, *PLATFORM))
            raise ValueError(f"do must be a served action or one of {', '.join(PLATFORM)}, not {do!r}{addition}")
        names = [api_name(name) for name in ACTIONS[do].shape.all_fields]
        engine, caller, region = self._cloud.engine, account.account_id, account.region
        return lambda parameters: run_call(engine, make_request(do, parameters), caller, region).value, names

    # --- names

    def _resolve(self, value: Any, account: Account | None) -> Any:
        """Return a value with its references replaced by ids."""
        if isinstance(value, dict):
            return {key: self._resolve(item, account) for key, item in value.items()}
        if isinstance(value, list):
            return [self._resolve(item, account) for item in value]
        match = _REFERENCE.fullmatch(value) if isinstance(value, str) else None
        if match is None:
            return value
        name = match[1]
        if name.startswith(_OFFICIAL):
            region = (account.region,) if account else ()
            return self._cloud.images.official(name.removeprefix(_OFFICIAL), *region).image_id
        if name not in self._ids:
            prefix, _, family = name.partition("/")
            official = [_OFFICIAL + family] if suggest(prefix, [_OFFICIAL]) else []
            raise ValueError(f"no earlier step defines {value}{suggest(name, [*self._ids, *official])}")
        return self._ids[name]

    def _resolve_argument(self, parameter: str, value: Any) -> Any:
        """Return an argument of a method of `Cloud`: an account or product object, or a value with resolved ids."""
        resolved = self._resolve(value, next(iter(self._accounts.values()), None))
        kind = _THINGS.get(parameter)
        if kind is None:
            return resolved
        thing = self._things.get(value[1:-1]) if isinstance(value, str) else None
        if not isinstance(thing, kind):
            names = [f"{{{name}}}" for name, thing in self._things.items() if isinstance(thing, kind)]
            raise TypeError(f"{parameter} must be one of {', '.join(names) or 'none defined so far'}, not {value!r}")
        return thing

    def _define_names(self, value: Any, do: str, rows: tuple[Any, ...]) -> None:
        """Define the names of the created resources and of their devices."""
        names = [value] if isinstance(value, str) else value
        if not isinstance(names, list) or not all(isinstance(name, str) for name in names):
            raise TypeError(f"`as` must be a name or a list of names, not {value!r}")
        if names and len(names) != len(rows):
            expected, resources = pluralize(len(rows), "name"), pluralize(len(rows), "resource")
            raise ValueError(f"`as` must be a list of {expected}, because {do} creates {resources}")
        for name, row in zip(names, rows, strict=False):
            if name in self._ids or not _NAME.fullmatch(name):
                problem = "already in use" if name in self._ids else "not a valid name (letters, digits, _ and -)"
                raise ValueError(f"{name!r} is {problem}")
            if isinstance(row, Product):
                self._things[name] = row
            ids = {name: row.product_code if isinstance(row, Product) else getattr(row, "id", None)}
            if ids[name] is None:
                raise ValueError(f"{do} creates no resource that `as` could name")
            ids |= {name + device: row_id for device, row_id in _iter_devices(row)}
            self._ids |= ids
            with self._cloud.engine.transaction("scenario") as tx:
                for key, resource_id in ids.items():
                    tx.write("name", key, resource_id)

    def _write_files(self, files: Any, do: str, rows: tuple[Any, ...]) -> None:
        if not isinstance(files, dict):
            raise TypeError(f"`files` must be a table from paths to texts, not {files!r}")
        if files and not (rows and all(isinstance(row, Vm | Volume) for row in rows)):
            raise TypeError(f"{do} creates no VM or volume to write `files` on")
        for row in rows if files else ():
            volume_id = row.volume_id if isinstance(row, Volume) else row.block_device_mappings[0].bsu.volume_id
            for path, text in files.items():
                self._cloud.write(volume_id, path, text)


def _iter_devices(row: Any) -> Iterator[tuple[str, str]]:
    """Yield the devices of a VM with their volumes, those of an OMI with their snapshots."""
    for mapping in getattr(row, "block_device_mappings", ()):
        row_id = mapping.bsu and (mapping.bsu.volume_id if isinstance(row, Vm) else mapping.bsu.snapshot_id)
        if row_id:
            yield mapping.device_name, row_id


def _bind_storage_call(account: Account, method: str) -> tuple[Callable[[dict[str, Any]], Any], Collection[str]]:
    client = account.client("oos")
    from botocore.exceptions import BotoCoreError, ClientError

    operations = client.meta.method_to_api_mapping
    if method not in operations:
        raise ValueError(f"unknown method {method!r} of the object storage client{suggest(method, operations)}")

    def call(parameters: dict[str, Any]) -> None:
        try:
            getattr(client, method)(**parameters)
        except (BotoCoreError, ClientError) as error:
            raise ValueError(str(error)) from error

    shape = client.meta.service_model.operation_model(operations[method]).input_shape
    return call, tuple(shape.members) if shape else ()
