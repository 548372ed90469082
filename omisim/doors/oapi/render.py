"""Render answers and refusals as the JSON of the OUTSCALE API."""

from __future__ import annotations

import json
from typing import Any

from omisim.engine.dispatch import Answer, Body
from omisim.model.base import keep_text
from omisim.model.json_text import encode_json
from omisim.model.serialize import to_api
from omisim.spec.errors import ApiError

__all__ = ["render_body", "render_bytes", "render_refusal"]


def render_body(answer: Answer) -> dict[str, Any]:
    """Return an answer as a JSON object, a dict that includes its ResponseContext."""
    content: dict[str, Any] = {"ResponseContext": {"RequestId": answer.request_id}}
    if isinstance(answer.value, Body):
        return {name: value for name, value in answer.value.content.items() if name not in content} | content
    key = answer.action.answer
    if key is not None and not answer.dry:
        value = to_api(answer.value)
        content |= {key: value} if isinstance(key, str) else value
    if answer.next_page_token is not None:
        content["NextPageToken"] = answer.next_page_token
    return content


def render_bytes(answer: Answer) -> bytes:
    """Return an answer as bytes of JSON: the content of `render_body`, each resource from the bytes that it keeps.

    A long list is put together once, because each copy of it takes longer than to find its parts.
    """
    if answer.value.__class__ is Body:
        return json.dumps(render_body(answer)).encode()
    key, value, begin = answer.action.answer, answer.value, f'{{"ResponseContext":{{"RequestId":"{answer.request_id}"}}'
    token = answer.next_page_token
    end = "}" if token is None else f',"NextPageToken":"{token}"}}'
    if key is None or answer.dry:
        return f"{begin}{end}".encode()
    if value.__class__ is not tuple:
        content = _get_bytes(value)
        content = b'"%b":%b' % (key.encode(), content) if isinstance(key, str) else content[1:-1]
        return b"%b,%b%b" % (begin.encode(), content, end.encode())
    parts = [*map(_get_bytes, value)] or [b""]
    parts[0] = f'{begin},"{key}":['.encode() + parts[0]
    parts[-1] += f"]{end}".encode()
    return b",".join(parts)


def render_refusal(error: ApiError) -> str:
    """Return a refusal as JSON text."""
    return json.dumps(
        {
            "Errors": [{"Type": error.type, "Details": error.details, "Code": error.code}],
            "ResponseContext": {"RequestId": error.request_id},
        }
    )


def _encode(value: Any) -> bytes:
    return encode_json(value).encode()


_get_bytes = keep_text(_encode)
