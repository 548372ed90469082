"""The endpoints of the control plane, with their parameters and answers, and their OpenAPI description."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from omisim.base.frozen import frozen

__all__ = ["ENDPOINTS", "PREFIX", "Endpoint", "describe"]

PREFIX = "_omisim"
UNKNOWN = "X-Omisim-Cloud, or `name`, names no cloud of this server."
_TYPES: Mapping[str, tuple[type, ...]] = {
    "string": (str,),
    "integer": (int,),
    "number": (int, float),
    "boolean": (bool,),
    "object": (dict,),
}
_TEXT, _NUMBER, _INTEGER, _BOOLEAN = ({"type": name} for name in ("string", "number", "integer", "boolean"))
_TEXT_OR_NULL, _INTEGER_OR_NULL, _OBJECT_OR_NULL = (
    {"type": name, "nullable": True} for name in ("string", "integer", "object")
)
_TEXTS = {"type": "array", "items": _TEXT}
_TIME = {"type": "string", "format": "date-time"}


def _refer_to(schema: str) -> dict[str, str]:
    return {"$ref": f"#/components/schemas/{schema}"}


def _make_schema(**properties: Mapping[str, Any]) -> dict[str, Any]:
    required = {"required": list(properties)} if properties else {}
    return {"type": "object", "properties": properties, "additionalProperties": False} | required


_SCHEMAS: Mapping[str, Mapping[str, Any]] = {
    "Nothing": _make_schema(),
    "Error": _make_schema(error=_TEXT),
    "Health": {
        **_make_schema(status={"type": "string", "enum": ["ok"]}, now=_TIME, accounts=_TEXTS),
        "required": ["status"],
    },
    "Mark": _make_schema(mark=_TEXT),
    "Cloud": _make_schema(name=_TEXT, now=_TIME, accounts=_TEXTS),
    "NewCloud": _make_schema(name=_TEXT, accounts={"type": "array", "items": _refer_to("Account")}),
    "Text": _make_schema(text=_TEXT),
    "Document": {"type": "object"},
    "Image": _make_schema(image_id=_TEXT, image_name=_TEXT),
    "Licences": {"type": "object", "additionalProperties": _BOOLEAN},
    "Change": _make_schema(
        seq=_INTEGER, at=_TIME, kind=_TEXT, id=_TEXT, before=_OBJECT_OR_NULL, after=_OBJECT_OR_NULL, cause=_TEXT
    ),
    "Call": _make_schema(
        action=_TEXT,
        account=_TEXT,
        parameters={"type": "object"},
        at=_TIME,
        request_id=_TEXT,
        error=_TEXT_OR_NULL,
        rule=_TEXT_OR_NULL,
        dropped=_BOOLEAN,
        warnings=_TEXTS,
    ),
    "Fault": _make_schema(
        action=_TEXT,
        times=_INTEGER_OR_NULL,
        error=_TEXT_OR_NULL,
        after_effect=_BOOLEAN,
        every=_INTEGER,
        when=_OBJECT_OR_NULL,
        probability=_NUMBER,
        drop=_BOOLEAN,
        delay=_NUMBER,
        page_size=_INTEGER_OR_NULL,
        kill=_BOOLEAN,
        hits=_INTEGER,
    ),
    "Account": _make_schema(
        name=_TEXT,
        account_id=_TEXT,
        region=_TEXT,
        access_key=_TEXT,
        secret_key=_TEXT,
        email=_TEXT,
        password=_TEXT,
        env={"type": "object", "additionalProperties": _TEXT},
    ),
}


@frozen()
class Endpoint:
    """The summary of an endpoint, the schema of its answer, and its parameters with their types (`?`: optional)."""

    summary: str
    answer: str = "Nothing"
    parameters: Mapping[str, str] | None = None
    listed: bool = False  # the answer is a list
    free: bool = False  # the body may be any JSON object
    errors: Mapping[int, str] | None = None  # more statuses, and when they are answered

    def find_error(self, parameters: Mapping[str, Any]) -> str:
        """Return the error of a request's parameters, or "" if they are valid."""
        known_parameters = self.parameters or {}
        for name in () if self.free else parameters:
            if name not in known_parameters:
                return f"unknown parameter {name!r}; known: {', '.join(known_parameters) or 'none'}"
        for name, kind in known_parameters.items():
            if name not in parameters and not kind.endswith("?"):
                return f"{name} is required"
            value = parameters.get(name)
            types = _TYPES[kind.rstrip("?")]
            if value is not None and (not isinstance(value, types) or (isinstance(value, bool) and bool not in types)):
                return f"{name} must be of type {kind.rstrip('?')}, not {value!r}"
        return ""


