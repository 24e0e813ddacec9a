"""Reads our settings in a file `.env`. Skips lines of other programs, and reports lines that resemble a setting."""

import re
from collections.abc import Collection
from dataclasses import dataclass, field
from io import StringIO
from pathlib import Path
from typing import TYPE_CHECKING

from lanes.settings.environment import PREFIX, resembled_name

if TYPE_CHECKING:
    from dotenv.parser import Binding

_NAME = re.compile(rf"{PREFIX}[A-Z0-9_]+")
_LINE_END = re.compile(r"\r\n|[\n\r\v\f\x85\u2028\u2029]")
_QUOTE = re.compile("['\"]")
_UTF_16_MARKS = (b"\xff\xfe", b"\xfe\xff")


@dataclass(slots=True)
class EnvFile:
    """What a file holds: variable -> value, variable -> its line, and a text for each problem."""

    path: Path
    values: dict[str, str] = field(default_factory=dict)
    lines: dict[str, int] = field(default_factory=dict)
    problems: list[str] = field(default_factory=list)

    def place(self, line: int) -> str:
        """Return what begins a message about a line."""
        return f"{self.path}:{line}: "


def read_env_file(path: Path, known: Collection[str]) -> EnvFile:
    """Read the variables that begin with `LANES_`, by the rules of python-dotenv, without interpolation.

    A missing file holds nothing.
    """
    found = EnvFile(path)
    try:
        text = _read(path)
    except (OSError, ValueError) as error:
        reason = error.strerror if isinstance(error, OSError) else error
        found.problems.append(f"{path}: {str(path)!r} cannot be read: {reason}")
        return found
    if not text:
        return found
    from dotenv.parser import parse_stream  # noqa: PLC0415 - most processes have no such file

    for binding in parse_stream(StringIO(text, newline="")):
        _take(found, binding, known)
    return found


def read_text(path: Path) -> str:
    """Return the text of a file, without a byte order mark.

    Raises:
        OSError: it cannot be read.
        ValueError: it is not UTF-8.
    """
    return _decode(path.read_bytes(), "strict")


def _read(path: Path) -> str:
    try:
        # A line of another program need not be UTF-8.
        return _decode(path.read_bytes(), "surrogateescape")
    except FileNotFoundError:
        if path.is_symlink():
            raise
        return ""
    except IsADirectoryError:
        if (path / "pyvenv.cfg").is_file():  # a virtual environment
            return ""
        raise


def _decode(raw: bytes, errors: str) -> str:
    if raw.startswith(_UTF_16_MARKS) or b"\0" in raw:
        message = "it is UTF-16 or no text; save it as UTF-8"
        raise ValueError(message)
    try:
        return raw.decode("utf-8-sig", errors)
    except UnicodeDecodeError:
        message = "it is not UTF-8"
        raise ValueError(message) from None


def _take(found: EnvFile, binding: "Binding", known: Collection[str]) -> None:
    """Take the value of a binding of ours. In another, report each line that resembles a setting."""
    texts = _LINE_END.split(binding.original.string)
    first = next((index for index, text in enumerate(texts) if text.strip()), 0)
    begin = binding.original.line + first
    name, value = binding.key or "", binding.value
    is_ours = _NAME.fullmatch(name) is not None and value is not None and not binding.error
    if is_ours and value is not None:
        if problem := _problem(found, name, value):
            found.problems.append(f"{found.place(begin)}{name}: {problem}")
        else:
            found.values[name] = value
        found.lines.setdefault(name, begin)
        return
    for line, text in enumerate(texts[first:], begin):
        if meant := resembled_name(text, known):
            reason = "is not understood" if line == begin else f"is inside the quotes of line {begin}"
            quotes = ", and close every quote" if _QUOTE.search(binding.original.string) else ""
            found.problems.append(f"{found.place(line)}{reason}; write it as {meant}=value{quotes}")


def _problem(found: EnvFile, name: str, value: str) -> str:
    if name in found.lines:
        return f"is also in line {found.lines[name]}; keep one of the two"
    if _LINE_END.search(value):
        return "must be on one line; close its quotes"
    if any("\udc80" <= letter <= "\udcff" for letter in value):
        return "must be UTF-8"
    return "must be the value itself: ${...} is not replaced here" if "${" in value else ""
