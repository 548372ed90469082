"""The endpoints that act on one cloud alone: most call one of its methods."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from typing import Any

from omisim.base.redact import redact
from omisim.cloud.cloud import Cloud
from omisim.engine.faults import Fault
from omisim.engine.session import CallRecord
from omisim.server.streams import describe_change

__all__ = ["CLOUD_ENDPOINTS", "account_names", "describe_cloud", "without_nulls"]

Parameters = Mapping[str, Any]
_FAULT_ATTRIBUTES = (
    "action", "times", "after_effect", "every", "when", "probability", "drop", "delay", "page_size", "kill", "hits",
)  # fmt: skip


def account_names(cloud: Cloud) -> list[str]:
    """Return the names of the accounts with an access key, oldest first. Those of the catalogue have none."""
    with cloud.engine.lock:
        owners = dict.fromkeys(key.account_id for key in cloud.engine.state.rows("access_key").values())
        return [cloud.engine.state.get("account", owner).name for owner in owners]


def describe_cloud(cloud: Cloud) -> dict[str, Any]:
    """Return the time and the accounts of a cloud."""
    return {"now": cloud.now.isoformat(), "accounts": account_names(cloud)}


def without_nulls(parameters: Parameters) -> dict[str, Any]:
    """Return the parameters that have a value, as the arguments of a method."""
    return {name: value for name, value in parameters.items() if value is not None}


def _fail(cloud: Cloud, parameters: Parameters) -> None:
    cloud.fail(parameters["id"], parameters.get("comment") or "")


def _fail_next(cloud: Cloud, parameters: Parameters) -> None:
    cloud.fail_next(parameters["kind"], parameters.get("id"), parameters.get("comment") or "")


def _dump(cloud: Cloud, parameters: Parameters) -> Any:
    data = cloud.dump()
    return data if parameters.get("secrets") else _redact_dump(data)


def _redact_dump(data: dict[str, Any]) -> dict[str, Any]:
    """Redact a dump, row by row and in place: a server should not need the memory for two of them."""
    for rows in data["rows"].values():
        for row_id, row in rows.items():
            rows[row_id] = redact(row)
    journal = data["journal"]
    for number, change in enumerate(journal):
        journal[number] = redact(change)
    return data | {"settings": redact(data["settings"])}


def _renew(cloud: Cloud, parameters: Parameters) -> Any:
    image = cloud.images.renew(**without_nulls(parameters))
    return {"image_id": image.image_id, "image_name": image.image_name}


def _describe_fault(fault: Fault) -> dict[str, Any]:
    error = fault.error.name if fault.error else None
    return {"error": error} | {attribute: getattr(fault, attribute) for attribute in _FAULT_ATTRIBUTES}


def _describe_call(call: CallRecord) -> dict[str, Any]:
    return {
        "action": call.action,
        "account": call.account,
        "parameters": call.parameters,
        "at": call.at.isoformat(),
        "request_id": call.request_id,
        "error": str(call.error) if call.error else None,
        "rule": call.error.rule if call.error else None,
        "dropped": call.dropped,
        "warnings": list(call.warnings),
    }


CLOUD_ENDPOINTS: Mapping[tuple[str, str], Callable[[Cloud, Parameters], Any]] = {
    ("GET", "health"): lambda cloud, _: {"status": "ok"} | describe_cloud(cloud),
    ("POST", "advance"): lambda cloud, parameters: cloud.advance(parameters["seconds"]),
    ("POST", "settle"): lambda cloud, _: cloud.settle(),
    ("POST", "complete"): lambda cloud, parameters: cloud.complete(parameters["id"]),
    ("POST", "fail"): _fail,
    ("POST", "fail_next"): _fail_next,
    ("POST", "faults"): lambda cloud, parameters: _describe_fault(cloud.faults.add(**without_nulls(parameters))),
    ("GET", "faults"): lambda cloud, _: [_describe_fault(fault) for fault in cloud.faults],
    ("DELETE", "faults"): lambda cloud, _: cloud.faults.clear(),
    ("GET", "dump"): _dump,
    ("GET", "timeline"): lambda cloud, parameters: list(map(describe_change, cloud.timeline(parameters["id"]))),
    ("GET", "events"): lambda cloud, _: list(map(describe_change, cloud.events)),
    ("GET", "calls"): lambda cloud, parameters: list(map(_describe_call, cloud.calls(parameters.get("action")))),
    ("GET", "read"): lambda cloud, parameters: {"text": cloud.read(**parameters)},
    ("POST", "write"): lambda cloud, parameters: cloud.write(**parameters),
    ("POST", "console"): lambda cloud, parameters: cloud.write_console(**parameters),
    ("GET", "licences"): lambda cloud, _: cloud.licences.all(),
    ("POST", "licences"): lambda cloud, parameters: cloud.licences.set(
        parameters["code"], export=parameters.get("export")
    ),
    ("POST", "renew"): _renew,
}
