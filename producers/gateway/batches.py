"""`POST /v1/upserts/batch`: many rows, read while they arrive."""

import io
import json
import logging
from collections.abc import AsyncIterator, Sequence
from dataclasses import dataclass, field
from typing import Any

from fastapi import Request
from starlette.responses import Response

from lanes.errors import LanesError
from producers.async_producer import AsyncOpportunityProducer
from producers.batching import BATCH, InputRow
from producers.errors import DurabilityError, EnqueueInterruptedError, InvalidJobError
from producers.files.json_rows import json_lines
from producers.files.rows import read_rows
from producers.files.text import BOM, UnreadableFileError
from producers.gateway import schemas
from producers.gateway.bodies import JSON, LINES, LineSplitter, media_type, read_body, read_pieces
from producers.gateway.gateway import gateway_of
from producers.gateway.keys import caller_of, check_key, router_of_calls
from producers.gateway.metrics import count_rows
from producers.gateway.problems import (
    BROKEN_DATA,
    INVALID,
    MEDIA,
    TOO_LARGE,
    ProblemError,
    errors_of,
    problem_of,
    quota_exceeded,
)
from producers.gateway.rows import KEY_HEADER, KEY_OPTION, checked
from producers.model import shorten
from producers.new_job import OPTIONS_FIELD
from producers.receipt import EnqueueReport, FieldError, RejectedRow

log = logging.getLogger(__name__)

router = router_of_calls()
MAX_ROWS = 100_000
MAX_ARRAY_BYTES = 1 << 20
BATCH_BYTES = 1 << 20  # of a body: large rows are enqueued a few at a time
MAX_REFUSALS = 1000


@dataclass(slots=True)
class BatchResult:
    """What became of the rows so far. All rows up to number `last_row` are counted."""

    accepted: int = 0
    duplicates: int = 0
    refused: int = 0
    last_row: int = 0
    refusals: list[dict[str, Any]] = field(default_factory=list)

    def add(self, report: EnqueueReport) -> None:
        """Add the report of some rows."""
        self.accepted += report.accepted
        self.duplicates += report.duplicates
        self.refused += len(report.refused)
        self.last_row = max(self.last_row, report.last_row)
        some = report.refused[: MAX_REFUSALS - len(self.refusals)]
        self.refusals += [{"row": each.row, "errors": errors_of(_problems(each))} for each in some]

    def as_json(self) -> dict[str, Any]:
        """Return it as plain values."""
        names = ("accepted", "duplicates", "refused", "last_row", "refusals")
        return {name: getattr(self, name) for name in names}


def _problems(refused: RejectedRow) -> tuple[FieldError, ...]:
    """Return the problems of a row. Those of stored data are for the operator."""
    if refused.broken is None:
        return refused.field_errors
    log.warning("row refused: %s", refused.broken)
    return (FieldError("", "", BROKEN_DATA),)


@router.post("/upserts/batch", **schemas.BATCH)
async def enqueue_batch(request: Request) -> Response:
    """Enqueue many upserts. They are enqueued while they arrive: after an error, those before it stay enqueued."""
    _check_for_one_row(request)
    caller, kind = caller_of(request), media_type(request)
    if kind == JSON:
        rows = _array(await read_body(request, MAX_ARRAY_BYTES))
    elif kind in LINES:
        rows = _lines(request)
    else:
        raise ProblemError(MEDIA, f"the body must be {LINES[0]}, a JSON object on each line, or {JSON}, an array")
    result = BatchResult()
    try:
        await _enqueue_all(request, rows, result)
    except ProblemError as problem:
        raise problem.adding(result.as_json()) from problem.__cause__
    except LanesError as error:
        raise problem_of(error).adding(result.as_json()) from error
    except UnreadableFileError as error:
        raise ProblemError(INVALID, str(error), errors=errors_of(error.problems), **result.as_json()) from None
    finally:
        count_rows(caller, result.accepted, result.duplicates, result.refused)
    return Response(json.dumps(result.as_json()), media_type=JSON)


async def _enqueue_all(request: Request, rows: AsyncIterator[list[InputRow]], result: BatchResult) -> None:
    """Enqueue rows while they arrive, as long as the key is valid.

    Raises:
        ProblemError: there are too many, they come too slowly, the key has ended, or a quota is used up.
        LanesError: Redis is away or full, or an array is none.
    """
    caller, gateway = caller_of(request), gateway_of(request.app)
    producer = gateway.producer(caller)
    seen = 0
    async for some in rows:
        seen += len(some)
        if seen > MAX_ROWS:
            raise ProblemError(TOO_LARGE, f"a batch has at most {MAX_ROWS} rows; those up to last_row are enqueued")
        await check_key(request)
        await _enqueue(producer, [checked(row, caller, gateway.settings) for row in some], result)


def _check_for_one_row(request: Request) -> None:
    """Check that the request has nothing that says which job one row is: a repeat of it would make other jobs.

    Raises:
        InvalidJobError: it has.
    """
    named = {KEY_HEADER: request.headers.get(KEY_HEADER), "job_id": request.query_params.get("job_id")}
    message = f"is for one row: give each row its own {OPTIONS_FIELD}.{KEY_OPTION}"
    found = [FieldError(name, shorten(value), message) for name, value in named.items() if value is not None]
    if found:
        raise InvalidJobError(found)


async def _enqueue(producer: AsyncOpportunityProducer, rows: Sequence[InputRow], result: BatchResult) -> None:
    """Enqueue some rows and count them.

    Raises:
        ProblemError: a quota is used up; no later row is enqueued.
        LanesError: Redis is away or full; no later row is enqueued.
    """
    try:
        report = await producer.enqueue_rows(rows)
    except EnqueueInterruptedError as error:
        result.add(error.report)
        raise
    except DurabilityError as error:
        result.add(error.report or EnqueueReport())
        raise
    over = next((each.over_quota for each in report.refused if each.over_quota is not None), None)
    result.add(report)
    if over is not None:
        raise quota_exceeded(over)


async def _array(body: bytes) -> AsyncIterator[list[InputRow]]:
    """Yield the rows of an array, at most a batch at a time. Nothing of an array that is not complete is enqueued."""
    if not body.removeprefix(BOM).lstrip().startswith(b"["):
        raise ProblemError(INVALID, "the body must be an array of rows, or have the content type of lines")
    rows = list(read_rows(io.BytesIO(body), "jsonl"))
    if rows and rows[-1].unreadable:
        raise InvalidJobError(rows[-1].field_errors)
    for start in range(0, len(rows), BATCH):
        yield [*rows[start : start + BATCH]]


async def _lines(request: Request) -> AsyncIterator[list[InputRow]]:
    """Yield the rows of lines as they arrive, at most a batch at a time."""
    splitter = LineSplitter()
    waiting: list[InputRow] = []
    size = 0
    async for piece in read_pieces(request):
        waiting += json_lines(iter(splitter.feed(piece)))
        size += len(piece)
        while len(waiting) >= BATCH or (waiting and size >= BATCH_BYTES):
            yield waiting[:BATCH]
            waiting, size = waiting[BATCH:], 0
    waiting += json_lines(iter(splitter.end()))
    if waiting:
        yield waiting
