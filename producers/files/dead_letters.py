"""Dead letters as rows of a file: the fields of the body, options under `_options`, the rest under `_letter`.

A spreadsheet runs a cell that begins with =, +, -, @, a tab or a carriage return as a formula, and bodies contain text
of strangers. So only numbers may begin like that; other text is written as JSON.
"""

import csv
import json
from collections.abc import Mapping
from datetime import UTC, datetime
from io import StringIO
from typing import Annotated, Any, BinaryIO, Literal

from pydantic import BaseModel, ConfigDict, Field, field_validator

from lanes.queue.dead_letter import DeadLetter
from lanes.queue.job import Attempt, Job, Reason
from lanes.versions import DEFAULT_VERSION, ApiVersion
from producers.errors import InvalidJobError
from producers.files.file_row import FileRow, Format
from producers.files.mapping import OPTION_COLUMNS, FieldMapping
from producers.model import UpsertOpportunity, check, shorten
from producers.model_versions import names_of
from producers.new_job import OPTIONS_FIELD, make_new_job
from producers.receipt import FieldError

DEAD_LETTER_FIELD = "_letter"
OPTIONS = ("service", "priority", "event_time")
TEXT_FIELDS = ("id", "reason", "accepted_at", "ended_at", "api_version", "ends")
JSON_FIELDS = ("attempts", "original", "body")
_TAG_COLUMNS = [f"{DEAD_LETTER_FIELD}.{name}" for name in (*TEXT_FIELDS, *JSON_FIELDS)]
DEAD_LETTER_COLUMNS = FieldMapping(
    known={**names_of(ApiVersion), **OPTION_COLUMNS, **{name: name for name in _TAG_COLUMNS}},
    required=_TAG_COLUMNS[:1],
    hint="only files of lanes dead export are imported; for other rows use lanes enqueue",
)
FORMULA_STARTS = ("=", "+", "-", "@", "\t", "\r")

Time = Annotated[float, Field(ge=0, le=9e9, allow_inf_nan=False)]  # exact in microseconds


class AttemptFields(BaseModel):
    """One attempt. Unknown fields are kept."""

    model_config = ConfigDict(extra="allow", hide_input_in_errors=True)

    number: Annotated[int, Field(ge=1, le=10**9)]
    outcome: Annotated[str, Field(pattern=r"^[a-z_]{1,32}$")]
    started_at: Time
    ended_at: Time
    status: int | None = None
    seconds: Time | None = None

    def as_attempt(self) -> Attempt:
        """Return it as an `Attempt`."""
        own = {"number", "outcome", "started_at", "ended_at"}
        detail = self.model_dump(exclude_unset=True, exclude=own)
        return Attempt(self.number, self.outcome, self.started_at, self.ended_at, detail)


class DeadLetterFields(BaseModel):
    """The fields under `_letter`. Times in seconds since the epoch."""

    model_config = ConfigDict(extra="forbid", hide_input_in_errors=True)

    id: Annotated[str, Field(pattern=r"^[!-~]{1,255}$")]
    reason: Literal[Reason.REFUSED, Reason.EXHAUSTED, Reason.UNCONFIRMED, Reason.UNAUTHORIZED, Reason.EXPIRED]
    accepted_at: Time
    ended_at: Time
    attempts: list[AttemptFields] = []
    api_version: ApiVersion = DEFAULT_VERSION
    ends: Annotated[int, Field(ge=0, le=10**9)] = 0
    original: dict[str, Any] | None = None
    body: dict[str, Any] | None = None

    @field_validator(*JSON_FIELDS, mode="before")
    @classmethod
    def _read_json(cls, value: object) -> object:
        """Decode the text of a CSV cell."""
        if not isinstance(value, str):
            return value
        try:
            return json.loads(value)
        except (ValueError, RecursionError):
            raise ValueError("must be JSON") from None


def dead_letter_row(job: Job) -> dict[str, Any]:
    """Return a dead letter as a row of JSON Lines."""
    event_time = None if job.event_time is None else datetime.fromtimestamp(job.event_time, UTC).isoformat()
    options = {"service": job.service, "priority": job.priority or None, "event_time": event_time}
    options = {name: value for name, value in options.items() if value is not None}
    letter = {name: getattr(job, name) for name in ("id", "reason", "accepted_at", "ended_at")}
    letter["attempts"] = [attempt.as_json() for attempt in job.attempts]
    if job.version != DEFAULT_VERSION:
        letter["api_version"] = job.version
    if job.ends:
        letter["ends"] = job.ends
    if job.original is not None:
        letter["original"] = job.original
    return {**(job.body or {}), **({OPTIONS_FIELD: options} if options else {}), DEAD_LETTER_FIELD: letter}


