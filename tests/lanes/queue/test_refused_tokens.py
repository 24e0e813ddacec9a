"""A credential is refused: the first job is a dead letter and its lane is held; the others go back as they were."""

import itertools

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from lanes.checks.consistency import check_consistency
from lanes.credentials import CredentialStore
from lanes.queue.job import State
from lanes.queue.lane import HoldCause, Lane
from lanes.queue.results import Idle, Released, Result
from lanes.queue.transitions import AttemptReport, Consumer, DefaultLimits, RateLimitInfo
from tests.lanes.conftest import START, ClockedStore, Orders
from tests.lanes.whole_state import KNOWN, make_consumer, report, send, watch

WIDE = DefaultLimits(burst=1000, window=10, daily=10_000)
PERSON, REFUSED = HoldCause.OPERATOR, HoldCause.AUTHORIZATION
JOBS = 6


def refuse(
    store: ClockedStore, job: Released, version: int = 0, *, sent: bool = True, release_for: Consumer | None = None
) -> Result:
    """Report that the credential of this version was refused: by the API, or before anything was sent."""
    rate_limits = RateLimitInfo() if sent else None
    about = AttemptReport(job.id, job.attempt, '{"status":401}', WIDE, rate_limits)
    return store.bury(about, reason="unauthorized", hold="Invalid JWT", token_version=version, release_for=release_for)


def out(store: ClockedStore, worker: str) -> Released:
    """Release the next job; the rate limit allows any number."""
    job = store.release(make_consumer(worker, WIDE)).next
    assert isinstance(job, Released)
    return job


def lane_of(store: ClockedStore) -> Lane:
    return store.read_lanes(["loc"])[0]


@pytest.mark.parametrize("sent", [True, False], ids=["sent", "unsent"])
def test_the_second_is_requeued_in_order_without_a_spent_attempt(
    store: ClockedStore, order: Orders, sent: bool
) -> None:
    store.enqueue(order(record="first"), KNOWN)
    store.enqueue(order(record="second", expires_at=START + 100), KNOWN)
    first, second = send(store, "w1"), send(store, "w2")
    store.pass_time(2)
    assert refuse(store, first, sent=sent).code == "buried"
    with watch(store) as changed:
        elapsed = 2.0 if sent else None
        assert refuse(store, second, sent=sent, release_for=make_consumer("w2")) == Result(
            "requeued", Idle(None), elapsed
        )
    written = {"attempts:job2": '1 requeued t+0 t+2 {"status":401}', "rate_slots:loc.job2:1": "t+70 -> t+12"}
    answered = {"lane:loc.answered": "1 -> 2"}
    never_sent = {"rate_slots:loc.job2:1": "t+70 -> gone", "lane:loc.unsent": "1 -> 2"}
    assert changed == (written | answered if sent else never_sent) | {
        "job:job2.state": "in_flight -> pending",
        "leases.job2": "t+60 -> gone",
        "lane:loc.in_flight": "1 -> 0",
        "lane:loc.pending": "0 -> 1",
        "ready:loc.job2": "2",
        "expiring.job2": "t+100",
        "consumer:w2": "job2:1 -> gone",
        "consumer:w2 ttl": "1 min -> gone",
    }
    job = store.job("job2")
    assert job is not None
    assert job.failures == 0


def test_in_a_lane_that_a_person_holds_the_first_is_the_dead_letter_and_the_hold_gains_the_cause(
    store: ClockedStore, order: Orders
) -> None:
    for record in "abc":
        store.enqueue(order(record=record), KNOWN)
    first, second, third = (out(store, worker) for worker in ("w1", "w2", "w3"))
    store.hold("loc", "to look at it", "ada")
    held_at = lane_of(store).held_at
    assert held_at is not None
    assert [refuse(store, job).code for job in (first, second, third)] == ["buried", "requeued", "requeued"]
    lane = lane_of(store)
    assert (lane.hold, lane.held_by, lane.hold_causes) == ("to look at it", "ada", (PERSON, REFUSED))
    assert lane.hold_text == "ada: to look at it; authorization: Invalid JWT"
    shown = lane.as_json()
    assert (shown["hold_causes"], shown["unauthorized"]) == (["operator", "authorization"], "Invalid JWT")
    where = store.queue_position(second.id)
    assert where is not None
    assert where.blockers()[0].words == f"because its lane is held by {lane.hold_text}"
    assert [notification["by"] for notification in notifications(store)] == ["ada", "authorization"]
    # A person who saw only the first hold did not see that sending is of no use.
    assert store.resume("loc", held_at) == "changed"
    assert store.resume("loc", lane.held_at) == "resumed"
    assert lane_of(store).hold_causes == ()
    assert list(check_consistency(store)) == []


def notifications(store: ClockedStore) -> list[dict[str, object]]:
    found = []
    while notification := store.claim_notification(60, None):
        found.append(dict(notification.facts))
        store.ack_notification(notification)
    return found


