"""The built documentation."""

from __future__ import annotations

import re
import subprocess
import sys
from importlib import import_module
from pathlib import Path

import pytest
from support.pages import ROOT

from omisim.actions.framework.registry import ACTIONS
from omisim.model.serialize import snake_name

PUBLIC = (
    "omisim",
    "omisim.errors",
    "omisim.factories",
    "omisim.intercept",
    "omisim.recording",
    "omisim.replay",
    "omisim.server.client",
    "omisim.testing.checks",
    "omisim.testing.coverage",
    "omisim.testing.exploration",
    "omisim.testing.strategies",
)

# Scripts, styles, images and fonts of another host, which a browser would load.
LOADED = re.compile(
    r"<(?:script|img|iframe|source|video|audio|embed)\b[^>]*\bsrc=[\"'](?:https?:)?//"
    r"|<link\b[^>]*\brel=[\"'](?:stylesheet|preload|icon|preconnect)[^>]*\bhref=[\"'](?:https?:)?//"
    r"|<link\b[^>]*\bhref=[\"'](?:https?:)?//[^>]*\brel=[\"'](?:stylesheet|preload|icon|preconnect)"
    r"|url\(\s*[\"']?(?:https?:)?//"
    r"|@import\s+[\"'](?:https?:)?//"
)


@pytest.fixture(name="site", scope="module")
def _site(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The pages, built once with every warning as an error."""
    site = tmp_path_factory.mktemp("site")
    command = [sys.executable, "-m", "sphinx", "-q", "-W", "-n", "--keep-going", str(ROOT / "docs"), str(site)]
    run = subprocess.run(command, capture_output=True, text=True, check=False)
    assert run.returncode == 0, run.stderr
    return site


def test_loads_nothing_from_another_host(site: Path) -> None:
    """No page loads a script, a style, an image or a font from another host."""
    files = [path for path in site.rglob("*") if path.suffix in (".html", ".css", ".svg")]
    assert files
    assert [str(path) for path in files if LOADED.search(path.read_text("utf-8"))] == []


def test_has_the_entry_that_explain_names(site: Path) -> None:
    """The address that `omisim explain OMI-022` prints exists in the built site."""
    assert 'id="omi-022"' in (site / "reference" / "rules" / "image.html").read_text("utf-8")


@pytest.mark.parametrize("module", PUBLIC)
def test_documents_every_public_name(site: Path, module: str) -> None:
    """Each class and function of a public module has an entry in the API reference."""
    pages = "".join(path.read_text("utf-8") for path in (site / "reference" / "api").glob("*.html"))
    entries = set(re.findall(r'id="omisim\.(?:[\w.]+\.)?(\w+)"', pages))
    public = {name for name in import_module(module).__all__ if not name.isupper()}
    assert public - entries == set()


def test_documents_every_typed_method(site: Path) -> None:
    """Each action has its typed method in the reference of Account."""
    page = (site / "reference" / "api" / "account.html").read_text("utf-8")
    assert [name for name in ACTIONS if f'id="omisim.Account.{snake_name(name)}"' not in page] == []
