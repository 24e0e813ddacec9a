"""The dead letters, read and moved in batches: any number of them in bounded memory and few round trips.

Expired jobs are among them. They stand in the order in which they died.
"""

from collections.abc import Iterator, Sequence
from dataclasses import dataclass

from lanes import transitions
from lanes.job import MICROSECONDS, Job
from lanes.letter import Letter, Moved
from lanes.store import LaneStore

STEP = 500


@dataclass(frozen=True, slots=True)
class Span:
    """Those that died between two times, seconds since the epoch; the later of them must always be there.

    Else who goes through them and moves them would meet them again when they die again.
    """

    until: float
    since: float = 0.0


def until_now(store: LaneStore) -> Span:
    """Return the span of all that are there now."""
    return Span(store.time())


def count(store: LaneStore, span: Span) -> int:
    """Return how many there are in a span."""
    first, last = _bounds(span)
    return int(store.read(lambda client: client.zcount(store.key("dead"), first, last)))


def died_before(store: LaneStore, span: Span, keep: int) -> Span | None:
    """Return the span of all but the `keep` newest letters of a span; None when there are no more than that."""
    first, last = _bounds(span)
    found = store.read(
        lambda client: client.zrevrangebyscore(store.key("dead"), last, first, start=keep, num=1, withscores=True)
    )
    return Span(found[0][1] / MICROSECONDS, span.since) if found else None


def read_ids(store: LaneStore, span: Span, step: int = STEP) -> Iterator[list[str]]:
    """Go through the ids of a span in batches, oldest first; letters that come and go meanwhile disturb nothing."""
    first, last = _bounds(span)
    passed: tuple[float, bytes] = (first, b"")
    size = step + 1  # the one that was passed last is found again
    while True:
        found = store.read(
            lambda client, at=passed[0], most=size: client.zrangebyscore(  # type: ignore[misc]
                store.key("dead"), at, last, start=0, num=most, withscores=True
            )
        )
        ahead = [(score, job_id) for job_id, score in found if (score, job_id) > passed][:step]
        if ahead:
            passed, size = ahead[-1], step + 1
            yield [job_id.decode() for _, job_id in ahead]
        elif len(found) < size:
            return
        else:
            size *= 2  # more of them died in the same instant than one batch holds


def read_letters(store: LaneStore, span: Span, step: int = STEP) -> Iterator[list[Job]]:
    """Go through the letters of a span in batches, oldest first."""
    for ids in read_ids(store, span, step):
        yield [job for job in store.read_jobs(ids) if job is not None and job.is_letter]


def replay(
    store: LaneStore, job_ids: Sequence[str], *, even_if_newer: bool = False, rehearsal: bool = False
) -> list[Moved]:
    """Send letters again, in this order (see `LaneStore.replay`); with `rehearsal`, only tell what would be."""
    flags = (int(even_if_newer), int(rehearsal))
    replies = store.run_many("replay", ((job_id, *flags) for job_id in job_ids))
    return [transitions.replayed(job_id, reply) for job_id, reply in zip(job_ids, replies, strict=True)]


def purge(store: LaneStore, job_ids: Sequence[str], retention: float) -> list[Moved]:
    """Give letters up (see `LaneStore.purge`)."""
    calls = [transitions.purge_arguments(job_id, retention, None) for job_id in job_ids]
    return _moved(store, "purge", job_ids, calls)


def purge_seen(store: LaneStore, jobs: Sequence[Job], retention: float) -> list[Moved]:
    """Give letters up as far as they are still as they were read."""
    calls = [transitions.purge_arguments(job.id, retention, max(job.ended_at or 0, job.edited_at or 0)) for job in jobs]
    return _moved(store, "purge", [job.id for job in jobs], calls)


def restore(store: LaneStore, letters: Sequence[Letter]) -> list[Moved]:
    """Put letters back (see `LaneStore.restore`)."""
    ids = [letter.order.id for letter in letters]
    return _moved(store, "restore", ids, [transitions.restore_arguments(letter) for letter in letters])


def _moved(
    store: LaneStore, name: str, job_ids: Sequence[str], calls: Sequence[Sequence[transitions.Argument]]
) -> list[Moved]:
    replies = store.run_many(name, calls)
    return [Moved(job_id, reply.decode()) for job_id, reply in zip(job_ids, replies, strict=True)]


def _bounds(span: Span) -> tuple[int, int]:
    return transitions.microseconds(span.since), transitions.microseconds(span.until)
