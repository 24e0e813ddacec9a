"""The shift: a slot of the worker that releases and sends due jobs for a few seconds, with one hand or a crew."""

import contextlib
import json
import math
import random
import threading
import time
import uuid
from collections.abc import Callable
from dataclasses import replace
from functools import partial
from typing import Any

import structlog

from lanes.errors import RedisUnavailableError
from lanes.queue.job import Reason
from lanes.queue.results import Idle, Released, Result
from lanes.queue.transitions import AttemptReport, Consumer, RateLimitInfo, RetryPolicy
from worker.delivery.circuit_breaker import api_is_down, breaker_policy, counted_refusal
from worker.delivery.context import WorkerContext
from worker.delivery.flower_events import FLUSH_SECONDS
from worker.delivery.in_doubt import is_final, unconfirmed_if_final
from worker.delivery.sender_pool import InlineSender, SenderPool
from worker.highlevel.outcomes import Answer, Outcome, OutcomeKind, classify
from worker.highlevel.redaction import redact_answer
from worker.tokens.provider import Token

log = structlog.get_logger()

LINGER_SECONDS = 1.0
REPORT_PAUSE_SECONDS = 0.2
REPORT_PAUSE_MAX_SECONDS = 2.0
RETRIED_KINDS = (OutcomeKind.RETRY, OutcomeKind.UNCONFIRMED)
# Outcomes of which the script decides whether the job is a dead letter or goes back.
MAY_REQUEUE = (*RETRIED_KINDS, OutcomeKind.REFUSED, OutcomeKind.UNAUTHORIZED)
# Codes of a report whose job waits again, with no attempt spent, though its request was refused.
REQUEUED_CODES = ("requeued", "braked")


_encode = json.JSONEncoder(separators=(",", ":")).encode
_consumer_names = threading.local()


def consumer_name(hostname: str) -> str:
    """Return the name of this thread's seat: no other thread or process, nor a later one, has the same."""
    name: str | None = getattr(_consumer_names, "name", None)
    if name is None:
        name = _consumer_names.name = f"{hostname}#{uuid.uuid4().hex[:8]}"
    return name


def run_shift(context: WorkerContext) -> None:
    """Work one shift: send jobs until none has been due for a while, the shift is over, or the worker stops."""
    seconds = context.settings.shift_seconds
    if context.sender_pool is None:
        run_sender(context, InlineSender(seconds))
    else:
        context.sender_pool.open(seconds)
        context.sender_pool.submit(partial(run_sender, context, context.sender_pool))
        context.sender_pool.wait_idle()
        context.events.flush(context.hostname)


def run_sender(context: WorkerContext, sender_pool: SenderPool | InlineSender) -> None:
    """Let this thread send."""
    SenderThread(context, sender_pool).work()


