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
from lanes.job import Reason
from lanes.results import Idle, Released, Result
from lanes.transitions import Patience, Report, Seat, Told
from worker.bench import Bench
from worker.crew import Alone, Crew
from worker.events import FLUSH_SECONDS
from worker.health import api_is_down, counted_refusal, outage_rule
from worker.highlevel.outcomes import Answer, Kind, Outcome, classify
from worker.highlevel.redaction import redact_answer
from worker.in_doubt import decide, is_final
from worker.tokens.tokens import Token

log = structlog.get_logger()

LINGER_SECONDS = 1.0
REPORT_PAUSE_SECONDS = 0.2
REPORT_PAUSE_MOST_SECONDS = 2.0
TRIED_AGAIN = (Kind.RETRY, Kind.UNCONFIRMED)
# Outcomes of which the script decides whether the job is a dead letter or goes back.
MAY_GO_BACK = (*TRIED_AGAIN, Kind.REFUSED, Kind.UNAUTHORIZED)
# Codes of a report whose job waits again, with no attempt spent, though its request was refused.
WENT_BACK = ("deferred", "braked")


_encode = json.JSONEncoder(separators=(",", ":")).encode
_seats = threading.local()


def seat_name(hostname: str) -> str:
    """Return the name of this thread's seat: no other thread or process, nor a later one, has the same."""
    name: str | None = getattr(_seats, "name", None)
    if name is None:
        name = _seats.name = f"{hostname}#{uuid.uuid4().hex[:8]}"
    return name


def work(bench: Bench) -> None:
    """Work one shift: send jobs until none has been due for a while, the shift is over, or the worker stops."""
    seconds = bench.settings.shift_seconds
    if bench.crew is None:
        lend_hand(bench, Alone(seconds))
    else:
        bench.crew.open(seconds)
        bench.crew.hire(partial(lend_hand, bench, bench.crew))
        bench.crew.rest()
        bench.events.flush(bench.hostname)


def lend_hand(bench: Bench, crew: Crew | Alone) -> None:
    """Let this thread send."""
    Hand(bench, crew).work()


