"""Run schemathesis against a server of ours, by the official description of the API.

The description is that of osc-sdk-python, cut to the actions served. Two things are added to it. The statuses of
refusals, for it gives most actions none, all in the shape that it gives: `ErrorResponse`. And links, for it has none:
what an answer gives an id of goes into every action that takes such an id, so that what is created is read, changed
and deleted. Where chains of calls are made, what creates is narrowed to parameters that can succeed, for the
description gives no values. Exit status 1 on an error of the server, or on any status, type of content or shape that is
not described.
"""

from __future__ import annotations

import json
import subprocess
import sys
from collections.abc import Iterator, Mapping
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import Any

from omisim import Cloud
from omisim.actions.framework.registry import ACTIONS
from omisim.spec.errors import ERRORS

sys.path.insert(0, str(Path(__file__).parents[1]))  # for a script
from support.official import load_description, resolve_reference

SINGLE, CHAINED = 30, 25  # seconds for calls one by one, and for chains of them
# the optional parameters that creations get besides the required ones, and existing values
KNOWN: Mapping[str, Any] = {
    "DeviceName": ["/dev/sdb"],
    "Flow": ["Inbound"],
    "IpRange": ["10.0.0.0/24"],
    "KeypairName": ["one", "two"],
    "Size": [1, 10],
    "SubregionName": ["eu-west-2a"],
    "VolumeType": ["standard", "gp2"],
}
CHECKS = "not_a_server_error,status_code_conformance,content_type_conformance,response_schema_conformance"
MAX_SIZE = 500


def make_document(values_by_name: Mapping[str, Any]) -> dict[str, Any]:
    """Return the description of what is served, with refusals and links; what creates narrowed to `known`, if any."""
    whole = load_description()
    refusals = {
        str(status): {
            "description": "Refused.",
            "content": {"application/json": {"schema": {"$ref": "#/components/schemas/ErrorResponse"}}},
        }
        for status in sorted({error.status for error in ERRORS.values() if error.status < MAX_SIZE})
    }
    paths = {}
    for path, item in whole["paths"].items():
        post = item["post"]
        if post["operationId"] in ACTIONS:
            answer = post["responses"]["200"] | {"links": dict(links(post))}
            paths[path] = {"post": post | {"responses": {"200": answer} | refusals}}
            if values_by_name and path.startswith("/Create"):
                content = {"application/json": {"schema": narrow_schema(path[1:], values_by_name)}}
                paths[path]["post"]["requestBody"] = {"content": content, "required": True}
    return whole | {"paths": paths, "security": [], "servers": []}


def narrow_schema(action: str, values_by_name: Mapping[str, Any]) -> dict[str, Any]:
    """Return the schema of a request with the parameters that are required or known."""
    whole = resolve_reference(
        load_description()["paths"][f"/{action}"]["post"]["requestBody"]["content"]["application/json"]["schema"]
    )
    required = whole.get("required", [])
    examples = {
        name: part | ({"enum": values_by_name[name]} if name in values_by_name else {})
        for name, part in whole["properties"].items()
        if name in required or name in values_by_name
    }
    return whole | {"properties": examples, "required": sorted({*required, *examples})}


def links(post: Mapping[str, Any]) -> Iterator[tuple[str, Any]]:
    """Yield the links from an action that makes something to those that take its id."""
    source = post["operationId"]
    if not source.startswith("Create"):
        return
    for name, where in ids(resolve_reference(post["responses"]["200"]["content"]["application/json"]["schema"])):
        for target in ACTIONS if name != "AccessKeyId" else ():  # the caller's key is needed for the calls to come
            takes = request(target)
            if name in takes and name not in request(source):
                body: Any = {name: where}
            elif f"{name}s" in takes:
                body = {f"{name}s": [where]}
            elif f"{name}s" in resolve_reference(takes.get("Filters", {})).get("properties", {}):
                body = {"Filters": {f"{name}s": [where]}}
            else:
                continue
            yield f"{target} by {name}", {"operationId": target, "requestBody": body}


def ids(answer: Mapping[str, Any]) -> Iterator[tuple[str, str]]:
    """Yield the names of the ids right in what an answer gives, and where they are."""
    for key, part in answer["properties"].items():
        is_list = "items" in part
        row = resolve_reference(part["items"] if is_list else part)
        name = f"{key.removesuffix('s') if is_list else key}Id"
        if key != "ResponseContext" and name in row.get("properties", {}):
            yield name, f"$response.body#/{key}/{'0/' if is_list else ''}{name}"


def request(action: str) -> Mapping[str, Any]:
    """Return the parameters of an action."""
    body = load_description()["paths"][f"/{action}"]["post"]["requestBody"]["content"]["application/json"]["schema"]
    properties: Mapping[str, Any] = resolve_reference(body)["properties"]
    return properties


def main() -> int:
    """Serve, run, report."""
    cloud = Cloud(auth="off")  # who calls is not the question here
    cloud.account("alice")
    values_by_name = {**KNOWN, "ImageId": [cloud.images.official("debian").image_id]}
    with TemporaryDirectory() as place, cloud.serve() as server:
        singly = run(Path(place), server.url, {}, "examples,coverage,fuzzing", SINGLE)
        chained = run(Path(place), server.url, values_by_name, "stateful", CHAINED)
    succeeded = {call.action for call in cloud.calls() if call.error is None}
    print(f"of the last {len(cloud.calls())} calls {len(succeeded)} of {len(ACTIONS)} actions were answered")
    return singly or chained


def run(place: Path, url: str, values_by_name: Mapping[str, Any], phases: str, seconds: int) -> int:
    """Run some phases of schemathesis; return its exit status."""
    document = place / "served.json"
    document.write_text(json.dumps(make_document(values_by_name), default=str))
    bounds = ["--max-time", str(seconds), "--max-examples", "25", "--seed", "1", "--workers", "2"]
    quiet = ["--suppress-health-check", "all", "--warnings", "off", "--no-color"]
    command = [sys.executable, "-m", "schemathesis.cli", "run", str(document), "--url", f"{url}/api/v1"]
    options = [*command, "--checks", CHECKS, "--phases", phases, *bounds, *quiet]
    return subprocess.run(options, cwd=place, check=False).returncode


if __name__ == "__main__":
    sys.exit(main())
