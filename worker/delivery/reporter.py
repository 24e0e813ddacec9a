"""Reports the outcome of an attempt: to the lanes, retried until Redis answers, to Flower and to the log."""

import contextlib
import json
import logging
import random
import time
from collections.abc import Callable
from dataclasses import replace
from functools import partial
from typing import Any

import structlog

from lanes.errors import RedisUnavailableError, ScriptError
from lanes.queue.job import Reason
from lanes.queue.results import Idle, Released, Result
from lanes.queue.transitions import AttemptReport, Consumer, RateLimitInfo, RetryPolicy
from lanes.retry_loop import RetryLoop
from worker.delivery.backoff import Backoff
from worker.delivery.circuit_breaker import api_is_down, breaker_policy, counted_refusal
from worker.delivery.context import WorkerContext
from worker.delivery.in_doubt import is_final
from worker.highlevel.outcomes import Outcome, OutcomeKind

log = structlog.get_logger()

PAUSE_SECONDS = 0.2
MAX_PAUSE_SECONDS = 2.0
RETRIED_KINDS = (OutcomeKind.RETRY, OutcomeKind.UNCONFIRMED)
# Outcomes for which the script decides whether the job becomes a dead letter or is queued again.
MAY_REQUEUE = (*RETRIED_KINDS, OutcomeKind.REFUSED, OutcomeKind.UNAUTHORIZED)
# Codes of a report whose job is queued again, with no attempt spent, although its request was refused.
REQUEUED_CODES = ("requeued", "braked")

_encode = json.JSONEncoder(separators=(",", ":")).encode


