"""Each check finds its violation, and nothing in consistent evidence."""

from collections import Counter
from collections.abc import Callable
from dataclasses import replace

import pytest

from lanes.queue.job import State
from tests.chaos.checks import explain_repeats, max_per_window, violations
from tests.chaos.evidence import Arrival, Evidence, Injected
from tests.chaos.journal import AcceptedJob
from tests.chaos.traffic import RecordKind

LIMIT, WINDOW, LEASE = 3, 1.0, 5.0


def accepted_job(
    uid: str, contact: str, n: int, at: float, kind: RecordKind = RecordKind.PLAIN, *, cancelled: bool = False
) -> AcceptedJob:
    return AcceptedJob(uid, f"job-{uid}", kind, "loc", contact, n, at, at + 0.01, cancelled)


def arrival(uid: str, contact: str, n: int, at: float, status: int | None = 200, **fields: object) -> Arrival:
    pipeline = "nowhere" if status == 400 else "pipe"
    values = {"applied": status in (200, 201), **fields}
    return Arrival(uid, n, ("loc", pipeline, contact), at, status, **values)  # type: ignore[arg-type]


CONSISTENT = Evidence(
    accepted_jobs=[
        accepted_job("a1", "a", 1, 10),
        accepted_job("a2", "a", 2, 11),
        accepted_job("b1", "b", 1, 12, RecordKind.MERGED),
        accepted_job("b2", "b", 2, 12.5, RecordKind.MERGED),
        accepted_job("r1", "r", 1, 13, RecordKind.REFUSED),
        accepted_job("x1", "x", 1, 13, RecordKind.EXPIRING),
        accepted_job("c1", "c", 1, 14, RecordKind.CANCELLED, cancelled=True),
    ],
    stored={
        "job-a1": State.DELIVERED,
        "job-a2": State.DELIVERED,
        "job-b1": State.DELIVERED,
        "job-b2": State.MERGED,
        "job-r1": State.DEAD,
        "job-x1": State.EXPIRED,
        "job-c1": State.CANCELLED,
    },
    merge_targets={"job-b2": "job-b1"},
    counts={
        "accepted": 7,
        "pending": 0,
        "in_flight": 0,
        "delivered": 3,
        "dead": 1,
        "cancelled": 1,
        "expired": 1,
        "merged": 1,
    },
    arrivals=[
        arrival("a1", "a", 1, 20),
        arrival("a2", "a", 2, 21),
        arrival("b2", "b", 2, 22),
        arrival("r1", "r", 1, 23, 400),
    ],
    injected=[],
    limit=LIMIT,
    window=WINDOW,
    lease=LEASE,
)
Change = Callable[[Evidence], Evidence]


def without(job_id: str, state: State) -> Change:
    """A job that is nowhere, and counted nowhere."""

    def change(consistent: Evidence) -> Evidence:
        stored = {known: at for known, at in consistent.stored.items() if known != job_id}
        counts = {
            **consistent.counts,
            "accepted": consistent.counts["accepted"] - 1,
            state: consistent.counts[state] - 1,
        }
        return replace(consistent, stored=stored, counts=counts)

    return change


def counted(**counts: int) -> Change:
    return lambda consistent: replace(consistent, counts={**consistent.counts, **counts})


def stood(job_id: str, before: State, after: State) -> Change:
    """A job that ended otherwise, and is counted so."""

    def change(consistent: Evidence) -> Evidence:
        counts = {**consistent.counts, before: consistent.counts[before] - 1}
        counts[after] = counts[after] + 1
        return replace(consistent, stored={**consistent.stored, job_id: after}, counts=counts)

    return change


def arrived(*arrivals: Arrival) -> Change:
    return lambda consistent: replace(consistent, arrivals=[*consistent.arrivals, *arrivals])


def but_for(uid: str) -> Change:
    return lambda consistent: replace(consistent, arrivals=[one for one in consistent.arrivals if one.uid != uid])


