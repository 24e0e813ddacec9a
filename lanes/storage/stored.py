"""Reads stored values, and converts values for JSON."""

from collections.abc import Mapping, Sequence
from dataclasses import fields
from typing import Any

MICROSECONDS = 1_000_000


class StoredHash:
    """The fields of a hash, with types; None if missing."""

    def __init__(self, stored: Mapping[bytes, bytes] | Sequence[bytes]) -> None:
        pairs = stored if isinstance(stored, Mapping) else dict(zip(stored[::2], stored[1::2], strict=True))
        self._values: Mapping[bytes, bytes] = pairs

    def __contains__(self, name: str) -> bool:
        return name.encode() in self._values

    def text(self, name: str) -> str | None:
        """Return a text."""
        value = self._values.get(name.encode())
        return None if value is None else value.decode()

    def number(self, name: str) -> int | None:
        """Return a whole number."""
        value = self._values.get(name.encode())
        return None if value is None else int(value)

    def time(self, name: str) -> float | None:
        """Return a time or duration in seconds; Redis has microseconds."""
        value = self._values.get(name.encode())
        return None if value is None else float(value) / MICROSECONDS

    def count(self, name: str) -> int:
        """Return a whole number, 0 if missing."""
        return self.number(name) or 0


def as_plain(thing: Any, *without: str) -> dict[str, Any]:
    """Return the fields of a dataclass as plain values."""
    return {each.name: getattr(thing, each.name) for each in fields(thing) if each.name not in without}


class JsonMixin:
    """Adds `as_json` with all fields to a dataclass."""

    __slots__ = ()

    def as_json(self) -> dict[str, Any]:
        """Return it as plain values."""
        return as_plain(self)
