"""Bytes taken apart into choices and texts, always in the same way: few other bytes, little else."""

from collections.abc import Sequence
from typing import TypeVar

T = TypeVar("T")

# Stands in texts that pages show. Neither it nor its end may be in HTML as it is.
MARK = "<xss\"'>"
# Values that have been too much for some program before.
NASTY = (
    *("", " ", "0", "-1", "1e999", "NaN", "٣", "²", "9" * 5000, "18446744073709551616-1", "99999999999999999999-0"),
    *("7d", "999999999w", "2026-05-01T07:00:00Z", "0001-01-01T00:00:00+14:00", "9999-12-31T23:59:59-14:00"),
    *(
        "\x1b[31mred",
        "a\nb",
        "\r\nX-Split: 1",
        "\x7f\x9b",
        "\u202etxt",
        "\ud800",
        "\udcff",
        "\0",
        "%00%0d%0aX-Split: 1",
    ),
    *("../..", "//evil.example/", "http://evil.example/", "[::1", "{", "[" * 100_000, '{"a":' * 5000, MARK),
    *("{{ 1 }}", "=cmd()", "-", "--", "--yes", "a=b", "name=\x1b[2J", "merged", "none", "groups", "replay", "purge"),
)


class Pieces:
    """Takes what it needs from the front of the bytes; where they are used up, zeros follow."""

    def __init__(self, data: bytes) -> None:
        self._data = data
        self._at = 0

    def number(self, most: int) -> int:
        """Return a number from 0 to one less than `most`, which is 256 at the most."""
        found = self._data[self._at] if self._at < len(self._data) else 0
        self._at += 1
        return found % most

    def one_of(self, known: Sequence[T]) -> T:
        """Return one of these, which are 256 at the most."""
        return known[self.number(len(known))]

    def some(self) -> bytes:
        """Return up to 40 bytes as they are."""
        return self._take(self.number(41))

    def rest(self) -> bytes:
        """Return all that is left."""
        return self._take(len(self._data))

    def _take(self, length: int) -> bytes:
        found = self._data[self._at : self._at + length]
        self._at += length
        return found
