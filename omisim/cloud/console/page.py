"""The page's files: for a server as they are, and in one file that needs neither a server nor a network."""

from __future__ import annotations

import json
import re
from base64 import b64encode
from collections.abc import Iterable, Mapping
from functools import cache
from hashlib import sha256
from importlib.resources import files
from typing import Any, Final

from omisim.base.texts import escape_surrogates

__all__ = ["PAGE_POLICY", "list_page_files", "render_report"]

# the Content-Security-Policy of the served page; scripts cannot even parse a text as HTML
PAGE_POLICY: Final = (
    "default-src 'none'; script-src 'self'; style-src 'self'; img-src 'self'; connect-src 'self'; base-uri 'none'; "
    "form-action 'none'; frame-ancestors 'none'; require-trusted-types-for 'script'"
)
_TYPES: Final = {".css": "text/css", ".html": "text/html", ".js": "text/javascript", ".svg": "image/svg+xml"}
# the modules that show a cloud, each after those that it imports
_SHARED: Final = ("dom", "model", "lines", "board", "calls", "resource", "slider", "console")
_MODULES: Final = (*_SHARED, "link", "controls", "request", "live")
_IMPORT = re.compile(r"^import .*?;\n", re.MULTILINE | re.DOTALL)
_LINKED = re.compile(r'<link rel="(?:icon|modulepreload)"[^>]*>\n')
_EXPORT = re.compile(r"^export ", re.MULTILINE)
_LINK, _SCRIPT = '<link rel="stylesheet" href="console.css">', '<script type="module" src="live.js"></script>'


def _read(name: str) -> str:
    return files("omisim.cloud.console").joinpath("assets", name).read_text("utf-8")


@cache
def list_page_files() -> Mapping[str, tuple[str, bytes]]:
    """Return the files of the page by name, each with its content type; "" is the page itself."""
    names = ("console.html", "console.css", "icon.svg", *(f"{name}.js" for name in _MODULES))
    page = {name: (f"{_TYPES[name[name.index('.') :]]}; charset=utf-8", _read(name).encode()) for name in names}
    page[""] = page.pop("console.html")
    return page


def render_report(view: Mapping[str, Any], title: str) -> str:
    """Return a page that shows a view, with everything in it: its policy allows its own script and style alone."""
    script, style = _join((*_SHARED, "report")), _read("console.css")
    policy = (
        f"default-src 'none'; script-src '{_hash(script)}'; style-src '{_hash(style)}'; base-uri 'none'; "
        "form-action 'none'; require-trusted-types-for 'script'"
    )
    data = json.dumps({**view, "title": title}, separators=(",", ":"), ensure_ascii=False)
    head = f'<meta http-equiv="Content-Security-Policy" content="{policy}">\n<style>{style}</style>'
    body = (
        f'<script type="application/json" id="view">{_escape(data)}</script>\n<script type="module">{script}</script>'
    )
    page = _LINKED.sub("", _read("console.html"))
    assert _LINK in page
    assert _SCRIPT in page
    return page.replace(_SCRIPT, "").replace(_LINK, head).replace("</body>", f"{body}\n</body>")


def _join(modules: Iterable[str]) -> str:
    """Return modules as one script. Their names differ, so that they need no imports from each other."""
    return "".join(_EXPORT.sub("", _IMPORT.sub("", _read(f"{name}.js"))) for name in modules)


def _hash(text: str) -> str:
    return f"sha256-{b64encode(sha256(text.encode()).digest()).decode()}"


def _escape(data: str) -> str:
    """Escape what could end a script element, and lone surrogates, in the strings of JSON data."""
    text = data.replace("<", "\\u003c").replace("\u2028", "\\u2028").replace("\u2029", "\\u2029")
    return escape_surrogates(text)
