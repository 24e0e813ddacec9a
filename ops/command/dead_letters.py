"""Which dead letters a command is about, and why each of them died."""

from collections.abc import Callable, Iterator
from dataclasses import dataclass
from typing import Any

import click

from lanes import letters
from lanes.job import Job, Reason
from lanes.letters import Span
from lanes.store import LaneStore
from ops.command.words import Duration, LocationId, PrintableWord, printable

REASONS = tuple(reason.value for reason in Reason if reason is not Reason.PURGED)


@dataclass(frozen=True, slots=True)
class Choice:
    """All dead letters, or those that every given filter takes. `status`, `message` and `code` are of the last attempt.

    `older_than` and `newer_than` are seconds since the death.
    """

    location_id: str | None = None
    reason: str | None = None
    status: int | None = None
    message: str | None = None
    code: str | None = None
    service: str | None = None
    older_than: float | None = None
    newer_than: float | None = None

    def takes(self, job: Job | None) -> bool:
        """Whether it is about this job, whenever that died."""
        if job is None or not job.is_letter:
            return False
        detail = job.attempts[-1].detail if job.attempts else {}
        return (
            self.location_id in (None, job.location_id)
            and self.reason in (None, job.reason)
            and self.status in (None, detail.get("status"))
            and self.code in (None, detail.get("code"))
            and self.service in (None, job.service)
            and (self.message is None or self.message.casefold() in answer_text(job).casefold())
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
        narrowing = (self.location_id, self.reason, self.status, self.message, self.code, self.service)
        return any(value is not None for value in narrowing)

    def __str__(self) -> str:
        place = f" of {self.location_id}" if self.location_id else ""
        return f"{place} ({self.reason})" if self.reason else place


_OPTIONS = (
    click.option("--location", "location_id", type=LocationId(), help="Only those of this location."),
    click.option("--reason", type=click.Choice(REASONS), help="Only those that died of this."),
    click.option("--status", type=click.IntRange(100, 599), help="Only those whose last answer had this status."),
    click.option(
        "--message",
        metavar="TEXT",
        type=PrintableWord(),
        help="Only those whose last answer holds this text, in any case.",
    ),
    click.option("--code", type=PrintableWord(), help="Only those whose last answer had this error code."),
    click.option("--service", metavar="NAME", type=PrintableWord(), help="Only those that this service enqueued."),
    click.option("--older-than", metavar="AGE", type=Duration(), help="Only those that died longer ago: 30m, 12h, 7d."),
    click.option("--newer-than", metavar="AGE", type=Duration(), help="Only those that died since then: 30m, 12h, 7d."),
)


def choice_options(function: Callable[..., Any]) -> Callable[..., Any]:
    """Give a command the filters; `take_choice` takes them out of what was given."""
    for option in reversed(_OPTIONS):
        function = option(function)
    return function


def take_choice(given: dict[str, Any]) -> Choice:
    """Take the filters out of what a command was given."""
    return Choice(**{name: given.pop(name) for name in Choice.__dataclass_fields__})


def choose_in_batches(store: LaneStore, choice: Choice, span: Span | None = None) -> Iterator[list[Job]]:
    """Go through the dead letters of a choice in batches, oldest death first."""
    for batch in letters.read_letters(store, span or choice.span(store)):
        yield [job for job in batch if choice.takes(job)]


def choose(store: LaneStore, choice: Choice) -> Iterator[Job]:
    """Go through the dead letters of a choice, oldest death first."""
    for batch in choose_in_batches(store, choice):
        yield from batch


def count_chosen(store: LaneStore, choice: Choice, span: Span) -> int:
    """Return how many there are."""
    if not choice.is_narrowed:
        return letters.count(store, span)
    return sum(len(batch) for batch in choose_in_batches(store, choice, span))


def answer_text(job: Job) -> str:
    """Return the message of the last attempt, on one line."""
    message = job.attempts[-1].detail.get("message") if job.attempts else None
    return "; ".join(map(str, message)) if isinstance(message, list) else str(message or "")


def last_answer(job: Job) -> str:
    """Say in one line what the last attempt came to."""
    status = job.attempts[-1].detail.get("status") if job.attempts else None
    return printable(f"{status} {answer_text(job)}".strip() if status else answer_text(job))


def why(job: Job) -> str:
    """Say in one line why a dead letter died."""
    told = {
        Reason.REFUSED: "the API refused it",
        Reason.UNAUTHORIZED: "the API refused the token of its location",
        Reason.EXHAUSTED: "its attempts or its time for them ran out",
        Reason.EXPIRED: "its expires_at passed before it was delivered",
    }.get(Reason(job.reason or Reason.REFUSED), "")
    answer = last_answer(job)
    return f"{told}; the last attempt came to: {answer}" if answer else told