class Hand:
    """One thread that releases and sends jobs, one after the other. Times in seconds.

    A hand for which nothing is due watches for the next job, unless another of its process does so already. Whoever
    gets a job while nobody watches hires another hand, so that somebody watches or all are at work.
    """

    def __init__(self, bench: Bench, crew: Crew | Alone) -> None:
        self._bench = bench
        self._crew = crew
        self._limits = bench.limits
        self._backoff = bench.backoff
        settings = bench.settings
        self._patience = Patience(settings.max_attempts, settings.max_age_seconds)
        self._outage = outage_rule(settings)
        self._seat = Seat(seat_name(bench.hostname), settings.lease_seconds, settings.retention_seconds, self._limits)
        self._chance = random.Random()  # noqa: S311 - jitter, not a secret
        self._asked_at = 0.0

    @property
    def _over(self) -> bool:
        return bool(self._bench.stop) or time.monotonic() >= self._crew.ends_at

    def work(self) -> None:
        """Send jobs while there are any and the time is not over."""
        bench = self._bench
        try:
            following = None if self._over else self._release()
            while following is not None:
                if isinstance(following, Released):
                    if not bench.watch.locked():
                        self._crew.hire(partial(lend_hand, bench, self._crew))
                    following = self._send(following)
                    bench.events.flush(bench.hostname, soon=True)
                else:
                    following = self._watch(following.seconds)
        except RedisUnavailableError as error:
            bench.redis.lost(error)
        finally:
            bench.events.flush(bench.hostname, soon=not self._over)

    def _watch(self, seconds: float | None) -> Released | Idle | None:
        """Wait until a lane is due, or the bell rings, and release. None when another watches or nothing comes."""
        bench = self._bench
        if not bench.watch.acquire(blocking=False):
            return None
        try:
            now = time.monotonic()
            due_at, leaves_at = now + (math.inf if seconds is None else seconds), now + LINGER_SECONDS
            while True:
                rung = bench.bell.wait(min(due_at - now, leaves_at - now, FLUSH_SECONDS))
                bench.events.flush(bench.hostname, soon=True)
                if self._over:
                    if rung:
                        bench.bell.ring()  # somebody else's
                    return None
                now = time.monotonic()
                if rung or now >= due_at:
                    return self._release()
                if now >= leaves_at:
                    return None
        finally:
            bench.watch.release()

    def _take(self) -> Seat:
        """Return the seat as it takes a job now: none of a location that this worker cannot serve."""
        unservable = self._bench.tokens.unservable.name
        return replace(self._seat, unservable=unservable) if unservable else self._seat

    def _release(self) -> Released | Idle | None:
        self._asked_at = time.monotonic()
        return self._bench.store.release(self._take()).next

    def _send(self, job: Released) -> Released | Idle | None:
        """Send one job and report what came of it; return what the same call released."""
        events, hostname = self._bench.events, self._bench.hostname
        events.started(job, hostname)
        # By then another may have the job: whoever was held up for so long (its machine slept) sends it no more.
        lease_ends_at = self._asked_at + self._bench.settings.lease_seconds
        token = self._bench.tokens.of(job.location_id)
        started = time.monotonic()
        if not job.body:
            outcome = Outcome(Kind.REFUSED, message="the stored body is missing")
        elif token.instead is not None:
            outcome = token.instead
        elif started >= lease_ends_at:
            outcome = Outcome(Kind.AGAIN, message="its lease was over before it could be sent", wait=0)
        else:
            outcome = self._ask(job, token, lease_ends_at)
        seconds = time.monotonic() - started
        following = self._report(job, outcome, seconds, token.version)
        if outcome.local:
            return self._rest(outcome)
        if outcome.status is not None:
            self._bench.trouble.sent()
        return following

    def _rest(self, outcome: Outcome) -> Released | Idle | None:
        """This worker cannot send: leave the jobs to others for a while, then see whether it can again."""
        time.sleep(self._bench.trouble.met(outcome.message or ""))
        return None if self._over else self._release()

    def _ask(self, job: Released, token: Token, ends_by: float) -> Outcome:
        """Send the request, and return what its answer comes to."""
        client, repeat = self._bench.client, self._bench.settings.repeat_unnamed
        before = self._bench.memory.begin(job)
        if before is not None and is_final(job, before, repeat_unnamed=repeat):
            return before
        answer = client.upsert(job.body, token.secret, job.version, ends_by)
        if isinstance(answer, Answer):
            answer = redact_answer(answer, (token.secret,))
        outcome = self._bench.tokens.after(token, classify(answer, self._limits.window, job.body))
        self._bench.memory.note(outcome, client)
        return decide(job, outcome, repeat_unnamed=repeat)

    def _retry(self, job: Released, outcome: Outcome, report: Report, take: Seat | None) -> Callable[[], Result]:
        """Return the call that reports a failure which may pass, or an answer that confirmed nothing."""
        last = is_final(job, outcome, repeat_unnamed=self._bench.settings.repeat_unnamed)
        return partial(
            self._bench.store.retry,
            report,
            delay=self._backoff.delay(job.failures + 1, self._chance),
            min_delay=self._backoff.min_delay(outcome.wait),
            outage=self._outage if api_is_down(outcome) else None,
            patience=replace(self._patience, max_attempts=0) if last else self._patience,
            reason=Reason.UNCONFIRMED if outcome.kind is Kind.UNCONFIRMED else Reason.EXHAUSTED,
            take=take,
        )

    def _report(self, job: Released, outcome: Outcome, seconds: float, token_version: int) -> Released | Idle | None:
        """Tell the lanes and Flower what the attempt came to."""
        store, events, hostname = self._bench.store, self._bench.events, self._bench.hostname
        told = None if outcome.status is None else Told(*(outcome.rate_limits or ()))
        report = Report(job.id, job.attempt, describe(outcome, seconds, hostname), self._limits, told)
        take = None if self._over or outcome.local else self._take()
        call: Callable[[], Result]
        match outcome.kind:
            case Kind.DELIVERED:
                call = partial(store.deliver, report, retention=self._seat.retention, take=take)
                events.succeeded(job, outcome, seconds, hostname, self._carried(job))
            case Kind.THROTTLED:
                call = partial(store.throttle, report, wait=outcome.wait or self._limits.window, take=take)
                events.retried(job, outcome, hostname)
            case Kind.AGAIN:
                sent = outcome.status is not None
                call = partial(store.defer, report, wait=outcome.wait or 0, sent=sent, take=take)
                events.retried(job, outcome, hostname)
            case Kind.RETRY | Kind.UNCONFIRMED:
                call = self._retry(job, outcome, report, take)
            case Kind.UNAUTHORIZED:
                why, reason = outcome.message or "unauthorized", Reason.UNAUTHORIZED
                call = partial(store.bury, report, reason=reason, hold=why, token_version=token_version, take=take)
            case _:
                refusal = counted_refusal(outcome, self._bench.settings)
                call = partial(store.bury, report, reason=Reason(outcome.kind.value), refusal=refusal, take=take)
        result = self._insist(job, call)
        if result is None:
            return None
        self._send_end(job, outcome, result.code)
        _log(job, outcome, result.code, seconds)
        return result.next

    def _send_end(self, job: Released, outcome: Outcome, code: str) -> None:
        """Send Flower how an attempt ended of which only the lanes know whether the job goes out again."""
        if outcome.kind not in MAY_GO_BACK:
            return
        events, hostname = self._bench.events, self._bench.hostname
        if code in WENT_BACK or (outcome.kind in TRIED_AGAIN and code != "buried"):
            events.retried(job, outcome, hostname)
        else:
            events.failed(job, outcome, hostname, self._carried(job))

    def _carried(self, job: Released) -> list[str]:
        """Return the ids of those that were merged into a job, for Flower; none while Redis is away."""
        if not job.carries:
            return []
        with contextlib.suppress(RedisUnavailableError):
            return self._bench.store.carried_ids(job.id)
        return []

    def _insist(self, job: Released, call: Callable[[], Result]) -> Result | None:
        """Report even if Redis is away for a while: what the API took must not be sent again without need.

        Gives up when the lease is long over; then the job is taken back and sent again.
        """
        pause = REPORT_PAUSE_SECONDS
        gives_up_at = time.monotonic() + 2 * self._bench.settings.lease_seconds
        while True:
            self._asked_at = time.monotonic()
            try:
                result = call()
            except RedisUnavailableError as error:
                self._bench.redis.lost(error)
                if time.monotonic() >= gives_up_at:
                    log.exception("report_lost", job=job.id, location=job.location_id, attempt=job.attempt)
                    return None
                time.sleep(pause * self._chance.uniform(0.5, 1.5))  # not all come back at once
                pause = min(2 * pause, REPORT_PAUSE_MOST_SECONDS)
            else:
                self._bench.redis.found(self._asked_at)
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
    quiet = dict.fromkeys((*TRIED_AGAIN, Kind.AGAIN), log.info)
    levels = {} if outcome.warning else {Kind.DELIVERED: log.debug, **quiet}
    level = log.info if code in WENT_BACK else levels.get(outcome.kind, log.warning)
    level(
        f"job_{code}",
        job=job.id,
        location=job.location_id,
        attempt=job.attempt,
        status=outcome.status,
        milliseconds=round(seconds * 1000),
        trace_id=outcome.trace_id,
        **({} if outcome.kind is Kind.DELIVERED else {"outcome": outcome.kind.value}),
        **({"warning": outcome.warning} if outcome.warning else {}),
    )