_ID = {"id": "string"}
_FAULT = {
    "action": "string",
    "times": "integer?",
    "status": "integer?",
    "error": "string?",
    "after_effect": "boolean?",
    "every": "integer?",
    "when": "object?",
    "probability": "number?",
    "drop": "boolean?",
    "delay": "number?",
    "page_size": "integer?",
    "kill": "boolean?",
}
_CLOUD_HEADER = {
    "name": "X-Omisim-Cloud",
    "in": "header",
    "description": "The cloud that the request is for. Default: the first one.",
    "schema": {"type": "string"},
}
_REQUEST = {"account": "string", "action": "string", "parameters": "object?"}
_PLACE = {"volume_id": "string", "path": "string"}

ENDPOINTS: Mapping[tuple[str, str], Endpoint] = {
    ("GET", "health"): Endpoint("Check that the server is up. Needs no token, but tells more with it.", "Health"),
    ("GET", "openapi.json"): Endpoint("Return this description.", "Document"),
    ("GET", "clouds"): Endpoint("List the clouds of the server, the first one included.", "Cloud", listed=True),
    ("POST", "clouds"): Endpoint(
        "Make a cloud: a fork of this one, the cloud of a shipped scenario, or that of a dump. Its accounts have new "
        "access keys, whose requests reach it without the header.",
        "NewCloud",
        {"name": "string?", "scenario": "string?", "dump": "object?"},
        errors={409: "The name is taken.", 507: "The server has its maximum of clouds."},
    ),
    ("DELETE", "clouds"): Endpoint("Remove a cloud, except the first one.", parameters={"name": "string"}),
    ("POST", "reset"): Endpoint("Reset the cloud to its state at the start of the server, without calls and faults."),
    ("POST", "savepoint"): Endpoint("Create a mark for rollbacks; it can be used repeatedly.", "Mark"),
    ("DELETE", "savepoint"): Endpoint("Drop all marks, so that the history they keep can be trimmed."),
    ("POST", "rollback"): Endpoint("Undo everything since a mark.", parameters={"mark": "string"}),
    ("POST", "advance"): Endpoint("Advance the clock.", parameters={"seconds": "number"}),
    ("POST", "settle"): Endpoint("Advance the clock until no resource is in a transient state."),
    ("POST", "complete"): Endpoint("Apply the next transition of a resource's success path.", parameters=_ID),
    ("POST", "fail"): Endpoint("Move a resource to its failure state.", parameters=_ID | {"comment": "string?"}),
    ("POST", "fail_next"): Endpoint(
        "Make the next transition of a kind fail.",
        parameters={"kind": "string", "id": "string?", "comment": "string?"},
    ),
    ("POST", "faults"): Endpoint("Add a fault for the next calls of an action.", "Fault", _FAULT),
    ("GET", "faults"): Endpoint("List the active faults.", "Fault", listed=True),
    ("DELETE", "faults"): Endpoint("Remove all faults."),
    ("GET", "dump"): Endpoint(
        "Dump the cloud as JSON. Only with `secrets` does it hold what `load` restores keys and passwords from.",
        "Document",
        {"secrets": "boolean?"},
    ),
    ("POST", "load"): Endpoint("Replace the cloud by the one in a dump; the server's `auth` stays.", free=True),
    ("GET", "timeline"): Endpoint("List the changes of one resource.", "Change", _ID, listed=True),
    ("GET", "events"): Endpoint(
        "List the changes. With Accept: text/event-stream, stream new changes as server-sent events: `change`, and "
        "`undone` after a rollback or reset.",
        "Change",
        listed=True,
    ),
    ("GET", "calls"): Endpoint("List the calls, or those of one action.", "Call", {"action": "string?"}, listed=True),
    ("GET", "accounts"): Endpoint("List the accounts with their credentials.", "Account", listed=True),
    ("POST", "accounts"): Endpoint(
        "Create an account, or return an existing one.",
        "Account",
        {"name": "string", "region": "string?", "alias": "string?"},
    ),
    ("GET", "licences"): Endpoint("List the licences that authorise or forbid exports.", "Licences"),
    ("POST", "licences"): Endpoint(
        "Set whether a licence authorises exports; null leaves it open.",
        parameters={"code": "string", "export": "boolean?"},
    ),
    ("POST", "renew"): Endpoint(
        "Publish a newer official OMI of a family, and delete the earlier one if `retire` is true.",
        "Image",
        {"family": "string", "region": "string?", "retire": "boolean?"},
    ),
    ("GET", "read"): Endpoint("Read a file of a volume.", "Text", _PLACE),
    ("POST", "write"): Endpoint("Write a file on a volume.", parameters=_PLACE | {"text": "string"}),
    ("POST", "console"): Endpoint(
        "Write text to the console of a VM.", parameters={"vm_id": "string", "text": "string"}
    ),
    ("GET", "view"): Endpoint(
        "Return the console's view: accounts, cards and steps. With Accept: text/event-stream, stream it as "
        "server-sent events: `view`, then `steps` and `now`; `view` again after a rollback or reset. `cloud` names a "
        "cloud of the server, as the header does.",
        "Document",
        {"cloud": "string?"},
    ),
    ("GET", "actions"): Endpoint("Return the actions with their parameters.", "Document"),
    ("GET", "resource"): Endpoint("Return fields, timeline, lineage and access of a resource.", "Document", _ID),
    ("POST", "call"): Endpoint(
        "Run a request as an account. The answer has `answer` without secrets, `refusal`, or `dropped`.",
        "Document",
        _REQUEST,
    ),
    ("POST", "why_not"): Endpoint(
        "Return the refusals that a request would meet, without making it.", "Document", _REQUEST
    ),
}


