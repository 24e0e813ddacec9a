"""What a line may hold, as pure functions."""

import base64
from typing import Any

import pytest

from lanes.settings import WorkerSettings
from worker.logging.processors import (
    HIDDEN,
    MAX_CHARACTERS,
    MAX_TRACE_CHARACTERS,
    RedactSecrets,
    one_line,
    sanitize_event,
    secrets_of,
)

JWT = "eyJhbGciOiJSUzI1NiJ9.eyJhdXRoQ2xhc3MiOiJMb2NhdGlvbiJ9.c2lnbmF0dXJl"


@pytest.mark.parametrize(
    ("text", "shown"),
    [
        ("Invalid JWT: Bearer abcdef123456", f"Invalid JWT: Bearer {HIDDEN}"),
        (f"token {JWT} refused", f"token {HIDDEN} refused"),
        ("pit-0a1b2c3d-4e5f refused", f"{HIDDEN} refused"),
        ("redis://:s3cret-word@host:6379/0", f"redis://:{HIDDEN}@host:6379/0"),
        ("https://user:s3cret-word@host/", f"https://user:{HIDDEN}@host/"),
        ('{"access_token": "abcdef", "expires_in": 5}', f'{{"access_token": "{HIDDEN}", "expires_in": 5}}'),
        ("grant?refresh_token=abcdef&user_type=x", f"grant?refresh_token={HIDDEN}&user_type=x"),
        ("Authorization: Bearer abcdef123456", f"Authorization: {HIDDEN} {HIDDEN}"),
        ("it said known-to-us aloud", f"it said {HIDDEN} aloud"),
        # These say nothing.
        ("Redis refused the password or user of LANES_REDIS_URL", None),
        ("invalid username-password pair or user is disabled.", None),
        ("redis://:**@127.0.0.1:6379/0", f"redis://:{HIDDEN}@127.0.0.1:6379/0"),
        ("The token does not have access to this location.", None),
        ("https://host/path?at=12:30", None),
    ],
)
def test_what_looks_like_a_secret_is_hidden_wherever_it_stands(text: str, shown: str | None) -> None:
    redact = RedactSecrets(["known-to-us"])
    wanted = text if shown is None else shown
    event: dict[str, Any] = {"event": text, "deep": {"list": [text, 5]}, "status": 200, "new": True}
    assert redact(None, "info", event) == {
        "event": wanted,
        "deep": {"list": [wanted, 5]},
        "status": 200,
        "new": True,
    }


def test_a_field_that_is_named_as_a_secret_is_hidden_whatever_it_is() -> None:
    event = {"event": "x", "access_token": "short", "more": {"password": "pw"}, "token": "loc-1"}
    shown = {"event": "x", "access_token": HIDDEN, "more": {"password": HIDDEN}, "token": "loc-1"}
    assert RedactSecrets()(None, "info", event) == shown


def test_every_secret_of_the_settings_is_known() -> None:
    keys = [base64.urlsafe_b64encode(bytes([number]) * 32).decode() for number in (1, 2)]
    given = {
        "redis_url": "redis://user:pass%20word@host:6379/0",
        "api_token": "the-api-token",
        "secret_key": ",".join(keys),
        "oauth_client_secret": "the-client-secret",
        "notify_url": "https://host/hook/knows",
        "notify_secret": "sixteen-characters",
    }
    found = secrets_of(WorkerSettings.model_validate(given))
    assert {"pass word", "the-api-token", "the-client-secret", "https://host/hook/knows"} <= set(found)
    assert {"sixteen-characters", *keys} <= set(found)
    assert secrets_of(WorkerSettings()) == ()


@pytest.mark.parametrize(
    ("text", "shown"),
    [
        ("plain ünïcode", "plain ünïcode"),
        ("two\nlines\r", "two\\nlines\\r"),
        ("\x1b[2J\x07", "\\x1b[2J\\x07"),
        ("\x9b31m", "\\x9b31m"),
        ("a\u202eb\u2028c", "a\\u202eb\\u2028c"),
        ("\ud800", "\\ud800"),
        ("x" * (MAX_CHARACTERS + 1), "x" * MAX_CHARACTERS + "..."),
    ],
)
def test_what_does_not_print_is_written_as_its_escape(text: str, shown: str) -> None:
    assert one_line(text) == shown
    assert sanitize_event(None, "info", {"event": text, "status": 5}) == {"event": shown, "status": 5}


def test_a_trace_keeps_its_lines_and_none_of_them_begins_as_a_line_of_the_log() -> None:
    trace = "Traceback:\n  File\nError: said\n2026-01-01 [info] job_delivered\x1b[0m"
    event = sanitize_event(None, "error", {"event": "x", "exception": trace})
    lines = event["exception"].split("\n")
    assert len(lines) == 4
    assert all(line.startswith("    ") and line.isprintable() for line in lines)
    event = sanitize_event(None, "error", {"event": "x", "exception": "y\n" * MAX_TRACE_CHARACTERS})
    assert len(event["exception"]) < 5 * MAX_TRACE_CHARACTERS
