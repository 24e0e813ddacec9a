"""Input and output of commands: examples, argument types, and text that is safe on a terminal."""

import json
import re
from collections.abc import Callable, Iterable
from datetime import datetime
from typing import Any, ClassVar, TypeVar

import click
from pydantic_core import to_json

from lanes.ids import is_id
from lanes.printable import printable, printable_lines
from ops.command.typeable import typeable

F = TypeVar("F", bound=Callable[..., Any])
MAX_SHOWN = 10**9
NO_LANE = "no such lane; mistyped, or idle for more than a day?"


def examples(*lines: str) -> str:
    """Return the examples at the end of a help text."""
    return "\b\nExamples:\n" + "\n".join(f"  {typeable(line)}" for line in lines)


def options(*each: Callable[[F], F]) -> Callable[[F], F]:
    """Return a decorator that adds these options to a command, in this order."""

    def decorate(function: F) -> F:
        for option in reversed(each):
            function = option(function)
        return function

    return decorate


def print_json(value: Any) -> None:
    """Print a value to stdout, in ASCII, on one line."""
    click.echo(as_json(value))


def as_json(value: Any) -> bytes:
    """Return a value as JSON, in ASCII, on one line."""
    try:
        return to_json(value, ensure_ascii=True)  # in a quarter of the time of `json.dumps`
    except ValueError:  # it is nested too deeply, or has bytes that are no UTF-8, see `lanes.storage.stored`
        return json.dumps(value, separators=(",", ":")).encode()


def print_json_array(values: Iterable[Any]) -> None:
    """Print values to stdout as one JSON array, each as soon as it is known, to use little memory."""
    opening = b"["
    for value in values:
        click.echo(opening + as_json(value), nl=False)
        opening = b","
    click.echo("[]" if opening == b"[" else "]")


def say(line: str) -> None:
    """Print a message to stderr; unprintable characters are escaped."""
    click.echo(printable_lines(typeable(line)), err=True)


def pluralize(number: int, noun: str) -> str:
    """Return `1 row`, `2 rows`."""
    return f"{number} {noun}" if number == 1 else f"{number} {noun}s"


class PrintableWord(click.ParamType[str]):
    """Printable text that is not empty. Refuses the remains of a broken copy and paste."""

    name = "text"

    def convert(self, value: Any, param: click.Parameter | None, ctx: click.Context | None) -> str:
        """Return the text."""
        text = str(value)
        if not text.strip() or not text.isprintable():
            self.fail(f"must be printable text (it is {printable(repr(text))})", param, ctx)
        return text


class Duration(click.ParamType[float]):
    """A duration like 30m, 12h or 7d, in seconds."""

    name = "age"
    _SHAPE = re.compile(r"(\d{1,9})([smhdw])")
    _SECONDS: ClassVar = {"s": 1, "m": 60, "h": 3600, "d": 86_400, "w": 604_800}

    def convert(self, value: Any, param: click.Parameter | None, ctx: click.Context | None) -> float:
        """Return the seconds."""
        if isinstance(value, (int, float)):
            return float(value)
        found = self._SHAPE.fullmatch(value)
        if found is None:
            self.fail(
                f"must be a number and s, m, h, d or w, like 30m or 7d (it is {printable(repr(value))})", param, ctx
            )
        return float(found[1]) * self._SECONDS[found[2]]


class LocationId(click.ParamType[str]):
    """The id of a location."""

    name = "location"

    def convert(self, value: Any, param: click.Parameter | None, ctx: click.Context | None) -> str:
        """Return the id."""
        location_id = str(value)
        if not is_id(location_id):
            self.fail(f"must be 1 to 64 letters, digits, - or _ (it is {printable(repr(value))})", param, ctx)
        return location_id


class Moment(click.ParamType[datetime]):
    """A date and time with its zone."""

    name = "time"
    _SHAPE = re.compile(r"\d{4}-\d\d-\d\d[T ]\d\d:\d\d(:\d\d(\.\d+)?)?(Z|[+-]\d\d:?\d\d)")

    def convert(self, value: Any, param: click.Parameter | None, ctx: click.Context | None) -> datetime:
        """Return the time."""
        if isinstance(value, datetime):
            return value
        if not self._SHAPE.fullmatch(value):
            self.fail(
                f"must be a time with a zone, like 2026-05-01T09:00:00Z (it is {printable(repr(value))})", param, ctx
            )
        try:
            return datetime.fromisoformat(value)
        except ValueError as error:
            self.fail(f"{error} (it is {printable(repr(value))})", param, ctx)