def describe() -> dict[str, Any]:
    """Return the OpenAPI description of the control plane."""
    paths: dict[str, dict[str, Any]] = {}
    for (method, name), endpoint in ENDPOINTS.items():
        paths.setdefault(f"/{PREFIX}/{name}", {})[method.lower()] = _describe_operation(method, name, endpoint)
    return {
        "openapi": "3.0.3",
        "info": {"title": "omisim control plane", "version": "1"},
        "paths": paths,
        "components": {
            "schemas": dict(_SCHEMAS),
            "parameters": {"cloud": _CLOUD_HEADER},
            "securitySchemes": {"token": {"type": "http", "scheme": "bearer"}},
        },
    }


def _describe_operation(method: str, name: str, endpoint: Endpoint) -> dict[str, Any]:
    schemas = {p: {"type": kind.rstrip("?")} for p, kind in (endpoint.parameters or {}).items()}
    required = [p for p, kind in (endpoint.parameters or {}).items() if not kind.endswith("?")]
    answer: dict[str, Any] = _refer_to(endpoint.answer)
    if endpoint.listed:
        answer = {"type": "array", "items": answer}
    answers = {"200": _describe_content("The answer.", answer)}
    if endpoint.parameters or endpoint.free or method != "GET":
        answers["400"] = _describe_content("The request is refused.", _refer_to("Error"))
    for status, reason in {404: UNKNOWN, **(endpoint.errors or {})}.items():
        answers[str(status)] = _describe_content(reason, _refer_to("Error"))
    operation: dict[str, Any] = {"operationId": f"{method.lower()}-{name}", "summary": endpoint.summary}
    if name != "health":
        operation["security"] = [{"token": []}]
        answers["401"] = _describe_content("The token is missing or wrong.", _refer_to("Error"))
    operation["parameters"] = [{"$ref": "#/components/parameters/cloud"}]
    if method in ("GET", "DELETE"):
        operation["parameters"] += [
            {"name": p, "in": "query", "required": p in required, "schema": schema} for p, schema in schemas.items()
        ]
    elif schemas or endpoint.free:
        body: dict[str, Any] = {"type": "object", "additionalProperties": endpoint.free, "properties": schemas}
        operation["requestBody"] = _describe_content("", body | ({"required": required} if required else {})) | {
            "required": True
        }
    return operation | {"responses": answers}


def _describe_content(description: str, schema: Mapping[str, Any]) -> dict[str, Any]:
    return {"description": description, "content": {"application/json": {"schema": schema}}}
