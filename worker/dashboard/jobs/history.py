"""The story of a job, from its acceptance to its end. Pure: what Redis knows of it in, what happened out."""

from collections.abc import Iterator
from dataclasses import dataclass
from enum import StrEnum
from typing import Any

from lanes.activity.audit_log import AuditLogEntry
from lanes.queue.job import Attempt, Job, Reason, State


class Tone(StrEnum):
    """How an event is to be looked at; a class of the style sheet."""

    PLAIN = "plain"
    GOOD = "good"
    WARN = "warn"
    BAD = "bad"


@dataclass(frozen=True, slots=True)
class HistoryEvent:
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
class OutcomeLabel:
    """What an outcome of an attempt is called, and how it is to be looked at."""

    words: str
    tone: Tone


OUTCOME_LABELS = {
    "delivered": OutcomeLabel("delivered", Tone.GOOD),
    "retry": OutcomeLabel("failed, for a reason that may pass", Tone.WARN),
    "unconfirmed": OutcomeLabel("not confirmed: it is unknown whether the API took it", Tone.WARN),
    "throttled": OutcomeLabel("throttled: the API said 429, no attempt is spent", Tone.WARN),
    "braked": OutcomeLabel("refused while the brake of its lane closed: no attempt is spent", Tone.WARN),
    "requeued": OutcomeLabel("sent again with another token, no attempt is spent", Tone.WARN),
    "lost": OutcomeLabel("lost: the lease ended without a report, the job was taken back", Tone.WARN),
    Reason.REFUSED: OutcomeLabel("refused by the API", Tone.BAD),
    Reason.UNAUTHORIZED: OutcomeLabel("refused: the token is not accepted", Tone.BAD),
    Reason.EXHAUSTED: OutcomeLabel("failed for the last time", Tone.BAD),
}
PAUSE_LABELS = {
    "retry": "backoff",
    "unconfirmed": "backoff",
    "throttled": "waited for its lane, which paused",
    "braked": "waited for its lane, which was on the brake",
}
FINAL = (Reason.REFUSED, Reason.UNAUTHORIZED, Reason.EXHAUSTED)
# How an attempt's notes are called; in this order. Seconds stand by themselves.
DETAIL_LABELS = {
    "status": "status",
    "code": "code",
    "message": "message",
    "warning": "warning",
    "opportunity_id": "opportunity",
    "new": "created it",
    "trace_id": "trace id",
    "worker": "worker",
}
STATE_LABELS = {
    State.DELIVERED: OutcomeLabel("delivered", Tone.GOOD),
    State.DEAD: OutcomeLabel("a dead letter", Tone.BAD),
    State.EXPIRED: OutcomeLabel("expired: its time was over before it was sent", Tone.BAD),
    State.CANCELLED: OutcomeLabel("cancelled", Tone.PLAIN),
}
REASON_LABELS = {
    Reason.REFUSED: "the API refused it",
    Reason.EXHAUSTED: "its attempts or its time are spent",
    Reason.UNCONFIRMED: "no answer confirmed it, so the API may have it",
    Reason.UNAUTHORIZED: "the token was not accepted; its lane was held",
}
PURGED_LABEL = OutcomeLabel("given up by hand", Tone.PLAIN)
# What people do, as the trail names it.
ACTION_LABELS = {
    "edit": "its body was edited",
    "replay": "sent again by hand",
    "purge": "given up",
    "cancel": "taken back",
    "reveal": "its body was looked at",
}
# Shorter pauses between attempts are not worth a line.
MIN_PAUSE = 0.001


@dataclass(frozen=True, slots=True)
class HistorySources:
    """What is known of a job: itself (of a merged one, with what became of its carrier), how many jobs were merged into
    it, whether it was ever replayed, and what people did to it.
    """

    job: Job
    merged_count: int = 0
    replayed: bool = False
    audit_entries: tuple[AuditLogEntry, ...] = ()


