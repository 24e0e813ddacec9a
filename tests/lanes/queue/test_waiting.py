"""The queue position of a job and what it waits for, for every position and every reason."""

from collections.abc import Callable

import pytest

from lanes.queue.job import State
from lanes.queue.lane import WaitReason
from lanes.queue.results import Released
from lanes.queue.waiting import Blocker, PendingState, QueuePosition
from tests.lanes.breaker.outage_steps import BREAKER_POLICY, begin_outage, fail
from tests.lanes.conftest import LIMITS, START, ClockedStore, Orders, make_consumer
from tests.lanes.whole_state import KEPT, KNOWN, report, send, watch

Make = Callable[[ClockedStore, Orders], str]
NEXT = "for a free worker: it is next in its lane"


def where(store: ClockedStore, job_id: str) -> QueuePosition:
    with watch(store) as changed:
        found = store.queue_position(job_id)
    assert changed == {}
    assert found is not None
    return found


def ready(store: ClockedStore, order: Orders) -> str:
    store.enqueue(order(), KNOWN)
    return "job1"


def third(store: ClockedStore, order: Orders) -> str:
    store.enqueue_many([order(record=record) for record in "abc"], KNOWN)
    return "job3"


def urgent(store: ClockedStore, order: Orders) -> str:
    store.enqueue_many([order(record="a"), order(record="b"), order(record="c", priority=5)], KNOWN)
    return "job1"


def not_before(store: ClockedStore, order: Orders) -> str:
    store.enqueue(order(not_before=START + 30), KNOWN)
    return "job1"


def not_before_that_is_over(store: ClockedStore, order: Orders) -> str:
    store.enqueue(order(not_before=START + 30), KNOWN)
    store.pass_time(30)
    return "job1"


def backoff(store: ClockedStore, order: Orders) -> str:
    store.enqueue(order(not_before=START), KNOWN)
    store.retry(report(send(store)), delay=7)
    return "job1"


def behind(store: ClockedStore, order: Orders) -> str:
    store.enqueue_many([order(), order(), order()], KNOWN)
    return "job3"


def behind_a_backoff(store: ClockedStore, order: Orders) -> str:
    store.enqueue_many([order(), order()], KNOWN)
    store.retry(report(send(store)), delay=7)
    return "job2"


def behind_one_in_flight(store: ClockedStore, order: Orders) -> str:
    store.enqueue_many([order(), order()], KNOWN)
    send(store)
    return "job2"


def merged(store: ClockedStore, order: Orders) -> str:
    store.enqueue_many([order(record="other"), order(), order(merge=True)], KNOWN)
    return "job3"


def held(store: ClockedStore, order: Orders) -> str:
    store.hold("loc", "asked <them>", "ada")
    return ready(store, order)


def all_held(store: ClockedStore, order: Orders) -> str:
    store.hold_all("wrong prices", "grace")
    return held(store, order)


def throttled(store: ClockedStore, order: Orders) -> str:
    store.enqueue(order(), KNOWN)
    store.throttle(report(send(store)), wait=9)
    return "job1"


def spent(store: ClockedStore, order: Orders) -> str:
    store.enqueue_many([order(record=record) for record in "abc"], KNOWN)
    for worker in ("w1", "w2", "w3"):
        store.release(make_consumer(worker))
    return "job3"


def outage(store: ClockedStore, order: Orders) -> str:
    begin_outage(store, order)
    return "job1"


def outage_that_ends(store: ClockedStore, order: Orders) -> str:
    begin_outage(store, order)
    store.pass_time(1)
    job = store.release(make_consumer()).next
    assert isinstance(job, Released)
    store.deliver(report(job), retention=KEPT)
    return next(f"job{n}" for n in (1, 2, 3) if f"job{n}" != job.id)


def failing(store: ClockedStore, order: Orders) -> str:
    store.enqueue(order(), KNOWN)
    for _ in range(BREAKER_POLICY.failures):
        store.pass_time(LIMITS.window + 1)
        job = store.release(make_consumer()).next
        assert isinstance(job, Released)
        fail(store, job)
    return "job1"


def in_flight(store: ClockedStore, order: Orders) -> str:
    store.enqueue(order(), KNOWN)
    send(store)
    return "job1"


TURN = Blocker(WaitReason.TURN, NEXT)
HELD = Blocker(WaitReason.LANE_HELD, "because its lane is held by ada: asked <them>")


