"""deliver, retry, throttle, bury: what a report changes of the whole of Redis."""

from collections.abc import Callable

import pytest

from lanes.queue.results import Released, Result
from lanes.queue.transitions import AttemptReport
from tests.lanes.conftest import START, ClockedStore, Orders
from tests.lanes.whole_state import (
    KEPT,
    KNOWN,
    dead_letter_indexed,
    dead_letter_unindexed,
    fields_of,
    held,
    make_consumer,
    report,
    send,
    watch,
)

RECORD = "pipe/contact"
OUTCOMES: dict[str, Callable[[ClockedStore, AttemptReport], Result]] = {
    "deliver": lambda store, about: store.deliver(about, retention=KEPT),
    "retry": lambda store, about: store.retry(about, delay=9),
    "throttle": lambda store, about: store.throttle(about, wait=4),
    "bury": lambda store, about: store.bury(about, reason="refused", hold="no access"),
}

WRITTEN = {"deliver": "delivered", "retry": "retry", "throttle": "throttled", "bury": "refused"}


@pytest.fixture(params=OUTCOMES)
def outcome(request: pytest.FixtureRequest) -> str:
    """Each outcome in turn."""
    return str(request.param)


def ends(outcome: str, state: str) -> dict[str, str]:
    """What every outcome of a job in flight changes, two seconds after its release."""
    return {
        "attempts:job1": f'1 {outcome} t+0 t+2 {{"status":200}}',
        "job:job1.state": f"in_flight -> {state}",
        "leases.job1": "t+60 -> gone",
        "rate_slots:loc.job1:1": "t+70 -> t+12",
        "lane:loc.in_flight": "1 -> 0",
    }


def advances(to: str | None = None) -> dict[str, str]:
    """How the record of a job that is done with goes on."""
    if to is None:
        return {f"active:loc.{RECORD}": "job1 -> gone"}
    return {f"active:loc.{RECORD}": f"job1 -> {to}", f"blocked:loc:{RECORD}": f"{to} -> gone"}


def in_hand(store: ClockedStore, order: Orders) -> Released:
    """A job that went out two seconds ago."""
    store.enqueue(order(expires_at=START + 100), KNOWN)
    job = send(store)
    store.pass_time(2)
    return job


def test_deliver_keeps_the_job_for_a_while_without_its_body(store: ClockedStore, order: Orders) -> None:
    job = in_hand(store, order)
    with watch(store) as changed:
        assert store.deliver(report(job), retention=KEPT) == Result("delivered", None)
    assert changed == ends("delivered", "delivered") | advances() | {
        "body:job1": '{"n":1} -> gone',
        "job:job1.ended_at": "t+2",
        "job:job1 ttl": "60 min",
        "attempts:job1 ttl": "60 min",
        "lane:loc.delivered": "1",
    }


def test_deliver_takes_the_next_of_the_record_in_the_same_call(store: ClockedStore, order: Orders) -> None:
    job = in_hand(store, order)
    store.enqueue(order(), KNOWN)
    with watch(store) as changed:
        taken = store.deliver(report(job), retention=KEPT, release_for=make_consumer()).next
    assert isinstance(taken, Released)
    assert taken.id == "job2"
    expected = (
        ends("delivered", "delivered")
        | advances("job2")
        | {
            "body:job1": '{"n":1} -> gone',
            "job:job1.ended_at": "t+2",
            "job:job1 ttl": "60 min",
            "attempts:job1 ttl": "60 min",
            **fields_of(
                "job:job2", state="pending -> in_flight", attempt="1", number="2", released_at="t+2", worker="w1"
            ),
            "leases.job2": "t+62",
            "rate_slots:loc.job2:1": "t+72",
            "consumer:w1": "job1:1 -> job2:1",
            **fields_of("lane:loc", delivered="1", pending="1 -> 0", released="1 -> 2"),
        }
    )
    del expected["lane:loc.in_flight"]  # one ended, one began
    assert changed == expected


def test_retry_waits_for_its_backoff_and_holds_back_its_record_only(store: ClockedStore, order: Orders) -> None:
    job = in_hand(store, order)
    store.enqueue(order(), KNOWN)
    with watch(store) as changed:
        assert store.retry(report(job), delay=9).code == "retried"
    assert changed == ends("retry", "pending") | {
        "job:job1.failures": "1",
        "delayed:loc.job1": "t+11",
        "due.loc": "t+11",
        "expiring.job1": "t+100",
        **fields_of("lane:loc", pending="1 -> 2", retried="1"),
    }


