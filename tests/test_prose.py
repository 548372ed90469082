"""The prose of the package, README and docs is plain technical English: some phrases must not come back."""

from __future__ import annotations

import io
import re
import tokenize
from collections.abc import Iterator
from itertools import groupby
from pathlib import Path

import pytest

ROOT = Path(__file__).parent.parent
FILES = sorted(
    path.relative_to(ROOT).as_posix()
    for pattern in ("omisim/**/*.py", "omisim/**/*.toml", "README.md", "CONTRIBUTING.md", "docs/**/*.md")
    for path in ROOT.glob(pattern)
)

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
}

# The phrases that are right where they are, in lower case: (file, phrase): reason.
ALLOWED = {
    ("omisim/testing/strategies/allowed.toml", "nobody"): "the name of a security group that does not exist",
    ("omisim/testing/strategies/networks.py", "nobody"): "the name of a security group that does not exist",
}

# The files that are still to be rewritten. Remove a file when it is clean; add none.
PENDING: frozenset[str] = frozenset(
    {
        "CONTRIBUTING.md",
        "README.md",
        "docs/explanation/decisions.md",
        "docs/explanation/evidence.md",
        "omisim/actions/accounts.py",
        "omisim/actions/addresses.py",
        "omisim/actions/effects.py",
        "omisim/actions/exports.py",
        "omisim/actions/framework/call.py",
        "omisim/actions/framework/paging.py",
        "omisim/actions/framework/request.py",
        "omisim/actions/framework/schema.py",
        "omisim/actions/images.py",
        "omisim/actions/imports.py",
        "omisim/actions/keypairs.py",
        "omisim/actions/product_types.py",
        "omisim/actions/security_group_rules.py",
        "omisim/actions/tags.py",
        "omisim/actions/vm_attributes.py",
        "omisim/actions/vm_life.py",
        "omisim/actions/volumes.py",
        "omisim/base/clock.py",
        "omisim/base/subset.py",
        "omisim/clients/environment.py",
        "omisim/clients/gateway.py",
        "omisim/clients/intercept/signing.py",
        "omisim/clients/intercept/stack.py",
        "omisim/clients/sleeping.py",
        "omisim/cloud/access_matrix.py",
        "omisim/cloud/account.py",
        "omisim/cloud/calls.py",
        "omisim/cloud/cloud.py",
        "omisim/cloud/images.py",
        "omisim/cloud/marketplace.py",
        "omisim/doors/http.py",
        "omisim/doors/identity.py",
        "omisim/doors/oos/door.py",
        "omisim/engine/engine.py",
        "omisim/engine/faults.py",
        "omisim/engine/scheduler.py",
        "omisim/engine/session.py",
        "omisim/engine/similar_ids.py",
        "omisim/formats/disk_image.py",
        "omisim/formats/manifest.py",
        "omisim/formats/recording.py",
        "omisim/formats/ssh_keys.py",
        "omisim/model/memory.py",
        "omisim/model/serialize.py",
        "omisim/model/storage.py",
        "omisim/plugin.py",
        "omisim/pytest_plugin/marker_options.py",
        "omisim/pytest_plugin/report.py",
        "omisim/server/__init__.py",
        "omisim/server/client.py",
        "omisim/server/control.py",
        "omisim/server/endpoints.py",
        "omisim/server/host.py",
        "omisim/state/buckets.py",
        "omisim/state/dump.py",
        "omisim/state/lineage.py",
        "omisim/state/observer.py",
        "omisim/state/official_images.py",
        "omisim/state/settings.py",
        "omisim/state/transaction.py",
        "omisim/testing/checks.py",
        "omisim/testing/choices.py",
        "omisim/testing/coverage.py",
        "omisim/testing/coverage_report.py",
        "omisim/testing/events.py",
        "omisim/testing/factories.py",
        "omisim/testing/history.py",
        "omisim/testing/laws/bookkeeping.py",
        "omisim/testing/laws/calls.py",
        "omisim/testing/laws/creation.py",
        "omisim/testing/laws/history.py",
        "omisim/testing/laws/table.py",
        "omisim/testing/laws/visibility.py",
        "omisim/testing/machine.py",
        "omisim/testing/reporting.py",
        "omisim/testing/strategies/api_requests.py",
        "omisim/testing/strategies/files.py",
        "omisim/testing/strategies/networks.py",
        "omisim/testing/strategies/request_builder.py",
        "omisim/testing/strategies/values.py",
        "omisim/testing/vocabulary.py",
        "omisim/testing/vocabulary.toml",
        "omisim/tools/check/canonical.py",
        "omisim/tools/check/search.py",
        "omisim/tools/cli.py",
        "omisim/tools/demo/__init__.py",
        "omisim/tools/demo/regions.py",
        "omisim/tools/demo/story.py",
        "omisim/tools/replay.py",
        "omisim/tools/scenario/__init__.py",
        "omisim/tools/scenario/reading.py",
        "omisim/tools/scenario/script.py",
        "omisim/tools/serve.py",
    }
)


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
            yield from (re.sub(r"\s+", " ", token.string) for token in group if token.type in strings)


def find_phrases(file: str) -> list[str]:
    """Return the forbidden phrases of a file, with their context and the plain term."""
    return [
        f"{match[0]!r} in ...{fragment[max(match.start() - 40, 0) : match.end() + 40]}... (use: {instead})"
        for fragment in list_fragments(ROOT / file)
        for phrase, instead in PHRASES.items()
        for match in re.finditer(rf"\b(?:{phrase})\b", fragment, re.IGNORECASE)
        if (file, match[0].lower()) not in ALLOWED
    ]


@pytest.mark.parametrize("file", [file for file in FILES if file not in PENDING])
def test_has_no_forbidden_phrase(file: str) -> None:
    """No docstring, comment, string or page contains a phrase that reads like a translation."""
    assert find_phrases(file) == []


def test_lists_as_pending_only_files_that_need_work() -> None:
    """A file leaves the list of pending ones as soon as it is clean, or no longer exists."""
    assert [file for file in sorted(PENDING) if file not in FILES or not find_phrases(file)] == []


def test_allows_only_phrases_that_occur() -> None:
    """Each exception is still needed, and has a reason."""
    unused = [
        (file, phrase)
        for (file, phrase), reason in ALLOWED.items()
        if not reason or not any(phrase in fragment.lower() for fragment in list_fragments(ROOT / file))
    ]
    assert unused == []
