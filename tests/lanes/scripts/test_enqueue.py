"""enqueue: what it changes of the whole of Redis."""

import re

import pytest

from lanes.errors import ScriptError
from lanes.queue.new_job import EnqueueResult, EnqueueStatus, NewJob
from lanes.queue.transitions import enqueue_arguments
from lanes.storage.scripts import load
from tests.lanes.conftest import START, ClockedStore, Orders
from tests.lanes.whole_state import KNOWN, fields_of, send, watch

RECORD = "pipe/contact"


def enters(job_id: str, *, seq: int = 1, body: str, **more: str) -> dict[str, str]:
    """The changes of every accepted job, at any queue position."""
    fields = {"state": "pending", "location": "loc", "record": RECORD, "accepted_at": "t+0", "seq": str(seq)}
    counts = fields_of("lane:loc", accepted="1", pending="1", seq="1") | {"locations.loc": "in"}
    if seq > 1:
        counts = fields_of("lane:loc", **dict.fromkeys(("accepted", "pending", "seq"), f"{seq - 1} -> {seq}"))
    return {f"body:{job_id}": body} | fields_of(f"job:{job_id}", **fields, **more) | counts


def test_the_first_job_of_a_record_is_active_and_ready(store: ClockedStore, order: Orders) -> None:
    with watch(store) as changed:
        assert store.enqueue(order(), KNOWN) == EnqueueResult(EnqueueStatus.ACCEPTED, "job1")
    assert changed == enters("job1", body='{"n":1}') | {
        f"active:loc.{RECORD}": "job1",
        "ready:loc.job1": "1",
        "due.loc": "t+0",
    }


def test_the_next_job_of_the_record_is_blocked(store: ClockedStore, order: Orders) -> None:
    store.enqueue(order(), KNOWN)
    with watch(store) as changed:
        store.enqueue(order(), KNOWN)
    assert changed == enters("job2", seq=2, body='{"n":2}') | {f"blocked:loc:{RECORD}": "job2"}


def test_options_are_kept_with_the_job(store: ClockedStore, order: Orders) -> None:
    urgent = order(expires_at=START + 9, service="crm", priority=2, not_before=START - 1)
    with watch(store) as changed:
        store.enqueue(urgent, KNOWN)
    assert changed == enters("job1", body='{"n":1}', priority="2", service="crm") | {
        **fields_of("job:job1", expires_at="t+9", not_before="t-1"),
        f"active:loc.{RECORD}": "job1",
        "ready:loc.job1": "-199999999999999",
        "due.loc": "t+0",
        "expiring.job1": "t+9",
    }


def test_a_key_and_an_event_time_are_kept_for_their_ttl(store: ClockedStore, order: Orders) -> None:
    with watch(store) as changed:
        store.enqueue(order(idempotency_key="k", fingerprint="f", event_time=START - 5), KNOWN)
    assert changed == enters("job1", body='{"n":1}', event_time="t-5") | {
        f"active:loc.{RECORD}": "job1",
        "ready:loc.job1": "1",
        "due.loc": "t+0",
        "idempotency:loc:k": "job1 f",
        "idempotency:loc:k ttl": "120 min",
        f"event_times:loc:{RECORD}.n": "t-5",
        f"event_times:loc:{RECORD}.@time": "t-5",
        f"event_times:loc:{RECORD}.@job": "job1",
        f"event_times:loc:{RECORD} ttl": "120 min",
    }


def test_a_job_with_not_before_is_delayed(store: ClockedStore, order: Orders) -> None:
    with watch(store) as changed:
        store.enqueue(order(not_before=START + 7), KNOWN)
    assert changed == enters("job1", body='{"n":1}', not_before="t+7") | {
        f"active:loc.{RECORD}": "job1",
        "delayed:loc.job1": "t+7",
        "due.loc": "t+7",
    }


def test_a_held_lane_takes_jobs_and_is_not_due(store: ClockedStore, order: Orders) -> None:
    store.hold("loc", "why", "operator")
    with watch(store) as changed:
        store.enqueue(order(), KNOWN)
    expected = enters("job1", body='{"n":1}') | {f"active:loc.{RECORD}": "job1", "ready:loc.job1": "1"}
    del expected["locations.loc"]
    assert changed == expected


def test_a_lane_that_is_due_keeps_its_turn(store: ClockedStore, order: Orders) -> None:
    store.enqueue(order(), KNOWN)
    store.pass_time(5)
    with watch(store) as changed:
        store.enqueue(order(record="other"), KNOWN)
    assert "due.loc" not in changed
    assert changed["ready:loc.job2"] == "2"


def test_an_urgent_job_makes_earlier_jobs_of_its_record_urgent(store: ClockedStore, order: Orders) -> None:
    for priority in (0, 7, 3):
        store.enqueue(order(priority=priority), KNOWN)
    with watch(store) as changed:
        store.enqueue(order(priority=5), KNOWN)
    assert changed == enters("job4", seq=4, body='{"n":4}', priority="5") | {
        f"blocked:loc:{RECORD}": "job2, job3 -> job2, job3, job4",
        "job:job3.priority": "3 -> 5",
    }


@pytest.mark.parametrize("waits", [True, False], ids=["in later", "in flight"])
def test_an_urgent_job_promotes_a_delayed_active_job_in_place(store: ClockedStore, order: Orders, waits: bool) -> None:
    store.enqueue(order(not_before=START + 7 if waits else None), KNOWN)
    if not waits:
        send(store)
    with watch(store) as changed:
        store.enqueue(order(priority=5), KNOWN)
    assert {name for name in changed if "job1" in name} == {"job:job1.priority"}
    assert changed["job:job1.priority"] == "5"