def test_throttle_makes_the_lane_wait_and_spends_no_attempt(store: ClockedStore, order: Orders) -> None:
    job = in_hand(store, order)
    store.enqueue(order(), KNOWN)
    with watch(store) as changed:
        assert store.throttle(report(job), wait=4).code == "throttled"
    assert changed == ends("throttled", "pending") | {
        "ready:loc.job1": "1",
        "due.loc": "t+6",
        "expiring.job1": "t+100",
        **fields_of("lane:loc", pending="1 -> 2", throttled="1", throttled_until="t+6"),
    }


def test_a_shorter_wait_does_not_shorten_a_longer_one(store: ClockedStore, order: Orders) -> None:
    store.enqueue_many([order(record="a"), order(record="b")], KNOWN)
    first, second = send(store, "w1"), send(store, "w2")
    store.throttle(report(first), wait=40)
    with watch(store) as changed:
        store.throttle(report(second), wait=4)
    assert "lane:loc.throttled_until" not in changed


def test_bury_keeps_body_and_attempts_and_lets_the_record_go_on(store: ClockedStore, order: Orders) -> None:
    job = in_hand(store, order)
    store.enqueue(order(), KNOWN)
    with watch(store) as changed:
        assert store.bury(report(job), reason="refused").code == "buried"
    assert changed == ends("refused", "dead") | advances("job2") | dead_letter_indexed() | {
        **fields_of("job:job1", ended_at="t+2", reason="refused"),
        "dead.job1": "t+2",
        "ready:loc.job2": "2",
        "due.loc": "t+2",
        "lane:loc.dead": "1",
        "lane:loc.unsent": "1",  # without an answer, none was sent
    }


def test_bury_with_a_hold_reason_holds_the_lane(store: ClockedStore, order: Orders) -> None:
    job = in_hand(store, order)
    store.enqueue(order(), KNOWN)
    store.enqueue(order(record="other"), KNOWN)
    with watch(store) as changed:
        assert store.bury(report(job), reason="unauthorized", hold="no access").code == "buried"
    assert changed == ends("unauthorized", "dead") | advances("job2") | dead_letter_indexed() | {
        **fields_of("job:job1", ended_at="t+2", reason="unauthorized"),
        "dead.job1": "t+2",
        "ready:loc.job2": "2",
        "due.loc": "t+2 -> gone",
        "lane:loc.dead": "1",
        **held("loc", "authorization", "no access", at=2),
        "lane:loc.unauthorized": "0 no access",
        "lane:loc.unsent": "1",
    }


def test_the_next_of_the_record_waits_where_it_has_to(store: ClockedStore, order: Orders) -> None:
    job = in_hand(store, order)
    store.enqueue(order(not_before=START + 50), KNOWN)
    with watch(store) as changed:
        store.deliver(report(job), retention=KEPT)
    assert {name: changed[name] for name in ("delayed:loc.job2", "due.loc")} == {
        "delayed:loc.job2": "t+50",
        "due.loc": "t+50",
    }


def test_an_answer_shows_a_blocked_lane_that_it_may_go_on_earlier(store: ClockedStore, order: Orders) -> None:
    store.enqueue_many([order(record=record) for record in "abc"], KNOWN)
    first, _ = send(store, "w1"), send(store, "w2")
    store.release(make_consumer("w3"))
    with watch(store) as changed:
        store.deliver(report(first), retention=KEPT)
    assert {name: changed[name] for name in ("lane:loc.rate_limited_until", "due.loc")} == {
        "lane:loc.rate_limited_until": "t+70 -> t+10",
        "due.loc": "t+70 -> t+10",
    }


def test_a_report_on_no_job_changes_nothing(store: ClockedStore, order: Orders, outcome: str) -> None:
    in_hand(store, order)
    nobody = AttemptReport("nobody", 1, "{}", make_consumer().limits)
    with watch(store) as changed:
        assert OUTCOMES[outcome](store, nobody).code == "unknown"
    assert changed == {}


def test_a_repeated_report_changes_nothing(store: ClockedStore, order: Orders, outcome: str) -> None:
    job = in_hand(store, order)
    OUTCOMES[outcome](store, report(job))
    with watch(store) as changed:
        assert OUTCOMES[outcome](store, report(job)).code == "stale"
    # A 429 counts from any report.
    assert changed == ({"lane:loc.throttled": "1 -> 2"} if outcome == "throttle" else {})


