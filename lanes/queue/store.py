"""The transitions, one method each, over a synchronous Redis client."""

from collections.abc import Sequence
from typing import Any, cast

import redis

from lanes.queue import transitions
from lanes.queue.dead_letter import DeadLetter
from lanes.queue.enqueueing import DEFAULT_DURABILITY_POLICY, DurabilityPolicy, enqueue_exchange
from lanes.queue.exchange import run_exchange
from lanes.queue.job import Reason
from lanes.queue.new_job import EnqueueResult, NewJob
from lanes.queue.notification import Notification
from lanes.queue.reader import LaneReader
from lanes.queue.results import Reclaimed, Result
from lanes.queue.transitions import AttemptReport, BreakerPolicy, Consumer, CountedRefusal, RetryPolicy, microseconds
from lanes.storage.redis_errors import url_errors
from lanes.storage.scripts import Argument

AUDIT_LOG_ENTRIES = 20_000

MAX_CONNECTIONS = 10_000  # one a thread; as many clients as Redis takes by default


def connect(url: str, **options: Any) -> "redis.Redis":
    """Return a client with bounded waits: a Redis that is away is an error within seconds, not a hang.

    Raises:
        SettingsError: the URL is no URL of a Redis.
    """
    waits = {"socket_connect_timeout": 5, "socket_timeout": 10, "health_check_interval": 30}
    with url_errors():
        client = redis.Redis.from_url(url, **{"max_connections": MAX_CONNECTIONS, **waits, **options})
        pool = client.connection_pool
        pool.connection_class(**pool.connection_kwargs)  # made to see it refuse what it does not know, not to be used
    return client


