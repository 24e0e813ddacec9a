"""How the columns of a file become fields: names, defaults and the way of writing numbers."""

from collections.abc import Collection, Iterator, Mapping
from dataclasses import dataclass, field
from typing import Any

from producers.files.cells import NUMBERS, NumberStyle, number_cell, parse_field
from producers.files.highlevel_export import looks_like_export
from producers.files.json_rows import repeated
from producers.model import EnqueueOptions, close_name, shorten, suggest
from producers.model_versions import versions_with
from producers.new_job import OPTIONS_FIELD
from producers.receipt import FieldError

MAX_UNKNOWN = 5  # columns that an error lists
MAX_COMPARED = 64  # columns that are compared with the names of fields
OPTION_COLUMNS = {name: name for name in (f"{OPTIONS_FIELD}.{option}" for option in EnqueueOptions.model_fields)}
_PRESET_HINT = "is HighLevel's export: add --preset highlevel-export --location ID"
_OPTIONS_HINT = "rename a column with --map 'Column=field', or ignore the others with --ignore-other-columns"


@dataclass(frozen=True, slots=True)
class FieldMapping:
    """How the columns of a file become fields.

    Args:
        known: the names that a column may have, each with its field; empty for any.
        required: the fields that must have a column.
        columns: the field of each column with a name of its own.
        must_exist: those of `columns` that the file must have.
        ignore_others: ignore all other columns, instead of refusing the file.
        numbers: how numbers are written; by default as in JSON.
        defaults: fields for rows that do not have them; for JSON rows, too.
        lower_case: the values of a field that a cell may have in upper case.
        hint: what to do if the header is wrong.
        for_enqueue: whether errors name options of `lanes enqueue`.
    """

    known: Mapping[str, str] = field(default_factory=dict)
    required: Collection[str] = ()
    columns: Mapping[str, str] = field(default_factory=dict)
    must_exist: Collection[str] = ()
    ignore_others: bool = False
    numbers: NumberStyle | None = None
    defaults: Mapping[str, Any] = field(default_factory=dict)
    lower_case: Mapping[str, Collection[str]] = field(default_factory=dict)
    hint: str = ""
    for_enqueue: bool = False

    def fields_of(self, header: list[str]) -> list[str | None]:
        """Return the field of each column, None for a column that is ignored or has no name."""
        return [self._field_of(column) for column in header]

    def _field_of(self, column: str) -> str | None:
        name = self.columns.get(column, column)
        return self.known.get(name, name) if name and (self.knows(name) or not self.ignore_others) else None

    def knows(self, name: str) -> bool:
        """Return whether a column may be this field."""
        return not self.known or name in self.known

    def count_known(self, header: list[str]) -> int:
        """Return how many columns are known."""
        return sum(column in self.known or column in self.columns for column in header)

    def check(self, header: list[str]) -> list[FieldError]:
        """Return every problem of a header."""
        if self.for_enqueue and not self.columns and looks_like_export(header):
            return [FieldError("", "", _PRESET_HINT)]
        fields = [name for name in self.fields_of(header) if name is not None]
        unknown = [column for column in header if (name := self._field_of(column)) and not self.knows(name)]
        alike = any(close_name(column, self.known) for column in unknown[:MAX_COMPARED])
        if not alike and not any(map(self.knows, fields)):
            problem = f"the header must name fields, such as {self._examples()}"
            return [FieldError("", shorten(",".join(header)), problem), *self._hints()]
        problems = [*_doubled(header, self.fields_of(header)), *self._missing(header, fields), *self._unknown(unknown)]
        return [*problems, *self._hints()] if problems else []

    def _examples(self) -> str:
        return ", ".join(self.required or list(self.known)[:3])

    def _missing(self, header: list[str], fields: list[str]) -> Iterator[FieldError]:
        for column in self.must_exist:
            if column not in header:
                problem = f"no such column; {suggest(column, [name for name in header if name])}"
                yield FieldError(f"--map {_shown(column)}", "", problem)
        for name in self.required:
            if name not in fields and name not in self.defaults:
                yield FieldError(name, "", "is required, and no column has it")

    def _unknown(self, columns: list[str]) -> Iterator[FieldError]:
        unlike = []
        for column in columns[:MAX_COMPARED]:
            if versions := [str(version) for version in versions_with(column)]:
                hint = f"{' and '.join(versions)} has it: see LANES_API_VERSION"
                yield FieldError(_shown(column), "", f"no such field; {hint}")
            elif close := close_name(column, self.known):
                yield FieldError(_shown(column), "", f"no such field; did you mean {close}?")
            else:
                unlike.append(_shown(column))
        if unlike:
            fields = dict.fromkeys(name for name in self.known.values() if not name.startswith("_"))
            more = [f"{len(unlike) - MAX_UNKNOWN} more"] if len(unlike) > MAX_UNKNOWN else []
            names = ", ".join([*unlike[:MAX_UNKNOWN], *more])
            yield FieldError(names, "", f"no such field; known: {', '.join(fields)}")

    def _hints(self) -> Iterator[FieldError]:
        if hint := _OPTIONS_HINT if self.for_enqueue else self.hint:
            yield FieldError("", "", hint)

    def value_of(self, name: str, cell: str) -> object:
        """Return the value of a cell."""
        if name in NUMBERS and (self.for_enqueue or self.numbers):
            return number_cell(cell, self.numbers)
        if cell.strip().lower() in self.lower_case.get(name, ()):
            return cell.strip().lower()
        return parse_field(name, cell)

    def complete(self, row: Mapping[str, Any]) -> dict[str, Any]:
        """Return a row with the defaults of the fields that it does not have, or that are null."""
        unset = {name for name, value in row.items() if value is None and self.known.get(name, name) in self.defaults}
        given = {name: value for name, value in row.items() if name not in unset}
        fields = {self.known.get(name, name) for name in given}
        return {**given, **{name: value for name, value in self.defaults.items() if name not in fields}}


def _doubled(header: list[str], fields: list[str | None]) -> Iterator[FieldError]:
    for name in repeated([each for each in fields if each is not None]):
        columns = [column for column, each in zip(header, fields, strict=True) if each == name]
        if len(set(columns)) == 1:
            yield FieldError(_shown(name), "", "must be in the header only once")
        else:
            yield FieldError(_shown(name), "", f"must have one column, not {' and '.join(map(shorten, columns[:2]))}")


def _shown(name: str) -> str:
    return shorten(name)[1:-1]