def read_dead_letter(row: FileRow) -> DeadLetter:
    """Return the dead letter of a row.

    Raises:
        InvalidJobError: with every problem of the row.
    """
    if row.field_errors or not isinstance(row.value, Mapping):
        problem = FieldError("", shorten(row.value), "must be an object of named fields")
        raise InvalidJobError(row.field_errors or [problem])
    body = dict(row.value)
    tag = body.pop(DEAD_LETTER_FIELD, {})
    cells = {name: body.pop(name) for name in list(body) if name.startswith(f"{DEAD_LETTER_FIELD}.")}
    if cells:
        tag = {name.removeprefix(f"{DEAD_LETTER_FIELD}."): value for name, value in cells.items()}
        tag["id"] = _read_id(tag.get("id"))
    if not tag:
        problem = FieldError(DEAD_LETTER_FIELD, "", "is required; for other rows use lanes enqueue")
        raise InvalidJobError([problem])
    found = check(DeadLetterFields, tag, DEAD_LETTER_FIELD)
    if found.body is not None:
        body = {**({OPTIONS_FIELD: body[OPTIONS_FIELD]} if OPTIONS_FIELD in body else {}), **found.body}
    return DeadLetter(
        new_job=make_new_job(body, version_of=lambda _: found.api_version, job_id=found.id),
        reason=Reason(found.reason),
        accepted_at=found.accepted_at,
        ended_at=found.ended_at,
        attempts=tuple(each.as_attempt() for each in found.attempts),
        original=None if found.original is None else _compact(found.original).encode(),
        ends=found.ends,
    )


class DeadLetterWriter:
    """Writes dead letters to a file as JSON Lines or CSV; `read_dead_letter` reads them back without a loss."""

    def __init__(self, out: BinaryIO, form: Format, *, header: bool = True) -> None:
        self._out = out
        self._form = form
        self._header = header and form == "csv"
        self._fields = [field.alias or name for name, field in UpsertOpportunity.model_fields.items()]

    def write(self, job: Job) -> None:
        """Write a dead letter."""
        row = dead_letter_row(job)
        if self._form == "jsonl":
            self._out.write(json.dumps(row, ensure_ascii=False).encode("utf-8", "backslashreplace") + b"\n")
            return
        options = [f"{OPTIONS_FIELD}.{name}" for name in OPTIONS]
        if self._header:
            self._out.write(_csv_line([*self._fields, *options, *_TAG_COLUMNS]))
            self._header = False
        self._out.write(_csv_line(self._csv_fields(row)))

    def _csv_fields(self, row: Mapping[str, Any]) -> list[str]:
        """Return the cells. A body that does not survive as cells goes into one cell as JSON."""
        letter, options = row[DEAD_LETTER_FIELD], row.get(OPTIONS_FIELD, {})
        body = {name: value for name, value in row.items() if name not in (DEAD_LETTER_FIELD, OPTIONS_FIELD)}
        if not all(_is_plain(value) for value in options.values()):
            body, options = {**body, OPTIONS_FIELD: options}, {}
        plain = all(name in self._fields and _is_plain(value) for name, value in body.items())
        shown = body if plain else {}
        letter = {**letter, "id": _id_field(letter["id"])}
        return [
            *(_csv_field(shown.get(name)) for name in self._fields),
            *(_csv_field(options.get(name)) for name in OPTIONS),
            *(_csv_field(letter.get(name)) for name in TEXT_FIELDS),
            _compact(letter["attempts"]),
            _compact(letter["original"]) if "original" in letter else "",
            "" if plain else _compact(body),
        ]


def _is_plain(value: object) -> bool:
    if isinstance(value, str):
        return bool(value) and value.isprintable() and not value.startswith(FORMULA_STARTS)
    return isinstance(value, (int, float)) and not isinstance(value, bool)


def _id_field(job_id: str) -> str:
    """Return an id, in quotes if it would be a formula or begins with a quote."""
    return json.dumps(job_id) if job_id.startswith((*FORMULA_STARTS, '"')) else job_id


def _read_id(cell: object) -> object:
    if not isinstance(cell, str) or not cell.startswith('"'):
        return cell
    try:
        return json.loads(cell)
    except ValueError:
        return cell


def _csv_field(value: object) -> str:
    if value is None:
        return ""
    return value if isinstance(value, str) else json.dumps(value)


def _compact(value: object) -> str:
    return json.dumps(value, separators=(",", ":"))


def _csv_line(cells: list[str]) -> bytes:
    line = StringIO()
    csv.writer(line, lineterminator="\n").writerow(cells)
    return line.getvalue().encode("utf-8", "backslashreplace")