WRONG: dict[str, tuple[Change, list[str]]] = {
    "a lost job": (without("job-x1", State.EXPIRED), ["lost: job job-x1"]),
    "a job that was not accepted": (counted(accepted=8, delivered=4), ["miscounted: 8 accepted", "miscounted: 4 d"]),
    "a count that drifted": (counted(delivered=2), ["miscounted: 2 delivered"]),
    "a job that never ended": (stood("job-x1", State.EXPIRED, State.PENDING), ["unfinished: 1 jobs are still pending"]),
    "a delivery that did not arrive": (but_for("a1"), ["not sent: a1"]),
    "a merged job that did not arrive": (but_for("b2"), ["overwritten: "]),
    "a good job that died": (stood("job-a2", State.DELIVERED, State.DEAD), ["dead without need: a2", "overwritten"]),
    "a bad job that was delivered": (stood("job-r1", State.DEAD, State.DELIVERED), ["not sent: r1", "overwritten"]),
    "a cancelled job that expired": (
        stood("job-c1", State.CANCELLED, State.EXPIRED),
        ["not cancelled: c1"],
    ),
    "a job that expired though it had no end": (
        lambda consistent: but_for("a1")(stood("job-a1", State.DELIVERED, State.EXPIRED)(consistent)),
        ["expired without need: a1"],
    ),
    "an old word that overwrote a new one": (
        arrived(arrival("a1", "a", 1, 30)),
        ["order: a1 ", "sent again without need: a1", "overwritten: "],
    ),
    "an old word after a new one, that took no effect": (
        arrived(arrival("a1", "a", 1, 30, 500)),
        ["order: a1 ", "sent again without need: a1"],
    ),
    "a window that is too full": (
        arrived(*(arrival("a2", "a", 2, 21.1 + place / 10, 503) for place in range(3))),
        ["limit: 4 requests of loc in 1 s", "sent again without need: a2"],
    ),
    "a 429 that we provoked": (
        arrived(arrival("a2", "a", 2, 31, 429, rate_limited=True)),
        ["limit: 1 requests were answered 429", "sent again without need: a2"],
    ),
    "an unexplained duplicate": (arrived(arrival("a2", "a", 2, 31)), ["sent again without need: a2"]),
    "a request of a job that was not accepted": (arrived(arrival("z9", "z", 1, 31)), ["unknown: a request for z9"]),
    "a surprised producer": (
        lambda consistent: replace(consistent, unexpected=["producer: KeyError"]),
        ["producer: KeyError"],
    ),
    "what lanes check finds": (lambda consistent: replace(consistent, findings=["lanes check: x"]), ["lanes check: x"]),
}


def test_a_correct_run_has_no_violations() -> None:
    assert violations(CONSISTENT) == []


@pytest.mark.parametrize("what", WRONG)
def test_what_is_wrong_is_found(what: str) -> None:
    change, expected = WRONG[what]
    found = violations(change(CONSISTENT))
    assert len(found) == len(expected), found
    assert all(line.startswith(start) for line, start in zip(sorted(found), sorted(expected), strict=True)), found


def test_each_end_is_told() -> None:
    told = {**CONSISTENT.stored, "job-b2": State.DELIVERED}
    assert violations(replace(CONSISTENT, told=told)) == []
    for job_id, state in told.items():
        missing = replace(CONSISTENT, told={known: each for known, each in told.items() if known != job_id})
        assert violations(missing) == [f"untold: job {job_id} is {state}, and its service was told nothing"]
    wrong = replace(CONSISTENT, told={**told, "job-b2": State.DEAD})
    assert violations(wrong) == ["untold: job job-b2 is delivered, and its service was told dead"]


EMPTIED = Injected("Redis restarted empty", 14.5, 15.5, None, emptied_at=15.5)


def test_jobs_accepted_before_redis_was_emptied_are_gone_by_definition() -> None:
    gone = replace(
        CONSISTENT,
        injected=[EMPTIED],
        stored={},
        counts=Counter(),
        arrivals=[arrival("a2", "a", 2, 14), arrival("a1", "a", 1, 14.1)],
    )
    assert [line.split(":")[0] for line in violations(gone)] == ["order"]
    fresh = accepted_job("a3", "a", 1, 16)
    assert violations(replace(gone, accepted_jobs=[*CONSISTENT.accepted_jobs, fresh]))[0].startswith("lost: job job-a3")
    again = replace(
        gone,
        accepted_jobs=[*CONSISTENT.accepted_jobs, fresh],
        stored={"job-a3": State.DELIVERED},
        counts=Counter(accepted=1, delivered=1),
        arrivals=[arrival("a2", "a", 2, 14), arrival("a3", "a", 1, 17)],
    )
    assert violations(again) == []


