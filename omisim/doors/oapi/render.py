"""Render answers and refusals as the JSON of the OUTSCALE API."""

from __future__ import annotations

import json
from typing import Any

from omisim.engine.dispatch import Answer, Body
from omisim.model.base import keep_text
from omisim.model.json_text import encode_json
from omisim.model.serialize import to_api
from omisim.spec.errors import ApiError

__all__ = ["render_body", "render_refusal", "render_text"]


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


def render_text(answer: Answer) -> str:
    """Return an answer as JSON text: the same content as `render_body`, each resource from the text that it keeps."""
    if answer.value.__class__ is Body:
        return json.dumps(render_body(answer))
    key, value, content = answer.action.answer, answer.value, ""
    if key is not None and not answer.dry:
        text = f"[{','.join(map(_get_text, value))}]" if value.__class__ is tuple else _get_text(value)
        content = f',"{key}":{text}' if isinstance(key, str) else f",{text[1:-1]}"
    if answer.next_page_token is not None:
        content += f',"NextPageToken":"{answer.next_page_token}"'
    return f'{{"ResponseContext":{{"RequestId":"{answer.request_id}"}}{content}}}'


def render_refusal(error: ApiError) -> str:
    """Return a refusal as JSON text."""
    return json.dumps(
        {
            "Errors": [{"Type": error.type, "Details": error.details, "Code": error.code}],
            "ResponseContext": {"RequestId": error.request_id},
        }
    )


_get_text = keep_text(encode_json)
