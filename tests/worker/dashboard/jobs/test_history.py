"""The story of a job, for everything that can happen to one."""

from dataclasses import replace
from typing import Any

import pytest

from lanes.activity.audit_log import AuditLogEntry
from lanes.queue.job import Attempt, Job, State
from worker.dashboard.jobs.history import OUTCOME_LABELS, HistoryEvent, HistorySources, Tone, history_of

NEW = Job(
    id="job1",
    location_id="loc",
    record="pipe/contact",
    state=State.PENDING,
    attempt=0,
    failures=0,
    accepted_at=100.0,
    ended_at=None,
    not_before=None,
    expires_at=None,
    service=None,
    reason=None,
    priority=0,
    merged_into=None,
    version="2021-07-28",
    body=None,
    attempts=(),
)


def job(*attempts: tuple[str, float, float], **fields: Any) -> Job:
    """Return a job with attempts: outcome, start and end."""
    return replace(NEW, attempts=tuple(Attempt(n, *each) for n, each in enumerate(attempts, 1)), **fields)


def lines(*reported: HistoryEvent) -> list[str]:
    return [
        f"{event.at:g} {event.words}" + (f" [{event.seconds:g}]" if event.seconds is not None else "")
        for event in reported
    ]


@pytest.mark.parametrize(
    ("sources", "reported"),
    [
        (HistorySources(NEW), ["100 accepted"]),
        (
            HistorySources(job(("delivered", 103, 103.5), state=State.DELIVERED, ended_at=103.5)),
            ["100 accepted", "103 attempt 1: delivered [0.5]", "103.5 delivered, after [3.5]"],
        ),
        (
            HistorySources(job(("retry", 101, 102), ("delivered", 109, 110), state=State.DELIVERED, ended_at=110)),
            [
                "100 accepted",
                "101 attempt 1: failed with a transient error [1]",
                "102 backoff [7]",
                "109 attempt 2: delivered [1]",
                "110 delivered, after [10]",
            ],
        ),
        (
            HistorySources(
                job(("throttled", 101, 102), ("requeued", 112, 113), ("lost", 113, 150), ("retry", 150, 151))
            ),
            [
                "100 accepted",
                "101 attempt 1: throttled: the API answered 429, no attempt is spent [1]",
                "102 waited: its lane paused [10]",
                "112 attempt 2: sent again with another token, no attempt is spent [1]",
                "113 attempt 3: lost: the lease ended without a report, the job was taken back [37]",
                "150 attempt 4: failed with a transient error [1]",
            ],
        ),
        (
            HistorySources(job(("refused", 101, 102), state=State.DEAD, reason="refused", ended_at=102)),
            ["100 accepted", "101 attempt 1: refused by the API [1]", "102 a dead letter, after [2]"],
        ),
        (
            HistorySources(job(("unauthorized", 101, 102), state=State.DEAD, reason="unauthorized", ended_at=102)),
            ["100 accepted", "101 attempt 1: refused: the token is not accepted [1]", "102 a dead letter, after [2]"],
        ),
        (
            HistorySources(job(state=State.EXPIRED, reason="expired", ended_at=160)),
            ["100 accepted", "160 expired before it was sent, after [60]"],
        ),
        (HistorySources(job(state=State.CANCELLED, ended_at=101)), ["100 accepted", "101 cancelled, after [1]"]),
        (
            HistorySources(job(("refused", 101, 102), state=State.CANCELLED, reason="purged", ended_at=200)),
            ["100 accepted", "101 attempt 1: refused by the API [1]", "200 purged, after [100]"],
        ),
        (
            HistorySources(job(state=State.PENDING, merged_into="job0")),
            ["100 accepted", "100 merged into the job that delivers it:"],
        ),
        (HistorySources(NEW, merged_count=1), ["100 accepted", "100 another job was merged into it"]),
        (HistorySources(NEW, merged_count=3), ["100 accepted", "100 3 other jobs were merged into it"]),
        (
            HistorySources(
                job(("refused", 101, 102), ("delivered", 300, 301), state=State.DELIVERED, ended_at=301), replayed=True
            ),
            [
                "100 accepted",
                "101 attempt 1: refused by the API [1]",
                "102 waited [198]",
                "102 replayed",
                "300 attempt 2: delivered [1]",
                "301 delivered, after [201]",
            ],
        ),
        (
            HistorySources(
                job(("refused", 101, 102), edited_at=150.0),
                replayed=True,
                audit_entries=(
                    AuditLogEntry("3", 160.0, "ada", "replay", "job1", "1 of 1"),
                    AuditLogEntry("2", 150.0, "ada", "edit", "job1", ""),
                    AuditLogEntry("1", 140.0, "ada", "reveal", "job1", ""),
                ),
            ),
            [
                "100 accepted",
                "101 attempt 1: refused by the API [1]",
                "140 its body was revealed",
                "150 its body was edited",
                "160 replayed",
            ],
        ),
        (
            HistorySources(
                job(("refused", 101, 102), edited_at=150.0, state=State.DEAD, reason="refused", ended_at=102)
            ),
            [
                "100 accepted",
                "101 attempt 1: refused by the API [1]",
                "102 a dead letter, after [2]",
                "150 its body was edited",
            ],
        ),
    ],
)
def test_the_history(sources: HistorySources, reported: list[str]) -> None:
    assert lines(*history_of(sources)) == reported


def test_every_outcome_of_an_attempt_has_words() -> None:
    known = (
        *("delivered", "retry", "throttled", "braked", "requeued", "lost"),
        *("refused", "unauthorized", "exhausted", "unconfirmed"),
    )
    assert set(OUTCOME_LABELS) == set(known)
    event = history_of(HistorySources(job(("something new", 101, 102))))[1]
    assert (event.words, event.tone) == ("attempt 1: something new", Tone.PLAIN)


def test_what_the_api_said_stands_beside_the_attempt() -> None:
    detail = {"worker": "w@h", "status": 422, "seconds": 0.25, "trace_id": "t1", "message": ["a", "b"], "new": False}
    attempt = Attempt(1, "refused", 101, 102, detail)
    event = history_of(HistorySources(replace(NEW, attempts=(attempt,))))[1]
    assert event.seconds == 0.25
    assert event.facts == (
        ("status", "422"),
        ("message", "a; b"),
        ("created it", "no"),
        ("trace id", "t1"),
        ("worker", "w@h"),
    )


def test_an_event_without_a_time_says_so() -> None:
    dead = job(("refused", 101, 102), ("refused", 300, 301), state=State.DEAD, reason="refused", ended_at=301)
    events = history_of(HistorySources(dead, replayed=True))
    assert [event.words for event in events if not event.dated] == ["replayed"]
    assert next(event.at for event in events if not event.dated) == 102


def test_who_did_it_and_how_late_the_event_was() -> None:
    events = history_of(
        HistorySources(
            replace(NEW, service="crm", event_time=98.5),
            audit_entries=(
                AuditLogEntry("1", 5e9, "ada", "cancel", "job1", "why"),
                AuditLogEntry("2", 6e9, "grace", "task send-task", "job1", "producers.enqueue", "ada@host"),
            ),
        )
    )
    assert events[0].facts == (("service", "crm"), ("event time", "1.5 s before"))
    assert events[1].facts == (("by", "ada"), ("note", "why"))
    assert events[2].words == "sent as a Celery task by Flower's API"
    assert events[2].facts == (("by", "grace (ada@host)"), ("note", "producers.enqueue"))
