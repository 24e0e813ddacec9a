"""Turns stored bytes into values, and values into JSON.

Redis may hold anything under our keys: another program, a person or a bug wrote it. So this reads any bytes. Text that
is no UTF-8 keeps its bytes (`surrogateescape`), so that it still names its key. A value that is not what its field
holds reads as missing, and a `Note` names it.
"""

import json
import math
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import fields
from functools import cache, lru_cache
from operator import attrgetter
from typing import Any

MICROSECONDS = 1_000_000
# Numbers of Lua are exact up to here. As microseconds it is the year 2255.
MAX_NUMBER = 2**53

# Called with a key (without the prefix) and what in it cannot be read.
Note = Callable[[str, str], object]


def ignore(key: str, problem: str) -> None:
    """Drop the note."""
    del key, problem


def text_of(value: bytes) -> str:
    """Return bytes as text that encodes to the same bytes with `surrogateescape`."""
    return value.decode("utf-8", "surrogateescape")


def bytes_of(text: str) -> bytes:
    """Return the bytes of a text of `text_of`. A client of Redis would refuse those that are no UTF-8."""
    return text.encode("utf-8", "surrogateescape")


_field = lru_cache(maxsize=1024)(bytes_of)  # names of fields, encoded once


@lru_cache(maxsize=4096)  # most numbers of a status are small
def number_of(value: bytes) -> int | None:
    """Return a whole number as Redis writes it, without a needless sign or zero; None for anything else.

    A number that Lua cannot hold is None, too.
    """
    try:
        number = int(value)
    except ValueError:
        return None
    return number if abs(number) <= MAX_NUMBER and b"%d" % number == value else None


def json_object_of(value: bytes) -> dict[str, Any] | None:
    """Return a JSON object that can be written as JSON again; None for anything else."""
    try:
        found = json.loads(value, parse_constant=_refuse, parse_float=_finite)
    except (ValueError, RecursionError):
        return None
    return found if isinstance(found, dict) else None


def _refuse(name: str) -> None:
    raise ValueError(name)


def _finite(text: str) -> float:
    number = float(text)
    if not math.isfinite(number):
        raise ValueError(text)
    return number


def pairs_of(reply: Sequence[bytes]) -> dict[bytes, bytes]:
    """Return the fields of a hash in the reply of a script."""
    each = iter(reply)
    return dict(zip(each, each, strict=True))


def names_of(*names: str) -> Mapping[bytes, str]:
    """Return the names of fields as `StoredHash.numbers` takes them."""
    return {bytes_of(name): name for name in names}


class StoredHash:
    """The fields of a hash, with types; None if missing or unreadable. `key` is what a note names."""

    def __init__(self, stored: Mapping[bytes, bytes] | list[bytes], key: str = "", note: Note = ignore) -> None:
        self._values = pairs_of(stored) if isinstance(stored, list) else stored
        self._key, self._note = key, note

    def __contains__(self, name: str) -> bool:
        return _field(name) in self._values

    def __iter__(self) -> Iterator[str]:
        return map(text_of, self._values)

    def text(self, name: str) -> str | None:
        """Return a text."""
        value = self._values.get(_field(name))
        return None if value is None else text_of(value)

    def number(self, name: str) -> int | None:
        """Return a whole number."""
        value = self._values.get(_field(name))
        if value is None:
            return None
        number = number_of(value)
        if number is None:
            self._note_no_number(name)
        return number

    def _note_no_number(self, name: str) -> None:
        self._note(self._key, f"{name} is no number")

    def time(self, name: str) -> float | None:
        """Return a time or duration in seconds; Redis has microseconds."""
        number = self.number(name)
        return None if number is None else number / MICROSECONDS

    def count(self, name: str) -> int:
        """Return a whole number, 0 if missing."""
        return self.number(name) or 0

    def numbers(self, names: Mapping[bytes, str]) -> dict[str, int]:
        """Return those whole numbers that are there. Faster than one by one; `names` is made by `names_of`."""
        found = {}
        for field, value in self._values.items():
            name = names.get(field)
            if name is None:
                continue
            number = number_of(value)
            if number is None:
                self._note_no_number(name)
            else:
                found[name] = number
        return found


def as_plain(thing: Any, *without: str) -> dict[str, Any]:
    """Return the fields of a dataclass as plain values."""
    names, values = _plain_fields(thing.__class__, without)
    return dict(zip(names, values(thing), strict=True))


@cache
def _plain_fields(kind: type, without: tuple[str, ...]) -> tuple[tuple[str, ...], Callable[[Any], tuple[Any, ...]]]:
    """Return the names of fields, at least two, and what reads their values."""
    names = tuple(each.name for each in fields(kind) if each.name not in without)
    return names, attrgetter(*names)


class JsonMixin:
    """Adds `as_json` with all fields to a dataclass."""

    __slots__ = ()

    def as_json(self) -> dict[str, Any]:
        """Return it as plain values."""
        return as_plain(self)
