"""Dead letters by the thousand, and what is asked of them."""

import json
import time
from collections.abc import Sequence
from typing import Any

from lanes import letters
from lanes.job import Attempt, Order, Reason, Released
from lanes.letter import Letter
from lanes.store import LaneStore
from lanes.transitions import Limits, Report, Seat

BATCH = 5000
SEAT = Seat("test", lease=60, retention=3600, limits=Limits(burst=100_000, window=10, daily=1_000_000))
# What they die of, in turn.
CAUSES: tuple[tuple[Reason, int | None, str | None, str], ...] = (
    (Reason.REFUSED, 422, "OPPORTUNITY_BAD_PIPELINE", "The pipeline id is invalid."),
    (Reason.EXHAUSTED, 503, None, "HTTP 503 with an HTML page"),
    (Reason.REFUSED, 400, None, "No contact c{number:015d} in this location"),
    (Reason.EXPIRED, None, None, ""),
)


def letter(number: int, died_at: float | None = None, **fields: object) -> Letter:
    """Return a letter; it died so many seconds ago as its number is."""
    reason, status, code, message = CAUSES[number % len(CAUSES)]
    at = time.time() - number - 1 if died_at is None else died_at
    detail: dict[str, Any] = {"message": message.format(number=number), "trace_id": f"trace-{number}", "seconds": 0.25}
    detail |= {name: value for name, value in (("status", status), ("code", code)) if value is not None}
    location = f"loc{number % 3}"
    body = {"pipelineId": "pipe", "locationId": location, "contactId": f"contact{number}", **fields}
    order = Order(
        f"job{number:06d}",
        location,
        f"pipe/contact{number}",
        json.dumps(body, separators=(",", ":")).encode(),
        service="shop" if number % 2 else "crm",
    )
    attempts = (Attempt(1, reason.value, at - 1, at - 0.75, detail),) if message else ()
    return Letter(order, reason, at - 60, at, attempts)


def seed(store: LaneStore, numbers: Sequence[int]) -> list[str]:
    """Put these letters there; return their ids."""
    for start in range(0, len(numbers), BATCH):
        letters.restore(store, [letter(number) for number in numbers[start : start + BATCH]])
    return [f"job{number:06d}" for number in numbers]


def overtake(store: LaneStore, number: int) -> str:
    """Deliver a newer job of the record of a letter; return its id. Nothing else may wait."""
    old = letter(number).order
    newer = Order(f"newer{number:06d}", old.location_id, old.record, old.body)
    store.enqueue(newer, 60)
    released = store.release(SEAT).next
    assert isinstance(released, Released)
    assert released.id == newer.id
    store.deliver(Report(newer.id, released.attempt, "{}", SEAT.limits), retention=3600)
    return newer.id


def die_again(store: LaneStore, job_id: str) -> None:
    """Replay a letter, and let it die again. Nothing else may wait."""
    assert store.replay(job_id) == "replayed"
    released = store.release(SEAT).next
    assert isinstance(released, Released)
    detail = '{"status": 500, "message": "again"}'
    assert store.bury(Report(job_id, released.attempt, detail, SEAT.limits), reason="refused").code == "buried"
