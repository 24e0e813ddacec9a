"""The transitions, one method each, over a synchronous Redis client."""

import json
from collections.abc import Iterable, Mapping, Sequence

from lanes.queue import transitions
from lanes.queue.dead_letter import DeadLetter
from lanes.queue.enqueueing import (
    DEFAULT_DURABILITY_POLICY,
    DurabilityPolicy,
    enqueue_exchange,
    new_bulk,
    split_into_calls,
)
from lanes.queue.exchange import run_exchange
from lanes.queue.job import Reason
from lanes.queue.job_reader import JobReader
from lanes.queue.new_job import EnqueueResult, NewJob
from lanes.queue.notification import Notification
from lanes.queue.rejected_task import RejectedTask
from lanes.queue.results import Forgotten, Reclaimed, Result
from lanes.queue.transitions import AttemptReport, BreakerPolicy, Consumer, CountedRefusal, RetryPolicy, microseconds
from lanes.storage.durability import AOF_SETTINGS_SECONDS, pack_aof_settings
from lanes.storage.scripts import Argument
from lanes.storage.stored import text_of

AUDIT_LOG_ENTRIES = 20_000
MAX_SERVICES = 100  # with a count of their own of refused rows


class LaneStore(JobReader):
    """The state machine in Redis. Thread-safe; every method is one round trip.

    Errors: `RedisUnavailableError` if Redis cannot be reached or refuses writes, `ScriptError` if a script fails.
    """

    def enqueue(
        self,
        new_job: NewJob,
        idempotency_seconds: float,
        policy: DurabilityPolicy = DEFAULT_DURABILITY_POLICY,
    ) -> EnqueueResult:
        """Put a job into its lane, or find the job with the same id or idempotency key.

        Raises:
            OverQuotaError: its service is over a quota.
            NotDurableError: it was accepted, but the durability could not be confirmed.
        """
        answer = self.enqueue_calls([[new_job]], idempotency_seconds, policy)[0]
        if isinstance(answer, Exception):
            raise answer
        return answer

    def enqueue_many(
        self,
        new_jobs: Sequence[NewJob],
        idempotency_seconds: float,
        policy: DurabilityPolicy = DEFAULT_DURABILITY_POLICY,
    ) -> list[EnqueueResult | Exception]:
        """Put jobs into their lanes in one round trip; the results are in the same order.

        Raises:
            NotDurableError: they were accepted, but the durability could not be confirmed.
        """
        return self.enqueue_calls(split_into_calls(new_jobs), idempotency_seconds, policy, new_bulk())

    def enqueue_calls(
        self,
        calls: Iterable[Sequence[NewJob]],
        idempotency_seconds: float,
        policy: DurabilityPolicy = DEFAULT_DURABILITY_POLICY,
        bulk: str = "",
    ) -> list[EnqueueResult | Exception]:
        """`enqueue_many` for jobs that are made while Redis stores earlier ones: each item is a call of the script.

        Calls with the same `bulk` belong together, see `enqueue_exchange`.
        """
        exchange = enqueue_exchange(self.script("enqueue"), calls, idempotency_seconds, policy, self.prefix, bulk=bulk)
        return run_exchange(self.client, exchange, policy.seconds)

    def store_aof_settings(self, run_id: str, config: Mapping[str, str]) -> None:
        """Store for producers how the server syncs its append-only file, see `lanes.storage.durability`."""
        key, value = self.key("aof_settings"), pack_aof_settings(run_id, config)
        self.read(lambda client: client.set(key, value, ex=AOF_SETTINGS_SECONDS))

    def reject_rows(self, task: RejectedTask, by_service: Mapping[str, int], retention: float) -> str:
        """Keep the refused rows of an enqueue task, and count them by service.

        Return `counted`, or `known` if the task was counted before: a message may be delivered twice.
        """
        counts = [item for pair in by_service.items() for item in pair]
        kept = round(retention * 1000)
        return self.run_text(
            "reject_rows", task.id, task.rows, task.accepted, task.encode(), kept, MAX_SERVICES, *counts
        )

    def release(self, consumer: Consumer) -> Result:
        """Release a job of the next lane."""
        return transitions.result(
            self.run(
                "release",
                *transitions.consumer_arguments(consumer),
                *transitions.limits_arguments(consumer.limits),
                transitions.reserved_argument(consumer),
            )
        )

    def _report(self, name: str, report: AttemptReport, *own: Argument, release_for: Consumer | None) -> Result:
        following: list[Argument] = []
        if release_for is not None:
            following = [*transitions.consumer_arguments(release_for), transitions.reserved_argument(release_for)]
        return transitions.result(self.run(name, *transitions.report_arguments(report), *own, *following))

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
        """Report a transient failure; the job waits `delay` seconds, or becomes a dead letter by `retry_policy`.

        `min_delay` is the API's Retry-After in seconds: no retry and no probe goes out earlier. `outage` is set if the
        API failed. `reason` is that of the dead letter: `exhausted`, or `unconfirmed` if it is unknown whether the API
        took this attempt.
        """
        own = transitions.retry_arguments(delay, min_delay, outage, retry_policy, reason)
        return self._report("retry", report, *own, release_for=release_for)

    def throttle(self, report: AttemptReport, *, wait: float, release_for: Consumer | None = None) -> Result:
        """Report a 429; the lane waits `wait` seconds."""
        return self._report("throttle", report, microseconds(wait), release_for=release_for)

    def requeue(self, report: AttemptReport, *, wait: float, sent: bool, release_for: Consumer | None = None) -> Result:
        """Put the job back with no attempt spent; the lane waits `wait` seconds. `sent`: a request was made."""
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
        """Report a permanent failure: the job becomes a dead letter.

        With `hold`, the reason, the location's credential was refused in this version (0: the token of the settings, or
        none), and the lane is held. If it is held for that already, or another version is stored by now, the job goes
        back to pending, and the code is `requeued`.

        With `refusal` it counts towards the brake of the lane. If the request was in flight when the brake closed, the
        job goes back to pending with no attempt spent, and the code is `braked`.
        """
        held = f"{token_version} {hold}" if hold else ""
        counted = "" if refusal is None else refusal.as_argument()
        return self._report("bury", report, reason, held, counted, release_for=release_for)

    def reclaim(self, max_count: int, max_attempts: int, *, repeat_unnamed: bool = False) -> list[Reclaimed]:
        """Take back jobs whose lease has ended, at most `max_count`.

        A job whose repetition could create a second opportunity (see `lanes.versions.is_unnamed`) becomes a dead letter
        instead, except with `repeat_unnamed`: its request may have reached the API.
        """
        reply = self.run("reclaim", max_count, max_attempts, int(repeat_unnamed))
        found = zip(reply[::4], reply[1::4], reply[2::4], reply[3::4], strict=True)
        return [
            Reclaimed(text_of(job_id), text_of(location), attempt, verdict == b"buried")
            for job_id, location, attempt, verdict in found
        ]

    def expire(self, max_count: int) -> list[str]:
        """Expire pending jobs, at most `max_count`; return their ids."""
        return list(map(text_of, self.run("expire", max_count)))

    def record_statistics(self, durations: Mapping[str, int]) -> bool:
        """Add durations to the series (bucket -> their number), and sample the counters.

        Return whether they were sampled. They are not if they were less than a second ago.
        """
        return bool(self.run("record_statistics", *(item for pair in durations.items() for item in pair)))

    def forget_history(self, share: float | None, enqueue_timeout: float, max_count: int) -> Forgotten:
        """Forget the oldest done jobs beyond their share of `maxmemory`, at most `max_count`; None is no limit.

        None that ended within `enqueue_timeout` seconds, and a minute, is forgotten.
        """
        limit = "" if share is None else repr(share)
        jobs, more = self.run("forget_history", limit, transitions.min_age(enqueue_timeout), max_count)
        return Forgotten(jobs, bool(more))

    def cancel(self, job_id: str, retention: float) -> str:
        """Cancel a pending job; return `cancelled`, `unknown`, `has_merged_jobs`, or the state that it is in instead.

        A job that others were merged into is not cancelled: they may belong to other callers.
        """
        return self.run_text("cancel", job_id, round(retention * 1000))

    def replay(self, job_id: str, *, force: bool = False) -> str:
        """Send a dead letter again; return `replayed`, `unknown`, or the state that it is in instead.

        Without `force`, one that would overwrite a newer job of its record stays, and the answer is `superseded`.
        `lanes.dead_letters.operations` replays many and names the newer jobs.
        """
        return transitions.replayed(job_id, self.run("replay", job_id, int(force), 0)).answer

    def purge(self, job_id: str, retention: float, seen: float | None = None) -> str:
        """Give a dead letter up; return `purged`, `unknown`, or the state that it is in instead.

        With `seen`, the time of its last change, one that changed again since stays, and the answer is `changed`.
        """
        return self.run_text("purge", *transitions.purge_arguments(job_id, retention, seen))

    def edit(self, job_id: str, read: bytes, new_job: NewJob) -> str:
        """Replace the body of a dead letter if it is still what was `read`; the original is kept.

        Return `edited`, `unknown`, `changed`, `elsewhere` if the new body is for another record, or the state that it
        is in instead.
        """
        return self.run_text("edit", job_id, read, new_job.body, new_job.location_id, new_job.record)

    def restore(self, dead_letter: DeadLetter) -> str:
        """Import a dead letter; return `restored`, or the state of the job that exists already."""
        return self.run_text("restore", *transitions.restore_arguments(dead_letter))

    def hold(self, location_id: str, reason: str, by: str) -> str:
        """Hold a lane. A lane held for authorization keeps that cause next to a person's hold."""
        return self.run_text("hold", location_id, reason, by)

    def resume(self, location_id: str, seen: float | None = None) -> str:
        """Resume a lane from a hold of any cause; return `resumed`, or `free` if it was not held.

        With `seen`, the `held_at` of the hold that was seen, another hold stays, and the answer is `changed`.
        """
        return self.run_text("resume", location_id, transitions.optional_time(seen))

    def resume_authorized(self, location_id: str) -> str:
        """End a lane's hold for authorization if another credential than the refused one is stored.

        Return `resumed`, `held` if a person holds the lane as well, `refused` if the refused credential is still
        stored, `free` if authorization was no cause.
        """
        return self.run_text("resume_authorized", location_id)

    def end_brake(self, location_id: str, seen: float) -> str:
        """End the brake of a lane that closed at the time `seen` (seconds since the epoch), as a person's decision.

        Return `ended`, `free` if the lane is not on the brake, or `changed` if a newer brake closed.
        """
        return self.run_text("end_brake", location_id, microseconds(seen))

    def end_brake_of_all(self, seen: float) -> str:
        """End the brake of all lanes, as `end_brake` does; lanes on their own brake stay so."""
        return self.end_brake("", seen)

    def hold_all(self, reason: str, by: str) -> str:
        """Hold all lanes."""
        return self.run_text("hold_all", reason, by)

    def resume_all(self, seen: float | None = None) -> str:
        """End the hold of all lanes, not those of single lanes; answers and `seen` as in `resume`."""
        return self.run_text("resume_all", transitions.optional_time(seen))

    def claim_notification(self, lease: float, dead_above: int | None) -> Notification | None:
        """Claim a due notification for `lease` seconds; set the number of dead letters above which there is one."""
        reply = self.run("claim_notification", microseconds(lease), "" if dead_above is None else dead_above)
        return Notification.parse(*reply) if reply else None

    def ack_notification(self, notification: Notification, delay: float | None = None) -> str:
        """Remove a notification, or let it be claimed again after `delay` seconds."""
        return self.run_text("ack_notification", notification.stored, transitions.optional_time(delay))

    def limit(self, location_id: str, burst: int | None, daily: int | None, weight: int | None) -> str:
        """Set the limits and the weight of a location; None removes one."""
        return self.run_text(
            "limit", location_id, *("" if value is None else value for value in (burst, daily, weight))
        )

    def end_idle_lanes(self, cursor: int, max_count: int) -> tuple[int, list[str]]:
        """End lanes that nobody needs any more, among about `max_count` of them.

        Return the cursor for the next call (0 at the end) and the locations whose lanes ended.
        """
        following, ended = self.run("end_idle_lanes", cursor, max_count)
        return int(following), list(map(text_of, ended))

    def forget_jobs(
        self, location_ids: Sequence[str], job_ids: Sequence[str], enqueue_timeout: float
    ) -> tuple[list[str], list[str]]:
        """Remove those of these jobs that are done and of these locations.

        Return the location of each removed job, and of each that stays: a retried enqueue must find it.
        """
        removed, young = self.run(
            "forget_jobs", json.dumps([*location_ids]), transitions.min_age(enqueue_timeout), *job_ids
        )
        return list(map(text_of, removed)), list(map(text_of, young))

    def forget_lane(self, location_id: str, kept_until: str) -> tuple[str, float | None]:
        """Remove what a person set for a lane without unfinished jobs, and end it.

        `kept_until` is what the lane had before its done jobs were removed. Return `forgotten`; `emptied` and the
        seconds until the lane ends, if known; or why not: `unknown`, `waiting`, `in_flight`, `dead_letters`.
        """
        answer, wait = self.run("forget_lane", location_id, kept_until)
        return text_of(answer), transitions.seconds_until(wait)

    def append_audit_log(self, who: str, what: str, on: str, detail: str, user: str) -> str:
        """Log a person's action before it is done (see `lanes.activity.audit_log`); return the entry's id."""
        return self.run_text("append_audit_log", who, what, on, detail, user, AUDIT_LOG_ENTRIES)