def test_how_jobs_ended_before_redis_was_emptied_is_judged_too() -> None:
    before = replace(CONSISTENT, injected=[EMPTIED], stored={}, gone=CONSISTENT.stored, counts=Counter())
    assert violations(before) == []
    assert [line.split(":")[0] for line in violations(but_for("a1")(before))] == ["not sent"]
    died = replace(before, gone={**CONSISTENT.stored, "job-a2": State.DEAD})
    assert violations(died) == ["dead without need: a2"]
    waited = replace(but_for("a2")(before), gone={**CONSISTENT.stored, "job-a2": State.PENDING})
    assert violations(waited) == []
    assert State.PENDING not in waited.ends.values()


def test_windows_are_not_counted_across_an_emptied_redis() -> None:
    full = [arrival(f"a{place}", f"a{place}", 1, at) for place, at in enumerate((14.1, 14.2, 14.3, 16.9, 17.0, 17.1))]
    assert max_per_window(replace(CONSISTENT, arrivals=full, injected=[EMPTIED])) == {"loc": 3}
    assert max_per_window(replace(CONSISTENT, arrivals=[*full, arrival("b", "b", 1, 17.2)], injected=[EMPTIED])) == {
        "loc": 4
    }


KILLED = Injected("worker killed", 20.5, 22, repeats=1)
CUT = Injected("connections cut", 20.5, 22, repeats=None)
PAUSED = Injected("redis paused", 100, 110, repeats=None)
TWICE = arrived(arrival("a2", "a", 2, 26))
THRICE = arrived(arrival("a2", "a", 2, 26), arrival("a2", "a", 2, 26.5))


@pytest.mark.parametrize(
    ("change", "injected", "causes", "unexplained"),
    [
        (TWICE, [KILLED], {"worker killed": 1}, 0),
        (THRICE, [KILLED], {"worker killed": 1}, 1),
        (TWICE, [CUT, KILLED], {"worker killed": 1}, 0),
        (TWICE, [PAUSED], {}, 1),
        (TWICE, [replace(CUT, repeats=0)], {}, 1),
        (arrived(arrival("r1", "r", 1, 30, 400)), [], {}, 1),
        (
            lambda consistent: arrived(arrival("a2", "a", 2, 21.5))(_answered(consistent, "a2", 503)),
            [],
            {"API: 503": 1},
            0,
        ),
        (lambda consistent: arrived(arrival("a2", "a", 2, 21.5))(_answered(consistent, "a2", None)), [], {}, 1),
    ],
    ids=["killed", "killed-but-twice", "bounded-first", "later", "costs-nothing", "400", "503", "no-answer"],
)
def test_each_repeat_has_a_cause(
    change: Change, injected: list[Injected], causes: dict[str, int], unexplained: int
) -> None:
    found = explain_repeats(change(replace(CONSISTENT, injected=injected)))
    assert (dict(found.by_cause), len(found.unexplained)) == (causes, unexplained)


@pytest.mark.parametrize(("fault", "explained"), [("reset", 1), ("early_hints", 0), ("two_answers", 0)])
def test_a_fault_that_leaves_the_answer_is_no_cause_of_a_repeat(fault: str, explained: int) -> None:
    befallen = [replace(one, fault=fault) if one.uid == "a2" else one for one in CONSISTENT.arrivals]
    found = explain_repeats(arrived(arrival("a2", "a", 2, 21.5))(replace(CONSISTENT, arrivals=befallen)))
    assert (found.by_cause.total(), len(found.unexplained)) == (explained, 1 - explained)


def _answered(consistent: Evidence, uid: str, status: int | None) -> Evidence:
    return replace(
        consistent, arrivals=[replace(one, status=status) if one.uid == uid else one for one in consistent.arrivals]
    )


@pytest.mark.parametrize(
    ("kind", "found_without"),
    [(RecordKind.TIMED, {"not sent", "unknown"}), (RecordKind.TIMED_MERGED, {"unknown"})],
)
def test_an_event_that_is_older_than_a_forgotten_job_may_come_without_its_fields(
    kind: RecordKind, found_without: set[str]
) -> None:
    newer, late = (accepted_job(f"t{n}", "t", n, 17 - n, kind) for n in (2, 1))
    found = replace(
        CONSISTENT,
        accepted_jobs=[*CONSISTENT.accepted_jobs, newer, late],
        stored={**CONSISTENT.stored, newer.job_id: State.DELIVERED, late.job_id: State.DELIVERED},
        counts={**CONSISTENT.counts, "accepted": 9, "delivered": 5},
        arrivals=[*CONSISTENT.arrivals, arrival("t2", "t", 2, 15.5), arrival("", "t", 0, 16.5)],
    )
    assert {line.split(":")[0] for line in violations(found)} == found_without
    assert violations(replace(found, forgotten=1)) == []
