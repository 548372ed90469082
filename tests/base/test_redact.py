"""What is shown, logged or recorded holds no secret, whatever its form."""

from __future__ import annotations

from typing import Any

import pytest

from omisim.base.redact import REDACTED, redact


@pytest.mark.parametrize(
    "name", ["SecretKey", "secret_key", "secret-key", "OsuApiKey.SecretKey", "NewPassword", "seed"]
)
@pytest.mark.parametrize("value", ["hidden", 7, ["hidden"], {"a": "hidden"}])
def test_values_of_secret_names_are_left_out(name: str, value: Any) -> None:
    """A secret of a wrong type is refused, and still a secret in the log of the refused call."""
    assert redact([{name: value}]) == [{name: REDACTED}]


@pytest.mark.parametrize("value", [None, "", [], True, False])
def test_empty_values_are_kept(value: Any) -> None:
    """A value that is empty, or that only tells whether there is one, is shown."""
    assert redact({"Password": value}) == {"Password": value}


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        ("https://x/k?X-Amz-Signature=abc&a=b", "https://x/k?X-Amz-Signature=redacted&a=b"),
        ("https://x/k?X-AMZ-SIGNATURE=abc", "https://x/k?X-AMZ-SIGNATURE=redacted"),
        ("https://user:word@x/k", "https://user:redacted@x/k"),
        ("https://x/a:b@c", "https://x/a:b@c"),
    ],
)
def test_urls_lose_what_grants_access(text: str, expected: str) -> None:
    """Signatures in any spelling and passwords are left out of URLs."""
    assert redact({"FileLocation": text}) == {"FileLocation": expected}