def test_a_person_who_holds_a_lane_that_is_held_for_its_credential_keeps_that_cause(
    store: ClockedStore, order: Orders
) -> None:
    store.enqueue(order(), KNOWN)
    refuse(store, send(store))
    for reason in ("to look at it", "to look again"):
        store.pass_time(1)
        store.hold("loc", reason, "ada")
        lane = lane_of(store)
        assert (lane.hold, lane.held_by, lane.hold_causes) == (reason, "ada", (PERSON, REFUSED))
    CredentialStore(store).store_credential("loc", b"another")
    assert store.resume_authorized("loc") == "held"
    assert lane_of(store).hold_causes == (PERSON,)
    assert store.resume_authorized("loc") == "free"
    assert list(check_consistency(store)) == []


def test_a_credential_that_was_replaced_before_the_report_holds_nothing(store: ClockedStore, order: Orders) -> None:
    """The worker saw the old one still there and then was slow, or died after its report: no second check is needed."""
    tokens = CredentialStore(store)
    old = tokens.store_credential("loc", b"old")
    for record in "ab":
        store.enqueue(order(record=record), KNOWN)
    first, second = send(store, "w1"), send(store, "w2")
    new = tokens.store_credential("loc", b"new")
    result = refuse(store, first, old, release_for=make_consumer("w1"))
    assert result.code == "requeued"
    assert isinstance(result.next, Released)
    assert (result.next.id, result.next.attempt, lane_of(store).hold) == (first.id, 2, None)
    assert refuse(store, second, new).code == "buried"
    assert store.resume_authorized("loc") == "refused"
    assert refuse(store, result.next, old).code == "requeued"
    tokens.remove_credential("loc")
    assert store.resume_authorized("loc") == "resumed"
    assert list(check_consistency(store)) == []


def test_a_stale_refusal_holds_nothing(store: ClockedStore, order: Orders) -> None:
    store.enqueue(order(), KNOWN)
    job = send(store)
    store.pass_time(61)
    store.reclaim(10, 5)
    assert refuse(store, job).code == "stale"
    assert lane_of(store).hold is None


EVENTS = st.permutations([*range(JOBS), "person", "new", "resume"])


@settings(max_examples=60, deadline=None, suppress_health_check=list(HealthCheck))
@given(events=EVENTS, sent=st.lists(st.booleans(), min_size=JOBS, max_size=JOBS), replaced=st.booleans())
def test_in_any_order_of_reports_one_is_dead_and_the_others_are_delivered_in_order(
    store: ClockedStore, events: list[int | str], sent: list[bool], replaced: bool
) -> None:
    """A person may hold the lane meanwhile, and another credential may be stored, and resume it, at any moment."""
    store.client.flushall()
    store.pass_time(0)
    orders, tokens = Orders(), CredentialStore(store)
    records = {}
    for number in range(2 * JOBS):  # the second half after the first
        made = orders(record=str(number % JOBS))
        records[made.id] = made.record
        store.enqueue(made, KNOWN)
    version = tokens.store_credential("loc", b"old")
    wide = [Consumer(f"w{number}", 60, 3600, WIDE) for number in range(JOBS)]
    released = [out(store, each.worker) for each in wide]
    person = new = False
    codes: list[str] = []
    taken: list[Released] = []
    for event in events:
        store.pass_time(0.001)
        if event == "person":
            store.hold("loc", "to look at it", "ada")
            person = True
        elif event == "new":
            new = replaced
            if replaced:
                tokens.store_credential("loc", b"new")
        elif event == "resume":
            refused = "buried" in codes
            expected = "free" if not refused else "refused" if not new else "held" if person else "resumed"
            assert store.resume_authorized("loc") == expected
        else:
            result = refuse(store, released[int(event)], version, sent=sent[int(event)], release_for=wide[int(event)])
            # The first refusal is new, unless it comes after another credential.
            first = not codes and not new
            assert result.code == ("buried" if first else "requeued")
            codes.append(result.code)
            if isinstance(result.next, Released):
                assert not lane_of(store).hold
                taken.append(result.next)
        assert list(check_consistency(store)) == []
    if lane_of(store).hold:
        assert store.resume("loc", lane_of(store).held_at) == "resumed"
    delivered = deliver_all(store, wide, taken)
    assert store.counts()["dead"] == codes.count("buried") <= 1
    assert len(delivered) == 2 * JOBS - codes.count("buried")
    for record in set(records.values()):
        of_it = [job_id for job_id in delivered if records[job_id] == record]
        assert of_it == sorted(of_it, key=lambda job_id: int(job_id.removeprefix("job")))
    assert list(check_consistency(store)) == []


def deliver_all(store: ClockedStore, consumers: list[Consumer], taken: list[Released]) -> list[str]:
    """Deliver what was taken, and then all that can be sent; return the ids in order."""
    delivered = []
    waiting = iter(lambda: store.release(consumers[0]).next, Idle(None))
    for job in itertools.chain(taken, waiting):
        assert isinstance(job, Released)
        assert store.deliver(report(job), retention=3600).code == "delivered"
        delivered.append(job.id)
    assert all(job and job.state is State.DELIVERED for job in store.jobs(delivered))
    return delivered
