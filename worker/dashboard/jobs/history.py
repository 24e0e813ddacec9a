"""The history of a job, from enqueue to its end. Pure functions."""

from collections.abc import Iterator
from dataclasses import dataclass
from enum import StrEnum
from typing import Any

from lanes.activity.audit_log import AuditLogEntry
from lanes.queue.job import Attempt, Job, Reason, State


class Tone(StrEnum):
    """How an event is shown; a class of the style sheet."""

    PLAIN = "plain"
    GOOD = "good"
    WARN = "warn"
    BAD = "bad"


@dataclass(frozen=True, slots=True)
class HistoryEvent:
    """An event of a job. `at` is in seconds since the epoch; if not `dated`, only the order is known.

    `seconds` follows the words; `facts` are names and values; `job_id` is another job.
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
    """The words for an outcome, and how it is shown."""

    words: str
    tone: Tone


OUTCOME_LABELS = {
    "delivered": OutcomeLabel("delivered", Tone.GOOD),
    "retry": OutcomeLabel("failed with a transient error", Tone.WARN),
    "unconfirmed": OutcomeLabel("not confirmed: the API may have accepted it", Tone.WARN),
    "throttled": OutcomeLabel("throttled: the API answered 429, no attempt is spent", Tone.WARN),
    "braked": OutcomeLabel("refused while the brake of its lane closed: no attempt is spent", Tone.WARN),
    "requeued": OutcomeLabel("sent again with another token, no attempt is spent", Tone.WARN),
    "lost": OutcomeLabel("lost: the lease ended without a report, the job was taken back", Tone.WARN),
    Reason.REFUSED: OutcomeLabel("refused by the API", Tone.BAD),
    Reason.UNAUTHORIZED: OutcomeLabel("refused: the token is not accepted", Tone.BAD),
    Reason.EXHAUSTED: OutcomeLabel("failed, no attempt is left", Tone.BAD),
}
PAUSE_LABELS = {
    "retry": "backoff",
    "unconfirmed": "backoff",
    "throttled": "waited: its lane paused",
    "braked": "waited: its lane was on the brake",
}
FINAL = (Reason.REFUSED, Reason.UNAUTHORIZED, Reason.EXHAUSTED)
# The labels of an attempt's details, in their order.
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
    State.EXPIRED: OutcomeLabel("expired before it was sent", Tone.BAD),
    State.CANCELLED: OutcomeLabel("cancelled", Tone.PLAIN),
}
REASON_LABELS = {
    Reason.REFUSED: "the API refused it",
    Reason.EXHAUSTED: "its attempts or its time ran out",
    Reason.UNCONFIRMED: "no answer confirmed it, so the API may have it",
    Reason.UNAUTHORIZED: "the token was not accepted; its lane was held",
}
PURGED_LABEL = OutcomeLabel("purged", Tone.PLAIN)
# The actions of the audit log.
ACTION_LABELS = {
    "edit": "its body was edited",
    "replay": "replayed",
    "purge": "purged",
    "cancel": "cancelled by hand",
    "reveal": "its body was revealed",
    "task send-task": "sent as a Celery task by Flower's API",
    "task async-apply": "sent as a Celery task by Flower's API",
    "task apply": "sent as a Celery task by Flower's API",
}
# Shorter pauses between attempts are not shown, in seconds.
MIN_PAUSE = 0.001


@dataclass(frozen=True, slots=True)
class HistorySources:
    """A job (a merged one with the state of its merge target), how many jobs were merged into it, whether it was ever
    replayed, and its audit-log entries.
    """

    job: Job
    merged_count: int = 0
    replayed: bool = False
    audit_entries: tuple[AuditLogEntry, ...] = ()


def history_of(sources: HistorySources) -> list[HistoryEvent]:
    """Return the events of a job, in order."""
    events = [*_acceptance(sources), *_attempts(sources.job), *_manual_changes(sources), *_end(sources.job)]
    return sorted(events, key=lambda event: event.at)


def _acceptance(sources: HistorySources) -> Iterator[HistoryEvent]:
    job = sources.job
    facts = [("service", job.service)] if job.service else []
    if job.event_time is not None:
        facts.append(("event time", f"{job.accepted_at - job.event_time:.1f} s before"))
    yield HistoryEvent(job.accepted_at, "accepted", facts=tuple(facts))
    if job.merged_into is not None:
        yield HistoryEvent(job.accepted_at, "merged into the job that delivers it:", job_id=job.merged_into)
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
    """Yield the changes by hand: from the audit log, and from the job itself."""
    job, done = sources.job, {entry.what for entry in sources.audit_entries}
    for entry in sources.audit_entries:
        facts = (("by", entry.person), *((("note", entry.detail),) if entry.detail else ()))
        yield HistoryEvent(entry.at, ACTION_LABELS.get(entry.what, entry.what), facts=facts)
    if job.edited_at is not None and "edit" not in done:
        yield HistoryEvent(job.edited_at, ACTION_LABELS["edit"])
    if sources.replayed and "replay" not in done:
        yield HistoryEvent(max(_failure_times(job), default=job.accepted_at), ACTION_LABELS["replay"], dated=False)


def _failure_times(job: Job) -> Iterator[float]:
    """Yield when its attempts made it a dead letter, without the last time if it still is one."""
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