class Reporter:
    """Reports the attempts of one sender. `asked_at`: start of the last call to Redis (`time.monotonic()`)."""

    def __init__(self, context: WorkerContext) -> None:
        self._context, self._settings = context, context.settings
        self._limits = context.limits
        self._backoff = Backoff(self._settings.backoff_base_seconds, self._settings.backoff_max_seconds)
        self._retry_policy = RetryPolicy(self._settings.max_attempts, self._settings.max_age_seconds)
        self._breaker_policy = breaker_policy(self._settings)
        self._chance = random.Random()  # noqa: S311 - jitter, not a secret
        self.asked_at = 0.0

    def report(
        self, job: Released, outcome: Outcome, seconds: float, token_version: int, release_for: Consumer | None
    ) -> Released | Idle | None:
        """Report an outcome; with `release_for`, return what the same call released, None if the report was lost."""
        store, events = self._context.store, self._context.events
        rate_limit_info = None if outcome.status is None else RateLimitInfo(*(outcome.rate_limits or ()))
        report = AttemptReport(
            job.id, job.attempt, describe(outcome, seconds, self._context.hostname), self._limits, rate_limit_info
        )
        call: Callable[..., Result]
        match outcome.kind:
            case OutcomeKind.DELIVERED:
                call = partial(store.deliver, report, retention=self._settings.retention_seconds)
                events.succeeded(job, outcome, seconds, self._merged_jobs(job))
            case OutcomeKind.THROTTLED:
                call = partial(store.throttle, report, wait=outcome.wait or self._limits.window)
                events.retried(job, outcome)
            case OutcomeKind.REQUEUE:
                call = partial(store.requeue, report, wait=outcome.wait or 0, sent=outcome.status is not None)
                events.retried(job, outcome)
            case OutcomeKind.RETRY | OutcomeKind.UNCONFIRMED:
                call = self._retry(job, outcome, report)
            case OutcomeKind.UNAUTHORIZED:
                why, reason = outcome.message or "unauthorized", Reason.UNAUTHORIZED
                call = partial(store.bury, report, reason=reason, hold=why, token_version=token_version)
            case _:
                refusal = counted_refusal(outcome, self._settings)
                call = partial(store.bury, report, reason=Reason(outcome.kind.value), refusal=refusal)
        result = self._report_with_retry(job, partial(call, release_for=release_for))
        if result is None:
            return None
        self._context.statistics.add(result)
        self._send_end(job, outcome, result.code)
        _log(job, outcome, result.code, seconds)
        return result.next

    def _retry(self, job: Released, outcome: Outcome, report: AttemptReport) -> Callable[..., Result]:
        last = is_final(job, outcome, repeat_unnamed=self._settings.repeat_unnamed)
        return partial(
            self._context.store.retry,
            report,
            delay=self._backoff.delay(job.failures + 1, self._chance),
            min_delay=self._backoff.min_delay(outcome.wait),
            outage=self._breaker_policy if api_is_down(outcome) else None,
            retry_policy=replace(self._retry_policy, max_attempts=0) if last else self._retry_policy,
            reason=Reason.UNCONFIRMED if outcome.kind is OutcomeKind.UNCONFIRMED else Reason.EXHAUSTED,
        )

    def _send_end(self, job: Released, outcome: Outcome, code: str) -> None:
        """Send Flower the end of an attempt, where the script decided whether the job is sent again."""
        if outcome.kind not in MAY_REQUEUE:
            return
        if code in REQUEUED_CODES or (outcome.kind in RETRIED_KINDS and code != "buried"):
            self._context.events.retried(job, outcome)
        else:
            self._context.events.failed(job, outcome, self._merged_jobs(job))

    def _merged_jobs(self, job: Released) -> list[str]:
        """Return the ids of the jobs that were merged into a job, for Flower; none while Redis is unavailable."""
        if not job.merged_count:
            return []
        with contextlib.suppress(RedisUnavailableError):
            return self._context.store.merged_job_ids(job.id)
        return []

    def _report_with_retry(self, job: Released, call: Callable[[], Result]) -> Result | None:
        """Retry a report while Redis is unavailable: an accepted upsert should not be sent again.

        After twice the lease it gives up and returns None. The job is then taken back and sent again. So it is when a
        stored value of the job or its lane cannot be read.
        """
        tries = RetryLoop(PAUSE_SECONDS, MAX_PAUSE_SECONDS, within=2 * self._settings.lease_seconds)
        while True:
            self.asked_at = time.monotonic()
            try:
                result = call()
            except RedisUnavailableError as error:
                self._context.redis.mark_unavailable(error)
                if not tries.sleep():
                    log.exception("report_lost", job=job.id, location=job.location_id, attempt=job.attempt)
                    return None
            except ScriptError as error:
                log.error(  # noqa: TRY400 - the message says it all
                    "report_failed", job=job.id, location=job.location_id, attempt=job.attempt, error=str(error)
                )
                return None
            else:
                self._context.redis.mark_available(self.asked_at)
                return result


def describe(outcome: Outcome, seconds: float, worker: str) -> str:
    """Return the JSON that is stored with an attempt, without unknown values."""
    detail: dict[str, Any] = {
        "status": outcome.status,
        "message": outcome.message,
        "code": outcome.code,
        "trace_id": outcome.trace_id,
        "opportunity_id": outcome.opportunity_id,
        "new": outcome.new,
        "warning": outcome.warning,
        "seconds": round(seconds, 4),
        "worker": worker,
    }
    return _encode({name: value for name, value in detail.items() if value is not None})


def _log(job: Released, outcome: Outcome, code: str, seconds: float) -> None:
    level, event = _level(outcome, code), f"job_{code}"
    if not log.is_enabled_for(level):
        return
    log.log(
        level,
        event,
        job=job.id,
        location=job.location_id,
        attempt=job.attempt,
        status=outcome.status,
        milliseconds=round(seconds * 1000),
        trace_id=outcome.trace_id,
        **({} if outcome.kind is OutcomeKind.DELIVERED else {"outcome": outcome.kind.value}),
        **({"warning": outcome.warning} if outcome.warning else {}),
    )


def _level(outcome: Outcome, code: str) -> int:
    if code in REQUEUED_CODES:
        return logging.INFO
    if outcome.warning:
        return logging.WARNING
    if outcome.kind is OutcomeKind.DELIVERED:
        return logging.DEBUG
    return logging.INFO if outcome.kind in (*RETRIED_KINDS, OutcomeKind.REQUEUE) else logging.WARNING
