"""The prose of package, documentation and tests is plain technical English: some phrases must not come back."""

from __future__ import annotations

import io
import re
import tokenize
from collections import Counter
from collections.abc import Iterator
from itertools import groupby
from pathlib import Path

import pytest

ROOT = Path(__file__).parent.parent
PATTERNS = (
    "*.md", "benchmarks/**/*.py", "docs/**/*.md", "docs/**/*.py", "omisim/**/*.py", "omisim/**/*.toml", "tests/**/*.py",
)  # fmt: skip
FILES = sorted({path.relative_to(ROOT).as_posix() for pattern in PATTERNS for path in ROOT.glob(pattern)})
FILES.remove("tests/test_prose.py")  # it names the phrases

# Regular expressions for whole words, matched in any case unless (?-i:) says otherwise, and the words to use instead.
PHRASES = {
    r"(?<!there )(?:is|are) no (?!longer\b|more\b)\w+": "is not a, there is no",
    r"(?<!there )(?:is|are) (?-i:none)": "is not a, there is no",  # but `is None` is Python
    r"that there (?:is|are)|what is there|that is there": "existing",
    r"nothing that": "unknown, not a",
    r"whoever|somebody|nobody": "the subject itself: the caller, the account",
    r"(?:is|are|be|was|were) told|told of": "is given, receives, was called with",
    r"unless (?:told|said|asked)|(?:said|says|told) otherwise": "by default",
    r"one's own": "its own, the caller's own",
    r"by hand": "manually",
    r"under way|in the making": "in progress",
    r"lives for": "function-scoped, session-scoped",
    r"rules? over|goes over": "override, take precedence over",
    r"what (?:is|was|were) (?:asked|told|said|wanted|meant|left out)": "requested, recorded, expected",
    r"(?:is|are|was|were) asked for": "requested",
    r"befalls?": "matches, happens to",
    r"let pass|let follow|what follows": "wait, side effects",
    r"stands under": "is covered by",
    r"ha(?:s|ve) no part in": "is outside",
    r"of no use": "useless",
    r"came? along|comes? along": "is copied, is kept",
    r"hold(?:s|ing)? (?:it |them )?against": "compare with",
    r"stands? (?:in for|beside)": "replaces",
    r"the other way round": "the opposite order",
    r"lives? on": "remains",
    r"falls? through": "is forwarded",
    r"cut off": "truncated",
    r"domain \d+(?:\.\d+)?": "the ids of rules: the reader has no numbered page",
}

# The phrases that are right where they are, in lower case: (file, phrase): reason.
ALLOWED = {
    ("omisim/testing/strategies/allowed.toml", "nobody"): "the name of a security group that does not exist",
}


def list_fragments(path: Path) -> Iterator[str]:
    """Yield the comments and string literals of a Python file, or the text of any other file, on one line each."""
    text = path.read_text()
    if path.suffix != ".py":
        yield re.sub(r"\n[#\s]*", " ", text)
        return
    strings = {tokenize.STRING, getattr(tokenize, "FSTRING_MIDDLE", tokenize.STRING)}
    tokens = [token for token in tokenize.generate_tokens(io.StringIO(text).readline) if token.type != tokenize.NL]
    for is_comment, group in groupby(tokens, lambda token: token.type == tokenize.COMMENT):
        if is_comment:  # consecutive comment lines are one text
            yield " ".join(token.string.lstrip("#: ") for token in group)
        else:
            texts = (token.string for token in group if token.type in strings)
            yield from (re.sub(r"\s+", " ", text) for text in texts if len(text.split()) > 1)  # one word is data


def find_phrases(file: str) -> list[str]:
    """Return the forbidden phrases of a file, with their context and the plain term."""
    return [
        f"{match[0]!r} in ...{fragment[max(match.start() - 40, 0) : match.end() + 40]}... (use: {instead})"
        for fragment in list_fragments(ROOT / file)
        for phrase, instead in PHRASES.items()
        for match in re.finditer(rf"\b(?:{phrase})\b", fragment, re.IGNORECASE)
        if (file, match[0].lower()) not in ALLOWED
    ]


@pytest.mark.parametrize("file", FILES)
def test_has_no_forbidden_phrase(file: str) -> None:
    """No docstring, comment, string or page contains a phrase that reads like a translation."""
    assert find_phrases(file) == []


def test_allows_only_phrases_that_occur() -> None:
    """Each exception is still needed, and has a reason."""
    unused = [
        (file, phrase)
        for (file, phrase), reason in ALLOWED.items()
        if not reason or not any(phrase in fragment.lower() for fragment in list_fragments(ROOT / file))
    ]
    assert unused == []


def test_changelog_names_each_change_once() -> None:
    """A merge of two branches may keep an entry twice."""
    entries = re.findall(r"^- .+(?:\n  .+)*", (ROOT / "CHANGELOG.md").read_text("utf-8"), re.MULTILINE)
    assert len(entries) > 100
    assert [entry for entry, count in Counter(entries).items() if count > 1] == []
