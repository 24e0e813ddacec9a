"""Which dead letters are meant: all of them, or those that some filters take."""

from collections.abc import Iterator
from dataclasses import dataclass

from lanes import letters
from lanes.job import Job, Reason
from lanes.letter_summary import Summary, shape_of, summarize
from lanes.letters import Span
from lanes.store import LaneStore

REASONS = tuple(reason.value for reason in Reason if reason is not Reason.PURGED)


@dataclass(frozen=True, slots=True)
class Choice:
    """All dead letters, or those that every given filter takes. `status`, `message` and `code` are of the last attempt.

    `message` is text in it, in any case; `like` is a whole message with the ids in it left out, as a group shows it. A
    `status` of 0 and a `code` of '' stand for none. `older_than` and `newer_than` are seconds since the death.
    """

    location_id: str | None = None
    reason: str | None = None
    status: int | None = None
    message: str | None = None
    like: str | None = None
    code: str | None = None
    service: str | None = None
    older_than: float | None = None
    newer_than: float | None = None

    def takes(self, letter: Summary) -> bool:
        """Whether it is about this letter, whenever that died."""
        return (
            self.location_id in (None, letter.location_id)
            and self.reason in (None, letter.reason)
            and self.status in (None, letter.status)
            and self.code in (None, letter.code)
            and self.service in (None, letter.service)
            and self.like in (None, shape_of(letter.message))
            and (self.message is None or self.message.casefold() in letter.message.casefold())
        )

    def span(self, store: LaneStore) -> Span:
        """Return when those that it takes can have died: never later than now, so that none is met twice."""
        now = letters.until_now(store).until
        return Span(
            until=now if self.older_than is None else now - self.older_than,
            since=0.0 if self.newer_than is None else max(0.0, now - self.newer_than),
        )

    @property
    def is_narrowed(self) -> bool:
        """Whether it looks at more than the time of death."""
        narrowing = (self.location_id, self.reason, self.status, self.message, self.like, self.code, self.service)
        return any(value is not None for value in narrowing)

    def __str__(self) -> str:
        place = f" of {self.location_id}" if self.location_id else ""
        return f"{place} ({self.reason})" if self.reason else place


ALL = Choice()


def choose_in_batches(store: LaneStore, choice: Choice, span: Span | None = None) -> Iterator[list[Job]]:
    """Go through the dead letters of a choice in batches, oldest death first, each whole."""
    for batch in letters.read_letters(store, span or choice.span(store)):
        yield [job for job in batch if choice.takes(summarize(job))]


def choose(store: LaneStore, choice: Choice) -> Iterator[Job]:
    """Go through the dead letters of a choice, oldest death first, each whole."""
    for batch in choose_in_batches(store, choice):
        yield from batch


def look_through(store: LaneStore, choice: Choice, span: Span) -> Iterator[list[Summary]]:
    """Go through the dead letters of a choice in batches, oldest death first, without their bodies."""
    for ids in letters.read_ids(store, span):
        yield [letter for letter in store.summarize(ids) if letter is not None and choice.takes(letter)]


def count_chosen(store: LaneStore, choice: Choice, span: Span) -> int:
    """Return how many there are."""
    if not choice.is_narrowed:
        return letters.count(store, span)
    return sum(len(batch) for batch in look_through(store, choice, span))
