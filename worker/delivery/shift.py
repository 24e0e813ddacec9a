"""The shift: a slot of the worker that releases and sends due jobs for a few seconds, with one hand or a crew."""

import math
import threading
import time
import uuid
from dataclasses import replace
from functools import partial

from lanes.errors import RedisUnavailableError
from lanes.queue.results import Idle, Released
from lanes.queue.transitions import Consumer
from worker.delivery.context import WorkerContext
from worker.delivery.flower_events import FLUSH_SECONDS
from worker.delivery.in_doubt import is_final, unconfirmed_if_final
from worker.delivery.reporter import Reporter
from worker.delivery.sender_pool import InlineSender, SenderPool
from worker.highlevel.outcomes import Answer, Outcome, OutcomeKind, classify
from worker.highlevel.redaction import redact_answer
from worker.tokens.provider import Token

LINGER_SECONDS = 1.0
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
        context.events.flush()


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
        settings = context.settings
        self._reporter = Reporter(context)
        self._consumer = Consumer(
            consumer_name(context.hostname), settings.lease_seconds, settings.retention_seconds, self._limits
        )
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
                    context.events.flush(soon=True)
                else:
                    following = self._wait_for_job(following.seconds)
        except RedisUnavailableError as error:
            context.redis.mark_unavailable(error)
        finally:
            context.events.flush(soon=not self._over)

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
                context.events.flush(soon=True)
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
        self._context.events.started(job)
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

    def _report(self, job: Released, outcome: Outcome, seconds: float, token_version: int) -> Released | Idle | None:
        """Report what the attempt came to; return what the same call released."""
        release_for = None if self._over or outcome.local else self._current_consumer()
        following = self._reporter.report(job, outcome, seconds, token_version, release_for)
        self._asked_at = self._reporter.asked_at
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
