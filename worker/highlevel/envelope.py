"""The body of an answer in words: the API's error envelopes, and pages that are not its own. Pure.

Facts: `message` and `statusCode` are specified; the envelope of v3, `code`, and arrays in `message` were observed.
"""

import json
from collections.abc import Mapping
from typing import Any

MAX_MESSAGE = 500
MAX_DEPTH = 8


def parse_body(body: bytes) -> Mapping[str, Any] | None:
    """Return the JSON object of a body; None where it is none."""
    try:
        try:
            parsed = json.loads(body)
        except UnicodeDecodeError:  # a broken character is no reason to lose the rest of what was said
            parsed = json.loads(body.decode("utf-8", "replace"))
    except (ValueError, RecursionError):
        return None
    return parsed if isinstance(parsed, dict) else None


def message_of(body: Mapping[str, Any]) -> str | None:
    """Return the message of either envelope: `message`, or `error` (an object with one, or itself), or `errors`."""
    error = body.get("error")
    found = body.get("message")
    if found is None and isinstance(error, dict):
        found = error.get("message")
    return _line(_joined(found)) or _line(_joined(error)) or _line(_joined(body.get("errors"), inner="message"))


def _joined(words: object, inner: str = "", depth: int = MAX_DEPTH) -> object:
    """Return the parts of an array, or of fields with what is wrong with each, in one line; as deep as is of use."""
    if isinstance(words, list):
        return "; ".join(str(part.get(inner, part) if isinstance(part, dict) else part) for part in words)
    if isinstance(words, dict) and inner and depth:
        return "; ".join(f"{name}: {_joined(part, inner, depth - 1)}" for name, part in words.items())
    return words


def code_of(body: Mapping[str, Any]) -> str | None:
    """Return the error code of either envelope, like `OPPORTUNITY_NO_DUPLICATE` (observed)."""
    error = body.get("error")
    return text_of(body.get("code")) or (text_of(error.get("code")) if isinstance(error, dict) else None)


def describe(status: int, headers: Mapping[str, str], body: bytes) -> str:
    """Return what to say of an error without a message of the API's."""
    if is_html(headers, body):
        return f"HTTP {status} with an HTML page"
    if headers.get("content-type", "").lower().startswith("text/plain"):
        return _line(body.decode("utf-8", "replace")) or f"HTTP {status} without a message"
    return f"HTTP {status} without a message"


def is_html(headers: Mapping[str, str], body: bytes) -> bool:
    """Return whether an answer is a page, by what it says of itself or by how it begins."""
    return "html" in headers.get("content-type", "").lower() or body[:256].lstrip().startswith(b"<")


def _line(value: object) -> str | None:
    """Return a non-empty string as one line of printable characters."""
    if not isinstance(value, str) or not value.strip():
        return None
    line = value.strip()
    if not line.isprintable():
        line = "".join(character if character.isprintable() else " " for character in line)
    return line


def cut(line: str) -> str:
    """Return a line at a length that a list can show."""
    return line if len(line) <= MAX_MESSAGE else line[: MAX_MESSAGE - 1] + "…"


def text_of(value: object) -> str | None:
    """Return a non-empty string as one line of printable characters, cut to length."""
    line = _line(value)
    return None if line is None else cut(line)
