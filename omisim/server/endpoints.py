"""The endpoints of the control plane: what each does, takes and answers; and their description as OpenAPI."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

__all__ = ["ENDPOINTS", "PREFIX", "Endpoint", "describe"]

PREFIX = "_omisim"
_TYPES: Mapping[str, tuple[type, ...]] = {
    "string": (str,),
    "integer": (int,),
    "number": (int, float),
    "boolean": (bool,),
    "object": (dict,),
}
_TEXT, _NUMBER = {"type": "string"}, {"type": "number"}
_TIME = {"type": "string", "format": "date-time"}
_OR_NOTHING = {"type": "object", "nullable": True}


def _schema(**properties: Mapping[str, Any]) -> dict[str, Any]:
    required = {"required": list(properties)} if properties else {}
    return {"type": "object", "properties": properties, "additionalProperties": False} | required


_SCHEMAS: Mapping[str, Mapping[str, Any]] = {
    "Nothing": _schema(),
    "Error": _schema(error=_TEXT),
    "Health": _schema(status={"type": "string", "enum": ["ok"]}, now=_TIME, accounts={"type": "array", "items": _TEXT}),
    "Mark": _schema(mark=_TEXT),
    "Text": _schema(text=_TEXT),
    "Document": {"type": "object"},
    "Change": _schema(
        seq={"type": "integer"}, at=_TIME, kind=_TEXT, id=_TEXT, before=_OR_NOTHING, after=_OR_NOTHING, cause=_TEXT
    ),
    "Call": _schema(
        action=_TEXT,
        account=_TEXT,
        parameters={"type": "object"},
        at=_TIME,
        request_id=_TEXT,
        error={"type": "string", "nullable": True},
        rule={"type": "string", "nullable": True},
        dropped={"type": "boolean"},
        warnings={"type": "array", "items": _TEXT},
    ),
    "Fault": _schema(
        action=_TEXT,
        times={"type": "integer", "nullable": True},
        error={"type": "string", "nullable": True},
        after_effect={"type": "boolean"},
        every={"type": "integer"},
        when=_OR_NOTHING,
        probability=_NUMBER,
        drop={"type": "boolean"},
        delay=_NUMBER,
        met={"type": "integer"},
    ),
    "Account": _schema(
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


@dataclass(frozen=True, slots=True)
class Endpoint:
    """What an endpoint does, the schema of its answer, and its parameters by type; one with a ? can be left out."""

    says: str
    answer: str = "Nothing"
    parameters: Mapping[str, str] | None = None
    listed: bool = False  # it answers a list of these
    free: bool = False  # its body is a document of its own

    def wrong(self, given: Mapping[str, Any]) -> str:
        """Return what is wrong with a request, or ""."""
        known = self.parameters or {}
        for name in () if self.free else given:
            if name not in known:
                return f"there is no {name!r} here; there is {', '.join(known) or 'nothing to give'}"
        for name, kind in known.items():
            if name not in given and not kind.endswith("?"):
                return f"{name} is missing"
            value = given.get(name)
            types = _TYPES[kind.rstrip("?")]
            if value is not None and (not isinstance(value, types) or (isinstance(value, bool) and bool not in types)):
                return f"{name} is of the type {kind.rstrip('?')}, not {value!r}"
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
}
_PLACE = {"volume_id": "string", "path": "string"}

ENDPOINTS: Mapping[tuple[str, str], Endpoint] = {
    ("GET", "health"): Endpoint("Whether the server is there; needs no token.", "Health"),
    ("GET", "openapi.json"): Endpoint("This description.", "Document"),
    ("POST", "reset"): Endpoint("Back to the cloud as the server began with it: no calls, no faults."),
    ("POST", "savepoint"): Endpoint("A mark to roll back to, as often as wanted.", "Mark"),
    ("DELETE", "savepoint"): Endpoint("Forget all marks: what they keep of the past can go."),
    ("POST", "rollback"): Endpoint("Undo everything since a mark.", parameters={"mark": "string"}),
    ("POST", "advance"): Endpoint("Move the clock.", parameters={"seconds": "number"}),
    ("POST", "settle"): Endpoint("Jump to the end of all that is under way."),
    ("POST", "complete"): Endpoint("Take one step on a resource's success path.", parameters=_ID),
    ("POST", "fail"): Endpoint("Let a resource fail.", parameters=_ID | {"comment": "string?"}),
    ("POST", "fail_next"): Endpoint(
        "Let the next transition of a kind fail.",
        parameters={"kind": "string", "id": "string?", "comment": "string?"},
    ),
    ("POST", "faults"): Endpoint("Refuse the next calls of an action.", "Fault", _FAULT),
    ("GET", "faults"): Endpoint("The faults that are waiting.", "Fault", listed=True),
    ("DELETE", "faults"): Endpoint("Call all faults off."),
    ("GET", "dump"): Endpoint("The cloud as data.", "Document"),
    ("POST", "load"): Endpoint("Serve the cloud of a dump instead.", free=True),
    ("GET", "timeline"): Endpoint("The changes of one resource.", "Change", _ID, listed=True),
    ("GET", "events"): Endpoint(
        "The changes so far. With Accept: text/event-stream, those to come, as server-sent events: `change`, and where "
        "the past was changed, `undone`.",
        "Change",
        listed=True,
    ),
    ("GET", "calls"): Endpoint("The calls so far, or those of one action.", "Call", {"action": "string?"}, listed=True),
    ("GET", "accounts"): Endpoint("The accounts, with their credentials.", "Account", listed=True),
    ("POST", "accounts"): Endpoint(
        "Make an account, or find one.", "Account", {"name": "string", "region": "string?", "alias": "string?"}
    ),
    ("GET", "read"): Endpoint("A file of a volume.", "Text", _PLACE),
    ("POST", "write"): Endpoint("Write a file on a volume.", parameters=_PLACE | {"text": "string"}),
    ("POST", "console"): Endpoint("Print on the console of a VM.", parameters={"vm_id": "string", "text": "string"}),
}


def describe() -> dict[str, Any]:
    """Return the OpenAPI description of the control plane."""
    paths: dict[str, dict[str, Any]] = {}
    for (method, name), endpoint in ENDPOINTS.items():
        paths.setdefault(f"/{PREFIX}/{name}", {})[method.lower()] = _operation(method, name, endpoint)
    return {
        "openapi": "3.0.3",
        "info": {"title": "omisim control plane", "version": "1"},
        "paths": paths,
        "components": {
            "schemas": dict(_SCHEMAS),
            "securitySchemes": {"token": {"type": "http", "scheme": "bearer"}},
        },
    }


def _operation(method: str, name: str, endpoint: Endpoint) -> dict[str, Any]:
    schemas = {p: {"type": kind.rstrip("?")} for p, kind in (endpoint.parameters or {}).items()}
    required = [p for p, kind in (endpoint.parameters or {}).items() if not kind.endswith("?")]
    one = {"$ref": f"#/components/schemas/{endpoint.answer}"}
    answers = {"200": _content("What it answers.", {"type": "array", "items": one} if endpoint.listed else one)}
    if endpoint.parameters or endpoint.free or method != "GET":
        answers["400"] = _content("It cannot be done.", {"$ref": "#/components/schemas/Error"})
    operation: dict[str, Any] = {"operationId": f"{method.lower()}-{name}", "summary": endpoint.says}
    if name != "health":
        operation["security"] = [{"token": []}]
        answers["401"] = _content("The token is missing or wrong.", {"$ref": "#/components/schemas/Error"})
    if method == "GET":
        operation["parameters"] = [
            {"name": p, "in": "query", "required": p in required, "schema": schema} for p, schema in schemas.items()
        ]
    elif schemas or endpoint.free:
        body: dict[str, Any] = {"type": "object", "additionalProperties": endpoint.free, "properties": schemas}
        operation["requestBody"] = _content("", body | ({"required": required} if required else {})) | {
            "required": True
        }
    return operation | {"responses": answers}


def _content(says: str, schema: Mapping[str, Any]) -> dict[str, Any]:
    return {"description": says, "content": {"application/json": {"schema": schema}}}