class LaneStore(LaneReader):
    """The state machine in Redis. Thread-safe; every method is one round trip.

    Errors: `RedisUnavailableError` when Redis is away or does not take writes, `ScriptError` when a script fails.
    """

    def enqueue(
        self,
        new_job: NewJob,
        idempotency_seconds: float,
        durability_policy: DurabilityPolicy = DEFAULT_DURABILITY_POLICY,
    ) -> EnqueueResult:
        """Put a job into its lane, or find the job that the same id or idempotency key made earlier.

        Raises:
            NotDurableError: it was accepted, and is not known to be as safe as the terms say.
        """
        answer = self.enqueue_many([new_job], idempotency_seconds, durability_policy)[0]
        if isinstance(answer, Exception):
            raise answer
        return answer

    def enqueue_many(
        self,
        new_jobs: Sequence[NewJob],
        idempotency_seconds: float,
        durability_policy: DurabilityPolicy = DEFAULT_DURABILITY_POLICY,
    ) -> list[EnqueueResult | Exception]:
        """Put jobs into their lanes in one round trip; the answers come in the order of the orders.

        Raises:
            NotDurableError: they were accepted, and are not known to be as safe as the terms say.
        """
        exchange = enqueue_exchange(
            self.script("enqueue"), new_jobs, idempotency_seconds, durability_policy, self.key("durability_marker")
        )
        return run_exchange(self.client, exchange, durability_policy.seconds)

    def release(self, consumer: Consumer) -> Result:
        """Release the next job of the lane whose turn it is."""
        arguments = (*transitions.consumer_arguments(consumer), *transitions.limits_arguments(consumer.limits))
        return transitions.result(self._run("release", *arguments))

    def _report(self, name: str, report: AttemptReport, *own: Argument, release_for: Consumer | None) -> Result:
        following = () if release_for is None else transitions.consumer_arguments(release_for)
        return transitions.result(self._run(name, *transitions.report_arguments(report), *own, *following))

    def deliver(self, report: AttemptReport, *, retention: float, release_for: Consumer | None = None) -> Result:
        """Report that the API took the job; with `release_for`, release the next one in the same call."""
        return self._report("deliver", report, round(retention * 1000), release_for=release_for)

    def retry(
        self,
        report: AttemptReport,
        *,
        delay: float,
        min_delay: float = 0.0,
        outage: BreakerPolicy | None = None,
        retry_policy: RetryPolicy | None = None,
        reason: Reason = Reason.EXHAUSTED,
        release_for: Consumer | None = None,
    ) -> Result:
        """Report a failure that may pass; the job waits `delay` seconds, or is given up when `retry_policy` is at its end.

        `min_delay` is for how many seconds the API asked to be left alone: no retry and no probe goes out earlier.
        `outage` tells that the API itself failed, and what makes an outage. `reason` is what the job dies of when it is
        given up: `exhausted`, or `unconfirmed` where it is unknown whether the API took this attempt.
        """
        own = transitions.retry_arguments(delay, min_delay, outage, retry_policy, reason)
        return self._report("retry", report, *own, release_for=release_for)

    def throttle(self, report: AttemptReport, *, wait: float, release_for: Consumer | None = None) -> Result:
        """Report a 429; the lane waits `wait` seconds."""
        return self._report("throttle", report, microseconds(wait), release_for=release_for)

    def requeue(self, report: AttemptReport, *, wait: float, sent: bool, release_for: Consumer | None = None) -> Result:
        """Report that the job must go out again, with no attempt spent; the lane waits `wait` seconds.

        `sent` tells whether a request was made.
        """
        return self._report("requeue", report, microseconds(wait), int(sent), release_for=release_for)

    def bury(
        self,
        report: AttemptReport,
        *,
        reason: str,
        hold: str = "",
        token_version: int = 0,
        refusal: CountedRefusal | None = None,
        release_for: Consumer | None = None,
    ) -> Result:
        """Report a failure for good.

        With `hold`, the location's credential was refused, in this version (0 for the token of the settings, and where
        there was none), and that is why: the lane is held behind the job. Where it is held for that already, or another
        version stands there by now, the job goes back to its place instead, and the code is `requeued`.

        With `refusal` it counts towards the brake of the lane. The code is then `braked` when the request was out while
        the brake closed: the job is not dead, but waits at its place again, with no attempt spent.
        """
        held = transitions.hold_argument(hold, token_version)
        counted = "" if refusal is None else refusal.as_argument()
        return self._report("bury", report, reason, held, counted, release_for=release_for)

    def reclaim(self, max_count: int, max_attempts: int, *, repeat_unnamed: bool = False) -> list[Reclaimed]:
        """Take back jobs whose lease has ended, at most `max_count`.

        One that could make a second opportunity when it is repeated (see `lanes.versions.is_unnamed`) is a dead letter
        instead, unless all are repeated (`repeat_unnamed`): its request may have reached the API.
        """
        return transitions.reclaimed(self._run("reclaim", max_count, max_attempts, int(repeat_unnamed)))

    def expire(self, max_count: int) -> list[str]:
        """Withdraw pending jobs whose time is over, at most `max_count`; return their ids."""
        return [job_id.decode() for job_id in self._run("expire", max_count)]

    def cancel(self, job_id: str, retention: float) -> str:
        """Withdraw a pending job; return `cancelled`, `unknown`, `has_merged_jobs`, or the state that it is in instead.

        A job that others were merged into is not withdrawn: they are none of its owner's.
        """
        return cast("bytes", self._run("cancel", job_id, round(retention * 1000))).decode()

    def replay(self, job_id: str, *, force: bool = False) -> str:
        """Send a dead letter again; return `replayed`, `unknown`, or the state that it is in instead.

        One that would overwrite what a newer job of its record has written stays, and the answer is `superseded`, unless
        it is to be sent `force`. `lanes.dead_letters` does many at once and tells who has overtaken them.
        """
        return transitions.replayed(job_id, self._run("replay", job_id, int(force), 0)).answer

    def purge(self, job_id: str, retention: float, seen: float | None = None) -> str:
        """Give a dead letter up; return `purged`, `unknown`, or the state that it is in instead.

        With `seen`, the time of its last change, one that changed again since stays, and the answer is `changed`.
        """
        return cast("bytes", self._run("purge", *transitions.purge_arguments(job_id, retention, seen))).decode()

    def edit(self, job_id: str, read: bytes, new_job: NewJob) -> str:
        """Give a dead letter the body of an order, if its body is still what was `read`; the first one is kept.

        Return `edited`, `unknown`, `changed`, `elsewhere` when the order is for another record, or the state that it is
        in instead.
        """
        arguments = (job_id, read, new_job.body, new_job.location_id, new_job.record)
        return cast("bytes", self._run("edit", *arguments)).decode()

    def restore(self, dead_letter: DeadLetter) -> str:
        """Put a letter back; return `restored`, or the state of the job that is there already."""
        return cast("bytes", self._run("restore", *transitions.restore_arguments(dead_letter))).decode()

    def hold(self, location_id: str, reason: str, by: str) -> str:
        """Stop a lane. One that authorization holds keeps that cause beside a person's hold."""
        return cast("bytes", self._run("hold", location_id, reason, by)).decode()

    def resume(self, location_id: str, seen: float | None = None) -> str:
        """Let a held lane go on, whatever the causes of its hold; return `resumed`, or `free` when it was not held.

        With `seen`, the `held_at` of the hold that was seen, another hold stays, and the answer is `changed`.
        """
        return cast("bytes", self._run("resume", location_id, transitions.held_at_argument(seen))).decode()

    def resume_authorized(self, location_id: str) -> str:
        """Take away authorization as a cause of a lane's hold, if its credential is another than the refused one.

        Return `resumed`; or `held` when a person holds the lane as well, `refused` when the refused credential still
        stands there, `free` when authorization was no cause.
        """
        return cast("bytes", self._run("resume_authorized", location_id)).decode()

    def end_brake(self, location_id: str, seen: float) -> str:
        """End the brake of a lane that closed at the time `seen` (seconds since the epoch), as a person's decision.

        Returns `ended`, `free` when the lane is not on the brake, or `changed` when another one closed meanwhile.
        """
        return cast("bytes", self._run("end_brake", location_id, microseconds(seen))).decode()

    def end_brake_of_all(self, seen: float) -> str:
        """End the brake of all lanes that closed at the time `seen`; lanes on their own brake stay so.

        Returns as `end_brake` does.
        """
        return self.end_brake("", seen)

    def hold_all(self, reason: str, by: str) -> str:
        """Stop all lanes."""
        return cast("bytes", self._run("hold_all", reason, by)).decode()

    def resume_all(self, seen: float | None = None) -> str:
        """End the hold of everything, not those of single lanes; return `resumed`, or `free` when there was none.

        With `seen`, the `held_at` of the hold that was seen, another hold stays, and the answer is `changed`.
        """
        return cast("bytes", self._run("resume_all", transitions.held_at_argument(seen))).decode()

    def claim_notification(self, lease: float, dead_above: int | None) -> Notification | None:
        """Take a notice that is due, for `lease` seconds; from now on, more dead letters than `dead_above` make one."""
        reply = self._run("claim_notification", microseconds(lease), "" if dead_above is None else dead_above)
        return Notification.parse(*reply) if reply else None

    def ack_notification(self, notification: Notification, delay: float | None = None) -> str:
        """Be done with a notice, or let it be taken again after `delay` seconds."""
        arguments = (notification.stored, "" if delay is None else microseconds(delay))
        return cast("bytes", self._run("ack_notification", *arguments)).decode()

    def limit(self, location_id: str, burst: int | None, daily: int | None, weight: int | None) -> str:
        """Give a location budgets and a weight of its own; None stands for the common one."""
        values = ("" if value is None else value for value in (burst, daily, weight))
        return cast("bytes", self._run("limit", location_id, *values)).decode()

    def append_audit_log(self, who: str, what: str, on: str, detail: str) -> str:
        """Write down that somebody changes something by hand (see `lanes.activity.audit_log`); return the entry's id."""
        return cast("bytes", self._run("append_audit_log", who, what, on, detail, AUDIT_LOG_ENTRIES)).decode()