def test_the_same_id_again_is_the_same_job(store: ClockedStore, order: Orders) -> None:
    first = order()
    store.enqueue(first, KNOWN)
    with watch(store) as changed:
        assert store.enqueue(first, KNOWN) == EnqueueResult(EnqueueStatus.KNOWN, "job1")
    assert changed == {}


@pytest.mark.parametrize(
    ("body", "answer"),
    [("same", EnqueueStatus.KNOWN), ("other", EnqueueStatus.CONFLICT)],
    ids=["same body", "other body"],
)
def test_the_same_idempotency_key_makes_no_second_job(
    store: ClockedStore, order: Orders, body: str, answer: EnqueueStatus
) -> None:
    store.enqueue(order(idempotency_key="k", fingerprint="same"), KNOWN)
    again = order(idempotency_key="k", fingerprint=body, priority=9, merge=True, event_time=START)
    with watch(store) as changed:
        assert store.enqueue(again, KNOWN) == EnqueueResult(answer, "job1")
    assert changed == {}


def test_an_idempotency_key_is_known_in_its_location_only(store: ClockedStore, order: Orders) -> None:
    answers = [store.enqueue(order(location, idempotency_key="k"), KNOWN) for location in ("loc", "elsewhere", "loc")]
    assert answers == [
        EnqueueResult(EnqueueStatus.ACCEPTED, "job1"),
        EnqueueResult(EnqueueStatus.ACCEPTED, "job2"),
        EnqueueResult(EnqueueStatus.KNOWN, "job1"),
    ]


def test_jobs_of_one_call_see_each_other(store: ClockedStore, order: Orders) -> None:
    orders = [order(idempotency_key="k", fingerprint=body) for body in ("same", "same", "other")]
    with watch(store) as changed:
        answers = store.enqueue_many(orders, KNOWN)
    expected = [EnqueueStatus.ACCEPTED, EnqueueStatus.KNOWN, EnqueueStatus.CONFLICT]
    assert answers == [EnqueueResult(answer, "job1") for answer in expected]
    assert changed == enters("job1", body='{"n":1}') | {
        f"active:loc.{RECORD}": "job1",
        "ready:loc.job1": "1",
        "due.loc": "t+0",
        "idempotency:loc:k": "job1 same",
        "idempotency:loc:k ttl": "120 min",
    }


def test_a_call_makes_its_lanes_due_when_their_first_jobs_are(store: ClockedStore, order: Orders) -> None:
    orders = [order(location, f"r{wait}", not_before=START + wait) for location in "ab" for wait in (30, 20, 40)]
    with watch(store) as changed:
        store.enqueue_many(orders, KNOWN)
    assert {name: value for name, value in changed.items() if name.startswith("due")} == fields_of(
        "due", a="t+20", b="t+20"
    )


@pytest.mark.parametrize(("lanes", "commands"), [(1, 3.5), (50, 5.5)])
def test_a_call_reads_and_writes_a_lane_once(store: ClockedStore, lanes: int, commands: float) -> None:
    """A job alone needs three commands: its hash, its record, its place in the lane."""
    jobs = [NewJob(f"job{n}", f"loc{n % lanes}", f"record{n}", b"{}") for n in range(50)]
    store.client.config_resetstat()
    store.enqueue_many(jobs, KNOWN)
    stats = store.client.info("commandstats")
    called = sum(each["calls"] for name, each in stats.items() if name.partition("_")[2] not in ("evalsha", "info"))
    assert called / len(jobs) <= commands


def test_a_plain_job_in_a_lane_that_is_due_takes_twelve_commands(store: ClockedStore, order: Orders) -> None:
    store.enqueue(order(record="first"), 60)
    store.client.set("test:memory_checked", "")  # it expires
    store.client.config_resetstat()
    store.enqueue(order(record="second"), 60)
    stats = store.client.info("commandstats")
    calls = {
        name: each["calls"] for name, each in stats.items() if not name.startswith(("cmdstat_eval", "cmdstat_config"))
    }
    assert sum(calls.values()) == 12, calls


def test_a_call_makes_few_functions() -> None:
    """Each call of a script makes all functions in its text, except those of the lazy parts."""
    text = re.sub(r"--.*", "", load("enqueue").text)
    before, rest = text.split("function lazy(part)")
    assert (before + rest[rest.rindex("local existing") :]).count("function") <= 16


def test_a_plain_job_in_a_known_lane_makes_no_lazy_part(store: ClockedStore, order: Orders) -> None:
    store.enqueue(order(record="first"), 60)
    store.client.set("test:memory_checked", "")  # it expires
    text = store.script("enqueue").text
    counting = text.replace("function lazy(part)", "function lazy(part) redis.call('INCR', prefix .. 'made')")
    for new_job in (order(), order(record="another"), order(priority=1)):
        assert not store.client.exists("test:made")
        store.client.eval(counting, 1, "test:schema", *enqueue_arguments([new_job], 60, 10))
    assert store.client.get("test:made") == b"3"  # its options are read and noted, and it promotes an earlier one


def test_a_call_that_fails_keeps_what_it_wrote(store: ClockedStore, order: Orders) -> None:
    """A later job gets no place in the lane that an earlier one has."""
    store.client.set(store.key("expiring"), "x")
    answers = store.enqueue_many([order(), order(expires_at=START + 9)], KNOWN)
    assert {type(answer) for answer in answers} == {ScriptError}
    store.client.delete(store.key("expiring"))
    store.enqueue(order(), KNOWN)
    seqs = [store.client.hget(store.key("job", f"job{number}"), "seq") for number in (1, 2, 3)]
    assert seqs == [b"1", b"2", b"3"]
    assert store.counts()["accepted"] == 3
