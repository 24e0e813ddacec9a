"""deliver, retry, throttle, bury: what a report changes of the whole of Redis."""

from lanes.queue.results import Released, Result
from tests.lanes.conftest import START, ClockedStore, Orders
from tests.lanes.scripts.outcomes import advances, ends, in_flight
from tests.lanes.whole_state import (
    KEPT,
    KNOWN,
    dead_letter_indexed,
    fields_of,
    held,
    make_consumer,
    report,
    send,
    watch,
)


def test_deliver_keeps_the_job_for_a_while_without_its_body(store: ClockedStore, order: Orders) -> None:
    job = in_flight(store, order)
    with watch(store) as changed:
        assert store.deliver(report(job), retention=KEPT) == Result("delivered", None, elapsed=2.0, wait=2.0)
    assert changed == ends("delivered", "delivered") | advances() | {
        "body:job1": '{"n":1} -> gone',
        "job:job1.ended_at": "t+2",
        "job:job1 ttl": "60 min",
        "attempts:job1 ttl": "60 min",
        "lane:loc.delivered": "1",
    }


def test_deliver_takes_the_next_of_the_record_in_the_same_call(store: ClockedStore, order: Orders) -> None:
    job = in_flight(store, order)
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
    job = in_flight(store, order)
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
    job = in_flight(store, order)
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
    job = in_flight(store, order)
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
    job = in_flight(store, order)
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
    job = in_flight(store, order)
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
