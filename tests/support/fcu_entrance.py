"""The entrance of FCU: calls of the OUTSCALE API as calls of boto3's EC2 client, by the inverse of the door's table.

A call that EC2 cannot express is made by `Account.call` instead: an action without a row, a parameter that no row has,
a value that boto3 refuses, a call that only FCU answers, DryRun (an error in FCU), and reads with filters (FCU refuses
ids that are not found).
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from functools import cache
from io import BytesIO
from typing import Any

import boto3
import urllib3
from botocore import xform_name
from botocore.awsrequest import AWSPreparedRequest, AWSResponse
from botocore.exceptions import ClientError, ConnectionClosedError, ParamValidationError
from botocore.handlers import generate_idempotent_uuid
from support.entrances import NO_ANSWER, Entrance, Outcome, Parameters

from omisim import Account
from omisim.actions.fcu_only import is_fcu_only
from omisim.actions.framework.registry import ACTIONS
from omisim.clients.intercept.stack import normalize_headers, send_to_cloud
from omisim.doors.fcu.query import query_name
from omisim.doors.fcu.shapes import find_operation, is_outscale_operation
from omisim.doors.fcu.table import Row, load_rows, load_section
from omisim.doors.front import FrontDoor
from omisim.engine.faults import Dropped
from omisim.model.serialize import to_snake_names

__all__ = ["Fcu", "to_ec2_call"]

# rows that differ from their action on purpose: FCU-008, FCU-015, and two that reset what another one changes
APART = {"DeleteKeyPair", "RegisterImage", "ResetImageAttribute", "ResetSnapshotAttribute"}


class Fcu(Entrance):
    """`boto3.client("ec2").describe_images(…)`, without boto3's retries."""

    keeps_parameters = False  # boto3 requires some that OAPI does not

    def __call__(self, account: Account, action: str, api_parameters: Parameters) -> Outcome:
        """Make a call."""
        call = to_ec2_call(action, api_parameters)
        if call is None:
            return super().__call__(account, action, api_parameters)
        row, parameters = call
        client = _make_client(account.access_key, account.secret_key, account.region)
        _DOORS[account.access_key] = FrontDoor(account.cloud.engine)
        try:
            answer = getattr(client, xform_name(row.name))(**parameters)
        except ParamValidationError:
            return super().__call__(account, action, api_parameters)
        except ConnectionClosedError:
            return NO_ANSWER
        except ClientError as error:
            return {"rule": error.response["ResponseMetadata"]["HTTPHeaders"]["x-omisim-rule"]}
        lists = [answer[member] for member in row.lists if not row.group]
        return {"answered": True, "items": len(lists[0]) if lists else None}

    def reduce(self, outcome: Outcome, expected: Outcome) -> Outcome:
        """Return what can be compared: whether there is an answer, the number of results, or the rule."""
        if "answered" in outcome:
            return {"answered": "body" in expected, "items": _count_items(outcome, expected)}
        return {"rule": expected["rule"]} if {*outcome} == {"rule"} and "rule" in expected else expected


def _count_items(outcome: Outcome, expected: Outcome) -> int | None:
    """Return the number of results of a read in OAPI's answer, if that of FCU's is known."""
    return None if outcome["items"] is None else len(next(iter(expected.get("body", {"": ()}).values())))


_DOORS: dict[str, FrontDoor] = {}  # access key → the door of the cloud that the next call is for


@cache
def _make_client(access_key: str, secret_key: str, region: str) -> Any:
    keys = {"aws_access_key_id": access_key, "aws_secret_access_key": secret_key}
    client = boto3.client("ec2", region, endpoint_url=f"https://fcu.{region}.outscale.com", **keys)
    client.meta.events.unregister("needs-retry.ec2", unique_id="retry-config-ec2")
    client.meta.events.unregister("before-parameter-build", generate_idempotent_uuid)  # the ClientToken that boto3 adds

    def send(request: AWSPreparedRequest, **_event: Any) -> AWSResponse:
        host, _, target = request.url.partition("//")[2].partition("/")
        headers = normalize_headers(request.headers)
        try:
            response = send_to_cloud(_DOORS[access_key], "fcu", "POST", host, f"/{target}", headers, request.body)
        except Dropped as error:
            raise ConnectionClosedError(endpoint_url=request.url, error=error) from error
        raw = urllib3.HTTPResponse(BytesIO(response.body), response.headers, preload_content=False)
        return AWSResponse(request.url, response.status, dict(response.headers), raw)

    client.meta.events.register_first("before-send.ec2", send)
    return client


