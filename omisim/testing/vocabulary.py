"""Nouns and verbs for resources in reports and error texts, from `vocabulary.toml`."""

from __future__ import annotations

from collections.abc import Mapping

from omisim.base.data_files import load_toml

__all__ = ["DEEDS", "DELETIONS", "NOUNS"]

_TABLES = load_toml("omisim.testing", "vocabulary.toml")
NOUNS: Mapping[str, str] = _TABLES["nouns"]
DELETIONS: Mapping[str, str] = _TABLES["deletions"]
DEEDS: Mapping[tuple[str, str], str] = {
    (kind, action): deed for kind, deeds in _TABLES["deeds"].items() for action, deed in deeds.items()
}
