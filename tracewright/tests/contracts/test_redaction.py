from __future__ import annotations

import pytest

from tracewright.contracts.redaction import Redactor, hashed

CANARY = "canary0123456789"
JWT = "eyJhbGciOiJIUzI1NiJ9.eyJzdWIiOiIxMjM0In0.c2lnbmF0dXJlLXNpZw"


@pytest.mark.parametrize(
    ("text", "secret"),
    [
        (f"asked with {CANARY}.", CANARY),
        (f"x{CANARY}y", CANARY),
        ("login password=hunter2 failed", "hunter2"),
        ('{"password": "hunter2", "user": "ann"}', "hunter2"),
        ("authorization: Bearer abc", "abc"),
        ("Authorization: Basic dXNlcjpwYXNz", "dXNlcjpwYXNz"),
        ("api_key=k-1&page=2", "k-1"),
        ("client_secret: s3cr3t", "s3cr3t"),
        ("access_token=t0k3n", "t0k3n"),
        ("postgresql://ann:hunter2@db/main", "hunter2"),
        (f"sent {JWT} along", JWT),
    ],
)
def test_credential_in_a_text_is_shown_as_its_hash(text: str, secret: str) -> None:
    shown = Redactor([CANARY]).text(text)
    assert secret not in shown
    assert "sha256:" in shown


@pytest.mark.parametrize(
    "text", ["input tokens: 12", "gen_ai.usage.output_tokens=80", "a tokenizer: fast", "postgresql://db/main"]
)
def test_text_without_a_credential_stays(text: str) -> None:
    assert Redactor([CANARY]).text(text) == text


def test_equal_credentials_have_equal_hashes_and_what_is_hashed_stays() -> None:
    redactor = Redactor([CANARY])
    once = redactor.text(f"token={CANARY}")
    assert once == f"token={hashed(CANARY)}"
    assert redactor.text(once) == once


@pytest.mark.parametrize("key", ["http.request.header.authorization", "db.password", "apiKey", "user.Token"])
def test_value_of_a_telling_key_is_hashed_whole(key: str) -> None:
    assert Redactor().value(key, "open sesame") == hashed("open sesame")


def test_other_values_are_shown_with_what_they_hold_redacted() -> None:
    redactor = Redactor([CANARY])
    assert redactor.value("gen_ai.usage.input_tokens", 12) == "12"
    assert redactor.value("max_token", 12) == "12"
    assert redactor.value("tags", ("a", CANARY)) == f"a, {hashed(CANARY)}"
    assert redactor.value("body", {"password": "hunter2", "user": "ann"}) == (
        f"password: {hashed('hunter2')}, user: ann"
    )