# --- the inverse of the table


def to_ec2_call(action: str, api_parameters: Parameters) -> tuple[Row, dict[str, Any]] | None:
    """Return the EC2 action and boto3's parameters of a call, or None if EC2 cannot express it."""
    snake = to_snake_names(api_parameters)
    if is_fcu_only(action, snake):  # such as DeleteTags without tags (FCU-054)
        return None
    if action == "UpdateSubnet" and "map_public_ip_on_launch" not in snake:  # FCU keeps the present value (FCU-038)
        return None
    for row in _list_rows(action):
        operation = find_operation(row.name)
        assert operation is not None
        parameters = _invert(row.parameters, operation.input_shape, snake)
        if parameters is not None:
            if row.name == "RunInstances" and "ClientToken" not in parameters:  # boto3 requires both
                parameters = {"MinCount": 1, "MaxCount": 1, **parameters}
            return row, parameters
    return None


@cache
def _list_rows(action: str) -> list[Row]:
    """Return the rows of an action that do nothing else."""
    rows = [row for row in load_rows().values() if row.calls == action in ACTIONS and row.name not in APART]
    return [row for row in rows if not (row.attributes or row.defaults or is_outscale_operation(row.name))]


def _invert(spec: Mapping[str, Any], shape: Any, values: Any) -> dict[str, Any] | None:
    """Return the parameters of EC2 that are read as `given`, or None if one cannot be expressed."""
    if not isinstance(values, Mapping):
        return None
    parameters: dict[str, Any] = {}
    used_paths: set[str] = set()
    for path, entry in spec.items():
        to = entry if isinstance(entry, str) else entry["to"]
        value = _dig(values, to)
        if value is None and isinstance(entry, dict) and "default" in entry:  # FCU-020
            return None
        if not to or value is None:
            continue
        used_paths.add(to)
        members, inner, names = parameters, shape, path.split(".")
        for depth, name in enumerate(names):
            key = next(key for key, member in inner.members.items() if query_name(member, key) == name)
            inner = inner.members[key]
            if depth < len(names) - 1:
                members = members.setdefault(key, {})
        value = _invert_value(entry, to, value, inner)
        if value is None:
            return None
        members[key] = value
    return parameters if set(_list_leaves(values, used_paths)) <= used_paths else None


def _invert_value(entry: Any, to: str, value: Any, shape: Any) -> Any:
    """Return the value of a parameter of EC2, or None if it cannot be expressed."""
    if isinstance(entry, dict) and "each" in entry:
        nested = load_section("inputs")[entry["each"]]
        items = [_invert(nested, shape.member, item) for item in value] if isinstance(value, list) else [None]
        return None if None in items or not items else items
    if isinstance(entry, dict) and "form" in entry:
        return _invert_permissions(value) if entry["form"] == "permissions" else None
    if to in ("product_codes", "user_data"):  # FCU-009; boto3 encodes the user data
        return None
    if value in ([], "") or not _is_expressible(value, shape):
        return None
    return value


def _invert_permissions(value: Mapping[str, Any]) -> list[dict[str, Any]] | None:
    accounts, is_public = value.get("account_ids") or [], value.get("global_permission")
    if is_public is False or not all(isinstance(account_id, str) for account_id in accounts):
        return None
    return [{"UserId": account_id} for account_id in accounts] + ([{"Group": "all"}] if is_public else []) or None


def _is_expressible(value: Any, shape: Any) -> bool:
    """Whether a value reaches the door as it is."""
    if shape.type_name == "list":
        return isinstance(value, list) and all(_is_expressible(item, shape.member) for item in value)
    kinds: dict[str, type] = {"string": str, "integer": int, "long": int, "boolean": bool}
    kind = kinds.get(shape.type_name)
    return type(value) is kind and (not isinstance(value, int) or abs(value) < 10**17)


def _dig(values: Any, path: str) -> Any:
    for name in path.split("."):
        values = values.get(name) if isinstance(values, Mapping) else None
    return values


def _list_leaves(values: Mapping[str, Any], used_paths: set[str], path: str = "") -> Iterator[str]:
    """Yield the paths of all values, not below a path in `used`."""
    for name, value in values.items():
        here = f"{path}{name}"
        if isinstance(value, Mapping) and here not in used_paths and value:
            yield from _list_leaves(value, used_paths, f"{here}.")
        else:
            yield here
