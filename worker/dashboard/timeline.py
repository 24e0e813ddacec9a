"""The story of a job, from its acceptance to its end. Pure: what Redis knows of it in, what happened out."""

from collections.abc import Iterator
from dataclasses import dataclass
from enum import StrEnum
from typing import Any

from lanes.job import Attempt, Job, Reason, State
from lanes.trail import Entry


class Tone(StrEnum):
    """How an event is to be looked at; a class of the style sheet."""

    PLAIN = "plain"
    GOOD = "good"
    WARN = "warn"
    BAD = "bad"


@dataclass(frozen=True, slots=True)
class Event:
    """One thing that happened to a job. `at` is in seconds since the epoch; only the order is known when not `dated`.

    `seconds` is how long it took, or stands behind the words; `facts` are names and values to be shown beside it;
    `job_id` is another job that is meant.
    """

    at: float
    words: str
    tone: Tone = Tone.PLAIN
    seconds: float | None = None
    facts: tuple[tuple[str, str], ...] = ()
    job_id: str | None = None
    dated: bool = True


@dataclass(frozen=True, slots=True)
class Told:
    """What an outcome of an attempt is called, and how it is to be looked at."""

    words: str
    tone: Tone


OUTCOMES = {
    "delivered": Told("delivered", Tone.GOOD),
    "retry": Told("failed, for a reason that may pass", Tone.WARN),
    "unconfirmed": Told("not confirmed: it is unknown whether the API took it", Tone.WARN),
    "throttled": Told("throttled: the API said 429, no attempt is spent", Tone.WARN),
    "braked": Told("refused while the brake of its lane closed: no attempt is spent", Tone.WARN),
    "again": Told("sent again with another token, no attempt is spent", Tone.WARN),
    "lost": Told("lost: the lease ended without a report, the job was taken back", Tone.WARN),
    Reason.REFUSED: Told("refused by the API", Tone.BAD),
    Reason.UNAUTHORIZED: Told("refused: the token is not accepted", Tone.BAD),
    Reason.EXHAUSTED: Told("failed for the last time", Tone.BAD),
}
PAUSES = {
    "retry": "backoff",
    "unconfirmed": "backoff",
    "throttled": "waited for its lane, which paused",
    "braked": "waited for its lane, which was on the brake",
}
FINAL = (Reason.REFUSED, Reason.UNAUTHORIZED, Reason.EXHAUSTED)
# How an attempt's notes are called; in this order. Seconds stand by themselves.
FACTS = {
    "status": "status",
    "code": "code",
    "message": "message",
    "warning": "warning",
    "opportunity_id": "opportunity",
    "new": "created it",
    "trace_id": "trace id",
    "worker": "worker",
}
ENDS = {
    State.DELIVERED: Told("delivered", Tone.GOOD),
    State.DEAD: Told("a dead letter", Tone.BAD),
    State.EXPIRED: Told("expired: its time was over before it was sent", Tone.BAD),
    State.CANCELLED: Told("cancelled", Tone.PLAIN),
}
DEATHS = {
    Reason.REFUSED: "the API refused it",
    Reason.EXHAUSTED: "its attempts or its time are spent",
    Reason.UNCONFIRMED: "no answer confirmed it, so the API may have it",
    Reason.UNAUTHORIZED: "the token was not accepted; its lane was held",
}
PURGED = Told("given up by hand", Tone.PLAIN)
# What people do, as the trail names it.
DEEDS = {
    "edit": "its body was edited",
    "replay": "sent again by hand",
    "purge": "given up",
    "cancel": "taken back",
    "reveal": "its body was looked at",
}
# Shorter pauses between attempts are not worth a line.
LEAST_PAUSE = 0.001


@dataclass(frozen=True, slots=True)
class Life:
    """What is known of a job: itself (of a merged one, with what became of its carrier), how many jobs were merged into
    it, whether it was ever replayed, and what people did to it.
    """

    job: Job
    carried: int = 0
    replayed: bool = False
    trail: tuple[Entry, ...] = ()


def story(life: Life) -> list[Event]:
    """Return what happened to a job, in order."""
    happened = [*_beginning(life), *_attempts(life.job), *_people(life), *_end(life.job)]
    return sorted(
        happened, key=lambda event: event.at
    )  # what has the same time stays in the order in which it was told


def _beginning(life: Life) -> Iterator[Event]:
    job = life.job
    facts = [("service", job.service)] if job.service else []
    if job.event_time is not None:
        facts.append(("of an event", f"{job.accepted_at - job.event_time:.1f} s before"))
    yield Event(job.accepted_at, "accepted", facts=tuple(facts))
    if job.merged_into is not None:
        yield Event(job.accepted_at, "merged into a job that delivers it too:", job_id=job.merged_into)
    if life.carried:
        others = "another job was" if life.carried == 1 else f"{life.carried} other jobs were"
        yield Event(job.accepted_at, f"{others} merged into it", dated=False)


def _attempts(job: Job) -> Iterator[Event]:
    before: Attempt | None = None
    for attempt in job.attempts:
        if before is not None and attempt.started_at - before.ended_at >= LEAST_PAUSE:
            words = "waited" if before.outcome in FINAL else PAUSES.get(before.outcome, "waited for its turn")
            yield Event(before.ended_at, words, seconds=attempt.started_at - before.ended_at)
        yield _attempt(attempt)
        before = attempt


def _attempt(attempt: Attempt) -> Event:
    told = OUTCOMES.get(attempt.outcome, Told(attempt.outcome, Tone.PLAIN))
    seconds = attempt.detail.get("seconds", attempt.ended_at - attempt.started_at)
    facts = tuple((label, _text(attempt.detail[name])) for name, label in FACTS.items() if name in attempt.detail)
    return Event(attempt.started_at, f"attempt {attempt.number}: {told.words}", told.tone, seconds, facts)


def _text(value: Any) -> str:
    if isinstance(value, bool):
        return "yes" if value else "no"
    return "; ".join(map(_text, value)) if isinstance(value, list) else str(value)


def _people(life: Life) -> Iterator[Event]:
    """Yield what people did to it: as the trail tells, and what is known without it."""
    job, done = life.job, {entry.what for entry in life.trail}
    for entry in life.trail:
        facts = (("by", entry.who), *((("note", entry.detail),) if entry.detail else ()))
        yield Event(entry.at, DEEDS.get(entry.what, entry.what), facts=facts)
    if job.edited_at is not None and "edit" not in done:
        yield Event(job.edited_at, DEEDS["edit"])
    if life.replayed and "replay" not in done:
        yield Event(max(_deaths(job), default=job.accepted_at), DEEDS["replay"], dated=False)


def _deaths(job: Job) -> Iterator[float]:
    """Yield when it became a dead letter, as far as its attempts tell, but for the last time if it is one still."""
    for number, attempt in enumerate(job.attempts, 1):
        if attempt.outcome in FINAL and (number < len(job.attempts) or not job.is_letter):
            yield attempt.ended_at


def _end(job: Job) -> Iterator[Event]:
    if job.ended_at is None or job.state not in ENDS:
        return
    told = ENDS[job.state]
    facts: tuple[tuple[str, str], ...] = ()
    if job.state is State.CANCELLED and job.reason == Reason.PURGED:
        told = PURGED
    if job.state is State.DEAD and job.reason in DEATHS:
        facts = (("because", DEATHS[Reason(job.reason)]),)
    yield Event(job.ended_at, f"{told.words}, after", told.tone, max(0.0, job.ended_at - job.accepted_at), facts)
