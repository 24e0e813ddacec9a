"""The last processors of every log line: they hide secrets, and keep foreign text in one line. Pure."""

import re
from collections.abc import Iterable, MutableMapping
from typing import Any
from urllib.parse import unquote, urlsplit

from pydantic import SecretStr

from lanes.printable import printable
from lanes.settings import RedisSettings

HIDDEN = "[secret]"
MAX_CHARACTERS = 2_000
MAX_TRACE_CHARACTERS = 20_000
MIN_SECRET_CHARACTERS = 6  # shorter ones occur in harmless words

_FIELDS = "access_token|refresh_token|client_secret|password|authorization"
# What tokens look like.
_SHAPES = (
    (re.compile(r"(?i)\b(bearer|basic)\s+[\w.~+/=-]{6,}"), rf"\1 {HIDDEN}"),
    (re.compile(r"\beyJ[\w-]{8,}\.[\w-]{8,}(\.[\w-]*)?"), HIDDEN),
    (re.compile(r"\bpit-[\w-]{6,}"), HIDDEN),
    (re.compile(r"(://[^/\s:@]*):[^/\s@]+@"), rf"\1:{HIDDEN}@"),
    (re.compile(rf"(?i)\b({_FIELDS})([\"']?\s*[=:]\s*[\"']?)(?!\[secret\])[^\s\"',&;}}]{{4,}}"), rf"\1\2{HIDDEN}"),
)
# A line without any of these has none of the shapes. This test takes a tenth of the time.
_HINTS = ("bearer", "basic", "eyj", "pit-", "://", "token", "secret", "password", "authorization")
_NAMES = {*_FIELDS.split("|"), "secret_key", "api_token"}

Event = MutableMapping[str, Any]


def secrets_of(settings: RedisSettings) -> tuple[str, ...]:
    """Return every secret of the settings, with the password of Redis, the longest first."""
    found = {unquote(urlsplit(settings.redis_url).password or "")}
    for name in type(settings).model_fields:
        value = getattr(settings, name)
        if isinstance(value, SecretStr):
            found |= {value.get_secret_value(), *value.get_secret_value().split(",")}
    return tuple(sorted((one for one in found if len(one) >= MIN_SECRET_CHARACTERS), key=len, reverse=True))


class RedactSecrets:
    """A processor that hides known secrets, and everything that looks like one."""

    def __init__(self, secrets: Iterable[str] = ()) -> None:
        self._secrets = tuple(secrets)
        known = "|".join(re.escape(secret) for secret in self._secrets)
        self._known = re.compile(known) if known else None

    def __call__(self, _logger: Any, _method: str, event: Event) -> Event:
        """Change the event in place."""
        if self._has_no_secret(event):
            return event
        for name, value in event.items():
            event[name] = HIDDEN if value and name in _NAMES else self._in(value)
        return event

    def _has_no_secret(self, event: Event) -> bool:
        texts = []
        for value in event.values():
            if type(value) is str:
                texts.append(value)
            elif value is not None and type(value) is not int:
                return False
        text = "\0".join(texts)
        if any(secret in text for secret in self._secrets) or not _NAMES.isdisjoint(event):
            return False
        text = text.lower()
        return not any(hint in text for hint in _HINTS)

    def _in(self, value: Any) -> Any:
        if value is None or isinstance(value, bool | int | float):
            return value
        if isinstance(value, str):
            return self.text(value)
        if isinstance(value, dict):
            return {self._in(name): HIDDEN if one and name in _NAMES else self._in(one) for name, one in value.items()}
        if isinstance(value, list | tuple):
            return [self._in(one) for one in value]
        return self.text(str(value))

    def text(self, text: str) -> str:
        """Return a text without secrets."""
        if self._known is not None:
            text = self._known.sub(HIDDEN, text)
        for shape, instead in _SHAPES:
            text = shape.sub(instead, text)
        return text


def sanitize_event(_logger: Any, _method: str, event: Event) -> Event:
    """A processor that escapes control characters and cuts long texts. A trace keeps its lines, indented."""
    for name, value in event.items():
        if isinstance(value, str) and name != "exception":
            event[name] = one_line(value)
    trace = event.get("exception")
    if isinstance(trace, str):
        lines = trace[-MAX_TRACE_CHARACTERS:].splitlines()
        event["exception"] = "\n".join("    " + one_line(line) for line in lines)
    return event


def one_line(text: str) -> str:
    """Return a text with unprintable characters escaped, and cut at MAX_CHARACTERS."""
    return printable(text if len(text) <= MAX_CHARACTERS else text[:MAX_CHARACTERS] + "...")
