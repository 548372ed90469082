"""The built documentation."""

from __future__ import annotations

import re
import subprocess
import sys
from pathlib import Path

import pytest
from support.pages import ROOT

import omisim

# What a browser would load by itself: scripts, styles, images and fonts of another host.
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


def test_documents_every_public_name(site: Path) -> None:
    """Each name of `omisim.__all__` has an entry in the API reference, and each typed method its signature."""
    pages = "".join(path.read_text("utf-8") for path in (site / "reference" / "api").glob("*.html"))
    assert [name for name in omisim.__all__ if f'id="omisim.{name}"' not in pages] == []
    assert 'id="omisim.Account.create_image"' in pages
