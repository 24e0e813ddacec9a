"""A row of a file."""

from dataclasses import dataclass
from typing import Literal

from producers.batching import InputRow

Format = Literal["jsonl", "csv"]


@dataclass(slots=True)
class FileRow(InputRow):
    """A row of a file, numbered by its first line; in a JSON array by its element.

    A quoted CSV cell may span several lines. `array_line` is the line of an element. With `unreadable`, the error is
    the file's: it is the last row, whatever follows in the file.
    """

    last_line: int = 0
    array_line: int | None = None
    unreadable: bool = False

    @property
    def where(self) -> str:
        """The line for a message, and the element of an array."""
        return str(self.number) if self.array_line is None else f"{self.array_line} (element {self.number})"
