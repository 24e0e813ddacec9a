"""Reads and changes dead letters in batches, with bounded memory and few round trips.

Expired jobs are among them. They are ordered by the time at which they failed.
"""

from collections.abc import Iterator, Sequence
from dataclasses import dataclass

from lanes.errors import ScriptError
from lanes.queue import transitions
from lanes.queue.dead_letter import ActionResult, DeadLetter
from lanes.queue.job import Job
from lanes.queue.store import LaneStore
from lanes.storage.scripts import Argument
from lanes.storage.stored import MICROSECONDS, text_of

STEP = 500
BROKEN = "broken"  # the answer for a job, if a stored key of it or of its lane cannot be read


@dataclass(frozen=True, slots=True)
class TimeRange:
    """Dead letters that failed between two times, seconds since the epoch.

    `until` is required: else a job that is replayed and fails again would be found twice.
    """

    until: float
    since: float = 0.0


def until_now(store: LaneStore) -> TimeRange:
    """Return the time range of all that exist now."""
    return TimeRange(store.time())


def count(store: LaneStore, time_range: TimeRange) -> int:
    """Return how many dead letters failed in a time range."""
    first, last = _bounds(time_range)
    return store.read_key(0, store.key("dead"), lambda client, key: client.zcount(key, first, last))


def all_but_newest(store: LaneStore, time_range: TimeRange, keep: int) -> TimeRange | None:
    """Return the time range of all but the `keep` newest dead letters; None if there are no more than that."""
    first, last = _bounds(time_range)
    missing: list[tuple[bytes, float]] = []
    found = store.read_key(
        missing,
        store.key("dead"),
        lambda client, key: client.zrevrangebyscore(key, last, first, start=keep, num=1, withscores=True),
    )
    return TimeRange(found[0][1] / MICROSECONDS, time_range.since) if found else None


def read_ids(store: LaneStore, time_range: TimeRange, step: int = STEP) -> Iterator[list[str]]:
    """Yield the ids of a time range in batches, the oldest first. Concurrent changes are safe."""
    first, last = _bounds(time_range)
    passed: tuple[float, bytes] = (first, b"")
    size = step + 1  # the last one of the batch before is found again
    missing: list[tuple[bytes, float]] = []
    while True:
        found = store.read_key(
            missing,
            store.key("dead"),
            lambda client, key, at=passed[0], max_count=size: client.zrangebyscore(  # type: ignore[misc]
                key, at, last, start=0, num=max_count, withscores=True
            ),
        )
        ahead = [(score, job_id) for job_id, score in found if (score, job_id) > passed][:step]
        if ahead:
            passed, size = ahead[-1], step + 1
            yield [text_of(job_id) for _, job_id in ahead]
        elif len(found) < size:
            return
        else:
            size *= 2  # more of them failed at the same time than a batch has


def read_dead_letters(store: LaneStore, time_range: TimeRange, step: int = STEP) -> Iterator[list[Job]]:
    """Yield the dead letters of a time range in batches, the oldest first."""
    for ids in read_ids(store, time_range, step):
        yield [job for job in store.read_jobs(ids) if job is not None and job.is_dead_letter]


def replay(
    store: LaneStore, job_ids: Sequence[str], *, force: bool = False, dry_run: bool = False
) -> list[ActionResult]:
    """Send dead letters again, in this order (see `LaneStore.replay`); `dry_run` only returns what would happen."""
    flags = (int(force), int(dry_run))
    replies = store.run_many("replay", ((job_id, *flags) for job_id in job_ids))
    return [
        ActionResult(job_id, BROKEN) if isinstance(reply, ScriptError) else transitions.replayed(job_id, reply)
        for job_id, reply in zip(job_ids, replies, strict=True)
    ]


def purge(store: LaneStore, job_ids: Sequence[str], retention: float) -> list[ActionResult]:
    """Give dead letters up (see `LaneStore.purge`)."""
    calls = [transitions.purge_arguments(job_id, retention, None) for job_id in job_ids]
    return _run_all(store, "purge", job_ids, calls)


def purge_seen(store: LaneStore, jobs: Sequence[Job], retention: float) -> list[ActionResult]:
    """Give dead letters up if they did not change since they were read."""
    calls = [transitions.purge_arguments(job.id, retention, max(job.ended_at or 0, job.edited_at or 0)) for job in jobs]
    return _run_all(store, "purge", [job.id for job in jobs], calls)


def restore(store: LaneStore, dead_letters: Sequence[DeadLetter]) -> list[ActionResult]:
    """Import dead letters (see `LaneStore.restore`)."""
    ids = [dead_letter.new_job.id for dead_letter in dead_letters]
    return _run_all(store, "restore", ids, [transitions.restore_arguments(each) for each in dead_letters])


def _run_all(store: LaneStore, name: str, job_ids: Sequence[str], calls: list[list[Argument]]) -> list[ActionResult]:
    replies = store.run_many(name, calls)
    return [
        ActionResult(job_id, BROKEN if isinstance(reply, ScriptError) else text_of(reply))
        for job_id, reply in zip(job_ids, replies, strict=True)
    ]


def _bounds(time_range: TimeRange) -> tuple[int, int]:
    return transitions.microseconds(time_range.since), transitions.microseconds(time_range.until)