def history_of(sources: HistorySources) -> list[HistoryEvent]:
    """Return what happened to a job, in order."""
    happened = [*_acceptance(sources), *_attempts(sources.job), *_manual_changes(sources), *_end(sources.job)]
    return sorted(
        happened, key=lambda event: event.at
    )  # what has the same time stays in the order in which it was told


def _acceptance(sources: HistorySources) -> Iterator[HistoryEvent]:
    job = sources.job
    facts = [("service", job.service)] if job.service else []
    if job.event_time is not None:
        facts.append(("of an event", f"{job.accepted_at - job.event_time:.1f} s before"))
    yield HistoryEvent(job.accepted_at, "accepted", facts=tuple(facts))
    if job.merged_into is not None:
        yield HistoryEvent(job.accepted_at, "merged into a job that delivers it too:", job_id=job.merged_into)
    if sources.merged_count:
        others = "another job was" if sources.merged_count == 1 else f"{sources.merged_count} other jobs were"
        yield HistoryEvent(job.accepted_at, f"{others} merged into it", dated=False)


def _attempts(job: Job) -> Iterator[HistoryEvent]:
    before: Attempt | None = None
    for attempt in job.attempts:
        if before is not None and attempt.started_at - before.ended_at >= MIN_PAUSE:
            words = "waited" if before.outcome in FINAL else PAUSE_LABELS.get(before.outcome, "waited for its turn")
            yield HistoryEvent(before.ended_at, words, seconds=attempt.started_at - before.ended_at)
        yield _attempt(attempt)
        before = attempt


def _attempt(attempt: Attempt) -> HistoryEvent:
    label = OUTCOME_LABELS.get(attempt.outcome, OutcomeLabel(attempt.outcome, Tone.PLAIN))
    seconds = attempt.detail.get("seconds", attempt.ended_at - attempt.started_at)
    facts = tuple(
        (label, _text(attempt.detail[name])) for name, label in DETAIL_LABELS.items() if name in attempt.detail
    )
    return HistoryEvent(attempt.started_at, f"attempt {attempt.number}: {label.words}", label.tone, seconds, facts)


def _text(value: Any) -> str:
    if isinstance(value, bool):
        return "yes" if value else "no"
    return "; ".join(map(_text, value)) if isinstance(value, list) else str(value)


def _manual_changes(sources: HistorySources) -> Iterator[HistoryEvent]:
    """Yield what people did to it: as the trail tells, and what is known without it."""
    job, done = sources.job, {entry.what for entry in sources.audit_entries}
    for entry in sources.audit_entries:
        facts = (("by", entry.who), *((("note", entry.detail),) if entry.detail else ()))
        yield HistoryEvent(entry.at, ACTION_LABELS.get(entry.what, entry.what), facts=facts)
    if job.edited_at is not None and "edit" not in done:
        yield HistoryEvent(job.edited_at, ACTION_LABELS["edit"])
    if sources.replayed and "replay" not in done:
        yield HistoryEvent(max(_failure_times(job), default=job.accepted_at), ACTION_LABELS["replay"], dated=False)


def _failure_times(job: Job) -> Iterator[float]:
    """Yield when it became a dead letter, as far as its attempts tell, but for the last time if it is one still."""
    for number, attempt in enumerate(job.attempts, 1):
        if attempt.outcome in FINAL and (number < len(job.attempts) or not job.is_dead_letter):
            yield attempt.ended_at


def _end(job: Job) -> Iterator[HistoryEvent]:
    if job.ended_at is None or job.state not in STATE_LABELS:
        return
    label = STATE_LABELS[job.state]
    facts: tuple[tuple[str, str], ...] = ()
    if job.state is State.CANCELLED and job.reason == Reason.PURGED:
        label = PURGED_LABEL
    if job.state is State.DEAD and job.reason in REASON_LABELS:
        facts = (("because", REASON_LABELS[Reason(job.reason)]),)
    yield HistoryEvent(
        job.ended_at, f"{label.words}, after", label.tone, max(0.0, job.ended_at - job.accepted_at), facts
    )
