"""Release and deliver, again and again, with no HTTP in between: what the lanes' store itself takes."""

import json
import time

from benchmarks.figures import BenchmarkError
from lanes.results import Released
from lanes.store import LaneStore
from lanes.transitions import Limits, Report, Seat, Told

PLENTY = 1_000_000_000
LIMITS = Limits(burst=PLENTY, window=10, daily=PLENTY)
RETENTION_SECONDS = 86_400
SEAT = Seat("benchmark#1", lease=45, retention=RETENTION_SECONDS, limits=LIMITS)
# What every answer tells, as the instant server has it.
TOLD = Told(burst=1_000_000, left=999_999, window=10, daily=PLENTY, day_left=PLENTY - 1, day_resets_in=86_000)
# What a worker notes of a delivered attempt.
DETAIL = json.dumps(
    {
        "status": 201,
        "trace_id": "0c52e980-41f6-4be7-8c4c-1b2c1a2f9a3f",
        "opportunity_id": "yWQobCRIhRguQtD2llvk",
        "new": True,
        "seconds": 0.2,
        "worker": "celery@machine",
    },
    separators=(",", ":"),
)


def deliver_jobs(store: LaneStore, count: int) -> float:
    """Deliver so many jobs, each reported by the call that releases the next; return the seconds.

    Raises:
        BenchmarkError: fewer were due, or an attempt was not taken as delivered.
    """
    started = time.perf_counter()
    job = store.release(SEAT).next
    for number in range(1, count + 1):
        if not isinstance(job, Released):
            message = f"only {number - 1} of {count} jobs were released"
            raise BenchmarkError(message)
        take = SEAT if number < count else None
        report = Report(job.id, job.attempt, DETAIL, LIMITS, TOLD)
        result = store.deliver(report, retention=RETENTION_SECONDS, take=take)
        if result.code != "delivered":
            message = f"a delivery was answered with {result.code}"
            raise BenchmarkError(message)
        job = result.next
    return time.perf_counter() - started
