"""Filters of dead letters."""

from collections.abc import Iterator
from dataclasses import dataclass, replace

from lanes.dead_letters import operations
from lanes.dead_letters.operations import TimeRange
from lanes.queue.dead_letter_summary import DeadLetterSummary, message_pattern_of, summarize
from lanes.queue.job import Job, Reason
from lanes.queue.store import LaneStore

REASONS = tuple(reason.value for reason in Reason if reason is not Reason.PURGED)


@dataclass(frozen=True, slots=True)
class DeadLetterFilter:
    """The dead letters that match every field that is set. `status`, `message` and `code` are of the last attempt.

    `message` is a part of it, in any case; `message_pattern` is a whole message without ids, as in an `ErrorGroup`.
    `status` 0 and `code` '' stand for none. `older_than` and `newer_than` are seconds since the job failed.
    """

    location_id: str | None = None
    reason: str | None = None
    status: int | None = None
    message: str | None = None
    message_pattern: str | None = None
    code: str | None = None
    service: str | None = None
    older_than: float | None = None
    newer_than: float | None = None

    def matches(self, dead_letter: DeadLetterSummary) -> bool:
        """Return whether a dead letter matches, at any time of failure."""
        return (
            self.location_id in (None, dead_letter.location_id)
            and self.reason in (None, dead_letter.reason)
            and self.status in (None, dead_letter.status)
            and self.code in (None, dead_letter.code)
            and self.service in (None, dead_letter.service)
            and self.message_pattern in (None, message_pattern_of(dead_letter.message))
            and (self.message is None or self.message.casefold() in dead_letter.message.casefold())
        )

    def time_range(self, store: LaneStore) -> TimeRange:
        """Return when matching jobs failed; it ends now at the latest, so that none is found twice."""
        now = operations.until_now(store).until
        return TimeRange(
            until=now if self.older_than is None else now - self.older_than,
            since=0.0 if self.newer_than is None else max(0.0, now - self.newer_than),
        )

    @property
    def is_narrowed(self) -> bool:
        """Whether it filters by more than the time of failure."""
        return replace(self, older_than=None, newer_than=None) != ALL

    def __str__(self) -> str:
        suffix = f" of {self.location_id}" if self.location_id else ""
        return f"{suffix} ({self.reason})" if self.reason else suffix


ALL = DeadLetterFilter()


def find_in_batches(
    store: LaneStore, dead_letter_filter: DeadLetterFilter, time_range: TimeRange | None = None
) -> Iterator[list[Job]]:
    """Yield matching jobs in batches, the oldest failure first."""
    for batch in operations.read_dead_letters(store, time_range or dead_letter_filter.time_range(store)):
        yield [job for job in batch if dead_letter_filter.matches(summarize(job))]


def find_dead_letters(store: LaneStore, dead_letter_filter: DeadLetterFilter) -> Iterator[Job]:
    """Yield matching jobs, the oldest failure first."""
    for batch in find_in_batches(store, dead_letter_filter):
        yield from batch


def scan_summaries(
    store: LaneStore, dead_letter_filter: DeadLetterFilter, time_range: TimeRange
) -> Iterator[list[DeadLetterSummary]]:
    """Yield matching dead letters in batches, the oldest failure first, without their bodies."""
    for ids in operations.read_ids(store, time_range):
        yield [each for each in store.summarize(ids) if each is not None and dead_letter_filter.matches(each)]


def count_matching(store: LaneStore, dead_letter_filter: DeadLetterFilter, time_range: TimeRange) -> int:
    """Return how many match."""
    if not dead_letter_filter.is_narrowed:
        return operations.count(store, time_range)
    return sum(len(batch) for batch in scan_summaries(store, dead_letter_filter, time_range))