class SenderThread:
    """One thread that releases and sends jobs, one after the other. Times in seconds.

    A hand for which nothing is due watches for the next job, unless another of its process does so already. Whoever
    gets a job while nobody watches hires another hand, so that somebody watches or all are at work.
    """

    def __init__(self, context: WorkerContext, sender_pool: SenderPool | InlineSender) -> None:
        self._context = context
        self._sender_pool = sender_pool
        self._limits = context.limits
        self._backoff = context.backoff
        settings = context.settings
        self._retry_policy = RetryPolicy(settings.max_attempts, settings.max_age_seconds)
        self._breaker_policy = breaker_policy(settings)
        self._consumer = Consumer(
            consumer_name(context.hostname), settings.lease_seconds, settings.retention_seconds, self._limits
        )
        self._chance = random.Random()  # noqa: S311 - jitter, not a secret
        self._asked_at = 0.0

    @property
    def _over(self) -> bool:
        return bool(self._context.stop) or time.monotonic() >= self._sender_pool.ends_at

    def work(self) -> None:
        """Send jobs while there are any and the time is not over."""
        context = self._context
        try:
            following = None if self._over else self._release()
            while following is not None:
                if isinstance(following, Released):
                    if not context.poll_lock.locked():
                        self._sender_pool.submit(partial(run_sender, context, self._sender_pool))
                    following = self._send(following)
                    context.events.flush(context.hostname, soon=True)
                else:
                    following = self._wait_for_job(following.seconds)
        except RedisUnavailableError as error:
            context.redis.mark_unavailable(error)
        finally:
            context.events.flush(context.hostname, soon=not self._over)

    def _wait_for_job(self, seconds: float | None) -> Released | Idle | None:
        """Wait until a lane is due, or the bell rings, and release. None when another watches or nothing comes."""
        context = self._context
        if not context.poll_lock.acquire(blocking=False):
            return None
        try:
            now = time.monotonic()
            due_at, leaves_at = now + (math.inf if seconds is None else seconds), now + LINGER_SECONDS
            while True:
                woken = context.wakeup.wait(min(due_at - now, leaves_at - now, FLUSH_SECONDS))
                context.events.flush(context.hostname, soon=True)
                if self._over:
                    if woken:
                        context.wakeup.wake()  # somebody else's
                    return None
                now = time.monotonic()
                if woken or now >= due_at:
                    return self._release()
                if now >= leaves_at:
                    return None
        finally:
            context.poll_lock.release()

    def _current_consumer(self) -> Consumer:
        """Return the seat as it takes a job now: none of a location that this worker cannot serve."""
        unservable = self._context.tokens.unservable.name
        return replace(self._consumer, unservable=unservable) if unservable else self._consumer

    def _release(self) -> Released | Idle | None:
        self._asked_at = time.monotonic()
        return self._context.store.release(self._current_consumer()).next

    def _send(self, job: Released) -> Released | Idle | None:
        """Send one job and report what came of it; return what the same call released."""
        events, hostname = self._context.events, self._context.hostname
        events.started(job, hostname)
        # By then another may have the job: whoever was held up for so long (its machine slept) sends it no more.
        lease_ends_at = self._asked_at + self._context.settings.lease_seconds
        token = self._context.tokens.of(job.location_id)
        started = time.monotonic()
        if not job.body:
            outcome = Outcome(OutcomeKind.REFUSED, message="the stored body is missing")
        elif token.failure_outcome is not None:
            outcome = token.failure_outcome
        elif started >= lease_ends_at:
            outcome = Outcome(OutcomeKind.REQUEUE, message="its lease was over before it could be sent", wait=0)
        else:
            outcome = self._request(job, token, lease_ends_at)
        seconds = time.monotonic() - started
        following = self._report(job, outcome, seconds, token.version)
        if outcome.local:
            return self._pause_sending(outcome)
        if outcome.status is not None:
            self._context.local_failures.record_success()
        return following

    def _pause_sending(self, outcome: Outcome) -> Released | Idle | None:
        """This worker cannot send: leave the jobs to others for a while, then see whether it can again."""
        time.sleep(self._context.local_failures.record(outcome.message or ""))
        return None if self._over else self._release()

    def _request(self, job: Released, token: Token, ends_by: float) -> Outcome:
        """Send the request, and return what its answer comes to."""
        client, repeat = self._context.client, self._context.settings.repeat_unnamed
        before = self._context.sender_state.begin(job)
        if before is not None and is_final(job, before, repeat_unnamed=repeat):
            return before
        answer = client.upsert(job.body, token.secret, job.version, ends_by)
        if isinstance(answer, Answer):
            answer = redact_answer(answer, (token.secret,))
        outcome = self._context.tokens.judge(token, classify(answer, self._limits.window, job.body))
        self._context.sender_state.note(outcome, client)
        return unconfirmed_if_final(job, outcome, repeat_unnamed=repeat)

    def _retry(
        self, job: Released, outcome: Outcome, report: AttemptReport, release_for: Consumer | None
    ) -> Callable[[], Result]:
        """Return the call that reports a failure which may pass, or an answer that confirmed nothing."""
        last = is_final(job, outcome, repeat_unnamed=self._context.settings.repeat_unnamed)
        return partial(
            self._context.store.retry,
            report,
            delay=self._backoff.delay(job.failures + 1, self._chance),
            min_delay=self._backoff.min_delay(outcome.wait),
            outage=self._breaker_policy if api_is_down(outcome) else None,
            retry_policy=replace(self._retry_policy, max_attempts=0) if last else self._retry_policy,
            reason=Reason.UNCONFIRMED if outcome.kind is OutcomeKind.UNCONFIRMED else Reason.EXHAUSTED,
            release_for=release_for,
        )

    def _report(self, job: Released, outcome: Outcome, seconds: float, token_version: int) -> Released | Idle | None:
        """Tell the lanes and Flower what the attempt came to."""
        store, events, hostname = self._context.store, self._context.events, self._context.hostname
        rate_limit_info = None if outcome.status is None else RateLimitInfo(*(outcome.rate_limits or ()))
        report = AttemptReport(job.id, job.attempt, describe(outcome, seconds, hostname), self._limits, rate_limit_info)
        release_for = None if self._over or outcome.local else self._current_consumer()
        call: Callable[[], Result]
        match outcome.kind:
            case OutcomeKind.DELIVERED:
                call = partial(store.deliver, report, retention=self._consumer.retention, release_for=release_for)
                events.succeeded(job, outcome, seconds, hostname, self._merged_jobs(job))
            case OutcomeKind.THROTTLED:
                call = partial(
                    store.throttle, report, wait=outcome.wait or self._limits.window, release_for=release_for
                )
                events.retried(job, outcome, hostname)
            case OutcomeKind.REQUEUE:
                sent = outcome.status is not None
                call = partial(store.requeue, report, wait=outcome.wait or 0, sent=sent, release_for=release_for)
                events.retried(job, outcome, hostname)
            case OutcomeKind.RETRY | OutcomeKind.UNCONFIRMED:
                call = self._retry(job, outcome, report, release_for)
            case OutcomeKind.UNAUTHORIZED:
                why, reason = outcome.message or "unauthorized", Reason.UNAUTHORIZED
                call = partial(
                    store.bury, report, reason=reason, hold=why, token_version=token_version, release_for=release_for
                )
            case _:
                refusal = counted_refusal(outcome, self._context.settings)
                call = partial(
                    store.bury, report, reason=Reason(outcome.kind.value), refusal=refusal, release_for=release_for
                )
        result = self._report_with_retry(job, call)
        if result is None:
            return None
        self._send_end(job, outcome, result.code)
        _log(job, outcome, result.code, seconds)
        return result.next

    def _send_end(self, job: Released, outcome: Outcome, code: str) -> None:
        """Send Flower how an attempt ended of which only the lanes know whether the job goes out again."""
        if outcome.kind not in MAY_REQUEUE:
            return
        events, hostname = self._context.events, self._context.hostname
        if code in REQUEUED_CODES or (outcome.kind in RETRIED_KINDS and code != "buried"):
            events.retried(job, outcome, hostname)
        else:
            events.failed(job, outcome, hostname, self._merged_jobs(job))

    def _merged_jobs(self, job: Released) -> list[str]:
        """Return the ids of those that were merged into a job, for Flower; none while Redis is away."""
        if not job.merged_count:
            return []
        with contextlib.suppress(RedisUnavailableError):
            return self._context.store.merged_job_ids(job.id)
        return []

    def _report_with_retry(self, job: Released, call: Callable[[], Result]) -> Result | None:
        """Report even if Redis is away for a while: what the API took must not be sent again without need.

        Gives up when the lease is long over; then the job is taken back and sent again.
        """
        pause = REPORT_PAUSE_SECONDS
        gives_up_at = time.monotonic() + 2 * self._context.settings.lease_seconds
        while True:
            self._asked_at = time.monotonic()
            try:
                result = call()
            except RedisUnavailableError as error:
                self._context.redis.mark_unavailable(error)
                if time.monotonic() >= gives_up_at:
                    log.exception("report_lost", job=job.id, location=job.location_id, attempt=job.attempt)
                    return None
                time.sleep(pause * self._chance.uniform(0.5, 1.5))  # not all come back at once
                pause = min(2 * pause, REPORT_PAUSE_MAX_SECONDS)
            else:
                self._context.redis.mark_available(self._asked_at)
                return result


def describe(outcome: Outcome, seconds: float, worker: str) -> str:
    """Return the JSON that is kept with an attempt; what is not known is left out."""
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
    quiet = dict.fromkeys((*RETRIED_KINDS, OutcomeKind.REQUEUE), log.info)
    levels = {} if outcome.warning else {OutcomeKind.DELIVERED: log.debug, **quiet}
    level = log.info if code in REQUEUED_CODES else levels.get(outcome.kind, log.warning)
    level(
        f"job_{code}",
        job=job.id,
        location=job.location_id,
        attempt=job.attempt,
        status=outcome.status,
        milliseconds=round(seconds * 1000),
        trace_id=outcome.trace_id,
        **({} if outcome.kind is OutcomeKind.DELIVERED else {"outcome": outcome.kind.value}),
        **({"warning": outcome.warning} if outcome.warning else {}),
    )
