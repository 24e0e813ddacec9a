"""Reports that are repeated, late, or about an unknown job: what they change of the whole of Redis."""

import pytest

from lanes.queue.transitions import AttemptReport
from tests.lanes.conftest import START, ClockedStore, Orders
from tests.lanes.scripts.outcomes import OUTCOMES, WRITTEN, advances, in_flight
from tests.lanes.whole_state import (
    KEPT,
    KNOWN,
    dead_letter_unindexed,
    fields_of,
    make_consumer,
    report,
    send,
    watch,
)


@pytest.fixture(params=OUTCOMES)
def outcome(request: pytest.FixtureRequest) -> str:
    """Each outcome, one after another."""
    return str(request.param)


def test_a_report_on_no_job_changes_nothing(store: ClockedStore, order: Orders, outcome: str) -> None:
    in_flight(store, order)
    nobody = AttemptReport("nobody", 1, "{}", make_consumer().limits)
    with watch(store) as changed:
        assert OUTCOMES[outcome](store, nobody).code == "unknown"
    assert changed == {}


def test_a_repeated_report_changes_nothing(store: ClockedStore, order: Orders, outcome: str) -> None:
    job = in_flight(store, order)
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
    """The job was reclaimed and continued without this attempt. The server still counted the request."""
    job = in_flight(store, order)
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
    job = in_flight(store, order)
    supersede(store, now)
    with watch(store) as changed:
        assert store.deliver(report(job), retention=KEPT).code == "delivered"
    if now == "cancelled":
        expected = LATE_SUCCESS[now]
        kept = {"job:job1 ttl": "1 min -> 60 min", "attempts:job1 ttl": "1 min -> 60 min"}
    else:
        expected = LATE_SUCCESS[now] | {"body:job1": '{"n":1} -> gone'}
        kept = {"job:job1 ttl": "60 min", "attempts:job1 ttl": "60 min"}
    if now == "in flight":  # its keys end with the newer request
        kept = {"job:job1.retention": "3600000"}
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
    older = in_flight(store, order)
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
        **dict.fromkeys(("job:job1 ttl", "attempts:job1 ttl"), "60 min"),
        "rate_slots:loc.job1:2": "t+132 -> t+72",
        "ready:loc.job2": "2",
        "due.loc": "t+66" if throttled else "t+62",
    }