@pytest.mark.parametrize("now", ["pending", "in flight", "dead", "cancelled"])
@pytest.mark.parametrize("failure", ["retry", "throttle", "bury"])
def test_a_late_failure_changes_nothing_but_its_slot(
    store: ClockedStore, order: Orders, now: str, failure: str
) -> None:
    """The job was taken back, and went on without this attempt. The server counted it all the same."""
    job = in_hand(store, order)
    supersede(store, now)
    with watch(store) as changed:
        assert OUTCOMES[failure](store, report(job)).code == "stale"
    slot = {"rate_slots:loc.job1:1": f"t+70 -> t+{store.now + 10 - START:g}"}
    waits = fields_of("lane:loc", throttled="1", throttled_until=f"t+{store.now + 4 - START:g}")
    assert changed == slot | (waits if failure == "throttle" else {})


def supersede(store: ClockedStore, becomes: str) -> None:
    """End the lease of the current attempt; then its job waits, is sent again, fails permanently or is cancelled."""
    store.pass_time(60)
    store.reclaim(9, 1 if becomes == "dead" else 9)
    if becomes == "in flight":
        send(store, "w2")
    if becomes == "cancelled":
        store.cancel("job1", 60)


LOST = '1 lost t+0 t+62 {"message":"the lease ended without a report","worker":"w1"}'
LATE_SUCCESS: dict[str, dict[str, str]] = {
    "pending": {
        **fields_of("job:job1", state="pending -> delivered", ended_at="t+62"),
        "lane:loc.pending": "1 -> 0",
        "ready:loc.job1": "1 -> gone",
        "expiring.job1": "t+100 -> gone",
        **advances(),
    },
    "in flight": {
        **fields_of("job:job1", state="in_flight -> delivered", ended_at="t+62"),
        **fields_of("lane:loc", in_flight="1 -> 0", redundant="1"),
    },
    "dead": {
        **fields_of("job:job1", state="dead -> delivered", reason="exhausted -> gone"),
        "lane:loc.dead": "1 -> 0",
        "dead.job1": "t+62 -> gone",
        **dead_letter_unindexed(),
    },
    "cancelled": {"job:job1.state": "cancelled -> delivered", "lane:loc.cancelled": "1 -> 0"},
}


@pytest.mark.parametrize("now", LATE_SUCCESS)
def test_a_late_success_delivers_the_job_wherever_it_is(store: ClockedStore, order: Orders, now: str) -> None:
    job = in_hand(store, order)
    supersede(store, now)
    with watch(store) as changed:
        assert store.deliver(report(job), retention=KEPT).code == "delivered"
    if now == "cancelled":
        expected = LATE_SUCCESS[now]
        kept = {"job:job1 ttl": "1 min -> 60 min", "attempts:job1 ttl": "1 min -> 60 min"}
    else:
        expected = LATE_SUCCESS[now] | {"body:job1": '{"n":1} -> gone'}
        kept = {"job:job1 ttl": "60 min", "attempts:job1 ttl": "60 min"}
    # When an earlier attempt began is not known any more: the newest stands for it.
    began = "t+62" if now == "in flight" else "t+0"
    assert changed == expected | kept | {
        "attempts:job1": f'{LOST} -> {LOST}, 1 delivered {began} t+62 {{"status":200}}',
        "lane:loc.delivered": "1",
        "rate_slots:loc.job1:1": "t+70 -> t+72",
    }


def test_the_record_of_a_job_that_a_late_success_delivered_goes_on_when_its_last_request_ends(
    store: ClockedStore, order: Orders, outcome: str
) -> None:
    older = in_hand(store, order)
    supersede(store, "in flight")
    store.enqueue(order(), KNOWN)
    store.deliver(report(older), retention=KEPT)
    with watch(store) as changed:
        newest = AttemptReport("job1", older.attempt + 1, "{}", make_consumer().limits)
        assert OUTCOMES[outcome](store, newest).code == "stale"
    assert changed.pop("attempts:job1").endswith(f", 2 {WRITTEN[outcome]} t+62 t+62 {{}}")
    throttled = fields_of("lane:loc", throttled="1", throttled_until="t+66") if outcome == "throttle" else {}
    unsent = fields_of("lane:loc", unsent="1") if outcome == "bury" else {}
    assert changed == throttled | unsent | advances("job2") | {
        "lane:loc.redundant": "1 -> 0",
        "leases.job1": "t+122 -> gone",
        "rate_slots:loc.job1:2": "t+132 -> t+72",
        "ready:loc.job2": "2",
        "due.loc": "t+66" if throttled else "t+62",
    }
