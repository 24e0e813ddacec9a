"""Release and report, again and again, with no HTTP in between: what the lanes' store itself takes."""

import json
import time
from collections.abc import Callable

from benchmarks.figures import BenchmarkError
from lanes.queue.results import Released, Result
from lanes.queue.store import LaneStore
from lanes.queue.transitions import AttemptReport, Consumer, DefaultLimits, RateLimitInfo

PLENTY = 1_000_000_000
LIMITS = DefaultLimits(burst=PLENTY, window=10, daily=PLENTY)
RETENTION_SECONDS = 86_400
CONSUMER = Consumer("benchmark#1", lease=45, retention=RETENTION_SECONDS, limits=LIMITS)
# The rate limit headers of the instant server.
RATE_LIMIT_INFO = RateLimitInfo(
    burst=1_000_000, left=999_999, window=10, daily=PLENTY, day_left=PLENTY - 1, day_resets_in=86_000
)
# What a worker notes of an attempt.
DELIVERED = json.dumps(
    {
        "status": 201,
        "trace_id": "0c52e980-41f6-4be7-8c4c-1b2c1a2f9a3f",
        "opportunity_id": "yWQobCRIhRguQtD2llvk",
        "new": True,
        "seconds": 0.2041,
        "worker": "celery@machine",
    },
    separators=(",", ":"),
)
FAILED = json.dumps(
    {
        "status": 503,
        "message": "Service Unavailable",
        "trace_id": "7d1f0c52-1f3e-4d0a-9a55-63a7c8d4e2b1",
        "seconds": 0.1307,
        "worker": "celery@machine",
    },
    separators=(",", ":"),
)


def deliver_jobs(store: LaneStore, count: int) -> float:
    """Deliver so many jobs, each reported by the call that releases the next; return the seconds."""
    return _report_jobs(
        store,
        count,
        "delivered",
        DELIVERED,
        lambda report, release_for: store.deliver(report, retention=RETENTION_SECONDS, release_for=release_for),
    )


def retry_jobs(store: LaneStore, count: int) -> float:
    """Report so many attempts as failed; their jobs are due again at once."""
    return _report_jobs(
        store,
        count,
        "retried",
        FAILED,
        lambda report, release_for: store.retry(report, delay=0, release_for=release_for),
    )


def throttle_jobs(store: LaneStore, count: int) -> float:
    """Report so many attempts as answered with 429; their lanes wait no longer."""
    return _report_jobs(
        store,
        count,
        "throttled",
        FAILED,
        lambda report, release_for: store.throttle(report, wait=0, release_for=release_for),
    )


def _report_jobs(
    store: LaneStore, count: int, code: str, detail: str, outcome: Callable[[AttemptReport, Consumer | None], Result]
) -> float:
    """Report so many attempts.

    Raises:
        BenchmarkError: fewer were due, or a report was answered with another code.
    """
    started = time.perf_counter()
    job = store.release(CONSUMER).next
    for number in range(1, count + 1):
        if not isinstance(job, Released):
            message = f"only {number - 1} of {count} jobs were released"
            raise BenchmarkError(message)
        report = AttemptReport(job.id, job.attempt, detail, LIMITS, RATE_LIMIT_INFO)
        result = outcome(report, CONSUMER if number < count else None)
        if result.code != code:
            message = f"a report was answered with {result.code}, not {code}"
            raise BenchmarkError(message)
        job = result.next
    return time.perf_counter() - started
