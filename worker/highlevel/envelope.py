"""Messages and codes from the API's error envelopes, and from pages that are not the API's. Pure.

Facts: `message` and `statusCode` are specified; the envelope of v3, `code`, and arrays in `message` were observed.
"""

import json
from collections.abc import Mapping
from typing import Any

MAX_MESSAGE = 500
MAX_DEPTH = 8


def parse_body(body: bytes) -> Mapping[str, Any] | None:
    """Return the JSON object of a body; None if it is not one."""
    try:
        try:
            parsed = json.loads(body)
        except UnicodeDecodeError:  # a broken character must not hide the message
            parsed = json.loads(body.decode("utf-8", "replace"))
    except (ValueError, RecursionError):
        return None
    return parsed if isinstance(parsed, dict) else None


def message_of(body: Mapping[str, Any]) -> str | None:
    """Return the message: `message`, `error.message`, `error` or `errors`."""
    error, found = body.get("error"), body.get("message")
    if found is None and isinstance(error, dict):
        found = error.get("message")
    return _line(_joined(found)) or _line(_joined(error)) or _line(_joined(body.get("errors"), inner="message"))


def _joined(words: object, inner: str = "", depth: int = MAX_DEPTH) -> object:
    """Return the parts of an array, or of an object of field errors, joined; other values as they are."""
    if isinstance(words, list):
        return "; ".join(str(part.get(inner, part) if isinstance(part, dict) else part) for part in words)
    if isinstance(words, dict) and inner and depth:
        return "; ".join(f"{name}: {_joined(part, inner, depth - 1)}" for name, part in words.items())
    return words


def code_of(body: Mapping[str, Any]) -> str | None:
    """Return the error code, like `OPPORTUNITY_NO_DUPLICATE` (observed)."""
    error = body.get("error")
    return text_of(body.get("code")) or (text_of(error.get("code")) if isinstance(error, dict) else None)


def describe(status: int, headers: Mapping[str, str], body: bytes) -> str:
    """Return a message for an error that has none of the API's."""
    if is_html(headers, body):
        return f"HTTP {status} with an HTML page"
    plain = headers.get("content-type", "").lower().startswith("text/plain")
    return (_line(body.decode("utf-8", "replace")) if plain else None) or f"HTTP {status} without a message"


def is_html(headers: Mapping[str, str], body: bytes) -> bool:
    """Return whether an answer is an HTML page, by its content type or its first bytes."""
    return "html" in headers.get("content-type", "").lower() or body[:256].lstrip().startswith(b"<")


def _line(value: object) -> str | None:
    """Return a non-empty string as one line of printable characters."""
    if not isinstance(value, str) or not value.strip():
        return None
    line = value.strip()
    return line if line.isprintable() else "".join(part if part.isprintable() else " " for part in line)


def cut(line: str) -> str:
    """Return a line, cut to MAX_MESSAGE characters."""
    return line if len(line) <= MAX_MESSAGE else line[: MAX_MESSAGE - 1] + "…"


def text_of(value: object) -> str | None:
    """Return a non-empty string as one line of printable characters, cut to length."""
    line = _line(value)
    return None if line is None else cut(line)