@pytest.mark.parametrize(
    ("make", "blockers"),
    [
        (ready, [TURN]),
        (third, [Blocker(WaitReason.TURN, "for 2 jobs before it in its lane")]),
        (urgent, [Blocker(WaitReason.TURN, "for 1 job before it in its lane")]),
        (not_before, [Blocker(WaitReason.NOT_BEFORE, "because it must not be sent earlier", START + 30)]),
        (not_before_that_is_over, [TURN]),
        (backoff, [Blocker(WaitReason.BACKOFF, "for its backoff to end", START + 7)]),
        (behind, [Blocker(WaitReason.RECORD, "for 2 older jobs of its record, beginning with", None, "job1")]),
        (
            behind_a_backoff,
            [Blocker(WaitReason.RECORD, "for an older job of its record, beginning with", START + 7, "job1")],
        ),
        (
            behind_one_in_flight,
            [Blocker(WaitReason.RECORD, "for an older job of its record, beginning with", START + 60, "job1")],
        ),
        (merged, [Blocker(WaitReason.TURN, "for 1 job before it in its lane")]),
        (held, [HELD, TURN]),
        (all_held, [Blocker(WaitReason.ALL_HELD, "because all lanes are held by grace: wrong prices"), HELD, TURN]),
        (
            throttled,
            [
                Blocker(
                    WaitReason.PAUSED,
                    "because its lane is paused (by a 429, or while its token is renewed)",
                    START + 9,
                ),
                TURN,
            ],
        ),
        (
            spent,
            [
                Blocker(
                    WaitReason.BUDGET,
                    "for the rate limit of its location, which is used up",
                    START + 30 + LIMITS.window,
                ),
                TURN,
            ],
        ),
        (
            in_flight,
            [
                Blocker(
                    WaitReason.ANSWER,
                    "for the answer to attempt 1, sent by w1; taken back if there is none",
                    START + 60,
                )
            ],
        ),
    ],
    ids=lambda value: getattr(value, "__name__", ""),
)
def test_what_a_job_waits_for(store: ClockedStore, order: Orders, make: Make, blockers: list[Blocker]) -> None:
    assert list(where(store, make(store, order)).blockers()) == blockers


def test_an_outage_and_its_end(store: ClockedStore, order: Orders) -> None:
    wait = where(store, outage(store, order)).blockers()[0]
    assert wait.cause is WaitReason.OUTAGE
    assert wait.words.endswith("the next probe goes out")
    assert wait.until is not None
    assert store.now < wait.until <= store.now + BREAKER_POLICY.gap


def test_an_outage_that_ends(store: ClockedStore, order: Orders) -> None:
    wait = where(store, outage_that_ends(store, order)).blockers()[0]
    assert wait == Blocker(WaitReason.OUTAGE, "because of an outage of the API that ends: 2 requests at a time")


def test_a_lane_that_fails(store: ClockedStore, order: Orders) -> None:
    wait = where(store, failing(store, order)).blockers()[0]
    assert wait.cause is WaitReason.FAILING
    assert "failed 3 times in a row" in wait.words
    assert wait.until is not None


def test_a_merged_job_has_the_queue_position_of_its_merge_target(store: ClockedStore, order: Orders) -> None:
    found = where(store, merged(store, order))
    assert (found.id, found.pending_state, found.ahead) == ("job2", PendingState.READY, 1)


def test_expiry_moves_on_with_the_time_for_which_the_job_was_held(store: ClockedStore, order: Orders) -> None:
    store.enqueue(order(expires_at=START + 60), KNOWN)
    store.hold("loc", "why", "ada")
    store.pass_time(5)
    assert where(store, "job1").expires_at == START + 65
    store.enqueue(order("other"), KNOWN)
    assert where(store, "job2").expires_at is None


@pytest.mark.parametrize("state", [State.DELIVERED, State.DEAD, State.CANCELLED, State.EXPIRED])
def test_a_finished_job_waits_for_nothing(store: ClockedStore, order: Orders, state: State) -> None:
    store.enqueue(order(expires_at=START + 60), KNOWN)
    if state is State.DELIVERED:
        store.deliver(report(send(store)), retention=KEPT)
    if state is State.DEAD:
        store.bury(report(send(store)), reason="refused")
    if state is State.CANCELLED:
        store.cancel("job1", KEPT)
    if state is State.EXPIRED:
        store.pass_time(60)
        store.expire(9)
    found = where(store, "job1")
    assert (found.state, found.blockers()) == (state, ())


def test_a_replayed_job_is_marked_as_replayed(store: ClockedStore, order: Orders) -> None:
    store.enqueue(order(), KNOWN)
    store.bury(report(send(store)), reason="refused")
    assert not where(store, "job1").replayed
    store.replay("job1")
    assert where(store, "job1").replayed


def test_a_missing_job_has_no_queue_position(store: ClockedStore) -> None:
    assert store.queue_position("nobody") is None
