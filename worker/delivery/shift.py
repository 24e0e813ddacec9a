"""The shift: a slot of the worker that releases and sends due jobs for a few seconds, in one thread or many."""

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
    """Return the name of this thread as a consumer. It is unique across threads, processes and time."""
    name: str | None = getattr(_consumer_names, "name", None)
    if name is None:
        name = _consumer_names.name = f"{hostname}#{uuid.uuid4().hex[:8]}"
    return name


def run_shift(context: WorkerContext) -> None:
    """Send jobs until none has been due for a while, the shift is over, or the worker stops."""
    seconds = context.settings.shift_seconds
    if context.sender_pool is None:
        run_sender(context, InlineSender(seconds))
    else:
        context.sender_pool.open(seconds)
        context.sender_pool.submit(partial(run_sender, context, context.sender_pool))
        context.sender_pool.wait_idle()
        context.events.flush()
    context.statistics.write(context.store)


def run_sender(context: WorkerContext, sender_pool: SenderPool | InlineSender) -> None:
    """Send jobs in this thread."""
    SenderThread(context, sender_pool).work()


class SenderThread:
    """Releases and sends jobs in one thread, one after the other. Times in seconds.

    A thread without a due job waits for the next one, if no other thread of the process does. A thread that gets a job
    while none waits starts another thread. So there is a waiting thread unless all are busy. It
    waits as long as others send.
    """

    def __init__(self, context: WorkerContext, sender_pool: SenderPool | InlineSender) -> None:
        self._context = context
        self._sender_pool = sender_pool
        self._limits = context.limits
        self._reporter = Reporter(context)
        self._consumer = Consumer(
            consumer_name(context.hostname),
            context.settings.lease_seconds,
            context.settings.retention_seconds,
            self._limits,
        )
        self._asked_at = 0.0
        self._claimed = False

    @property
    def _over(self) -> bool:
        return bool(self._context.stop) or time.monotonic() >= self._sender_pool.ends_at

    def work(self) -> None:
        """Send jobs until none comes or the time is over."""
        context = self._context
        try:
            following = None if self._over else self._release()
            self._sender_pool.mark_ready()
            while following is not None:
                if isinstance(following, Released):
                    if not context.poll_lock.locked():
                        self._sender_pool.submit(partial(run_sender, context, self._sender_pool))
                    following = self._send(following)
                    context.events.flush(soon=True)
                    context.statistics.write(context.store, soon=True)
                else:
                    self._unclaim()
                    following = self._wait_for_job(following)
        except RedisUnavailableError as error:
            context.redis.mark_unavailable(error)
        finally:
            self._unclaim()
            context.events.flush(soon=not self._over)
            context.statistics.write(context.store, soon=not self._over)

    def _wait_for_job(self, idle: Idle) -> Released | Idle | None:
        """Wait until a lane is due or a wake-up comes, then release. None if another thread waits or nothing comes."""
        context = self._context
        if not context.poll_lock.acquire(blocking=False):
            return None
        context.gauges.set(waiting=1)
        try:
            if idle.reserved:  # a wake-up may be for the lanes that are due, so it is left to other threads
                time.sleep(idle.seconds or 0)
                context.events.flush(soon=True)
                return None if self._over else self._release()
            now = time.monotonic()
            due_at, leaves_at = now + (math.inf if idle.seconds is None else idle.seconds), now + LINGER_SECONDS
            while True:
                woken = context.wakeup.wait(min(due_at - now, FLUSH_SECONDS))
                if self._over:
                    if woken:
                        context.wakeup.wake()  # pass it on to another thread
                    return None
                now = time.monotonic()
                if woken or now >= due_at:
                    following = self._release()
                    if woken and isinstance(following, Idle) and following.reserved:
                        context.wakeup.wake()
                    return following
                context.events.flush(soon=True)  # never before a job that is due: it may wait for the broker
                if now >= leaves_at and context.gauges.get("busy") <= 1:
                    return None
        finally:
            context.gauges.set(waiting=0)
            context.poll_lock.release()

    def _current_consumer(self) -> Consumer:
        """Return the consumer for the next release: what this worker cannot serve, and whether it is reserved."""
        unservable = self._context.tokens.unservable.name
        self._claimed = self._claimed or self._sender_pool.claim()
        if self._claimed and not unservable:
            return self._consumer
        return replace(self._consumer, unservable=unservable, reserved=not self._claimed)

    def _unclaim(self) -> None:
        if self._claimed:
            self._claimed = False
            self._sender_pool.unclaim()

    def _release(self) -> Released | Idle | None:
        self._asked_at = time.monotonic()
        return self._context.store.release(self._current_consumer()).next

    def _send(self, job: Released) -> Released | Idle | None:
        """Send one job and report its outcome; return what the same call released."""
        context = self._context
        context.events.started(job)
        # After a long stop (the machine slept) another worker may have the job; then it is not sent.
        lease_ends_at = self._asked_at + context.settings.lease_seconds
        token = context.tokens.of(job.location_id)
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
        self._sender_pool.note_request(seconds)
        release_for = None if self._over or outcome.local else self._current_consumer()
        following = self._reporter.report(job, outcome, seconds, token.version, release_for)
        self._asked_at = self._reporter.asked_at
        if outcome.local:  # leave the jobs to other workers for a while, then try again
            time.sleep(context.local_failures.record(outcome.message or ""))
            return None if self._over else self._release()
        if outcome.status is not None:
            context.local_failures.record_success()
        return following

    def _request(self, job: Released, token: Token, ends_by: float) -> Outcome:
        """Send the request and return its outcome."""
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
