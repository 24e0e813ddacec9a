"""What every log line goes through last: no secret leaves, and nobody else's text breaks a line. Pure."""

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
MIN_SECRET_CHARACTERS = 6  # a shorter one is found in innocent words

# What tokens look like, whoever let one slip into a line.
_SHAPES = (
    (re.compile(r"(?i)\b(bearer|basic)\s+[\w.~+/=-]{6,}"), rf"\1 {HIDDEN}"),
    (re.compile(r"\beyJ[\w-]{8,}\.[\w-]{8,}(\.[\w-]*)?"), HIDDEN),
    (re.compile(r"\bpit-[\w-]{6,}"), HIDDEN),
    (re.compile(r"(://[^/\s:@]*):[^/\s@]+@"), rf"\1:{HIDDEN}@"),
    (
        re.compile(
            r"(?i)\b(access_token|refresh_token|client_secret|password|authorization)"
            r"([\"']?\s*[=:]\s*[\"']?)(?!\[secret\])[^\s\"',&;}]{4,}"
        ),
        rf"\1\2{HIDDEN}",
    ),
)
# In a line without any of these nothing has such a shape; to look for them costs a tenth of the shapes.
_HINTS = ("bearer", "basic", "eyj", "pit-", "://", "token", "secret", "password", "authorization")
_NAMES = frozenset(
    {"access_token", "refresh_token", "client_secret", "password", "authorization", "secret_key", "api_token"}
)

Event = MutableMapping[str, Any]


def secrets_of(settings: RedisSettings) -> tuple[str, ...]:
    """Return every secret that the settings hold, the longest first; the password of Redis is one."""
    found = {unquote(urlsplit(settings.redis_url).password or "")}
    for name in type(settings).model_fields:
        value = getattr(settings, name)
        if isinstance(value, SecretStr):
            found |= {value.get_secret_value(), *value.get_secret_value().split(",")}
    return tuple(sorted((one for one in found if len(one) >= MIN_SECRET_CHARACTERS), key=len, reverse=True))


class RedactSecrets:
    """A processor that hides secrets: those that are known, and whatever looks like one. The last defence."""

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
    """A processor that lets no text end its line, move a cursor or run on; a trace keeps its lines, indented."""
    for name, value in event.items():
        if isinstance(value, str) and name != "exception":
            event[name] = one_line(value)
    trace = event.get("exception")
    if isinstance(trace, str):
        lines = trace[-MAX_TRACE_CHARACTERS:].splitlines()
        event["exception"] = "\n".join("    " + one_line(line) for line in lines)
    return event


def one_line(text: str) -> str:
    """Return a text with every character that does not print written as its escape, and its end cut off if long."""
    return printable(text if len(text) <= MAX_CHARACTERS else text[:MAX_CHARACTERS] + "...")
