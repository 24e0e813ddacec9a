"""Keys of other types and values that nothing can read: readers show the rest and name them, the repair moves them."""

import contextlib
import json
from typing import Any

import pytest

from lanes.activity import audit_log, series
from lanes.checks.consistency import check_consistency
from lanes.checks.finding import Severity
from lanes.credentials import CredentialStore
from lanes.dead_letters import operations
from lanes.errors import ScriptError, StoredJobError
from lanes.queue.notification import UNREADABLE
from lanes.storage.keys import ANY, KEYS
from tests.lanes.checks.jobs_in_every_state import LIMITS, drain, order, release_one, repair, report, set_up
from tests.lanes.conftest import ClockedStore

OF = {(): "all lanes", ("location",): "a lane", ("id",): "a job"}
# What is shown, so that a reader names it. Others are read by scripts that change something.
NAMED = ("counts", "global_state", "locations", "audit_log", "tokens", "renewals", "job", "body", "totals")
TYPED = [name for name, key in KEYS.items() if key.kind not in ("channel", ANY) and name != "schema"]


def name_of(name: str) -> str:
    """Return the key of this kind for the job `plain` in the lane `loc`."""
    words = {
        "id": "plain",
        "location": "loc",
        "record": "m",
        "worker": "w",
        "name": "loc",
        "key": "k",
        "service": "crm",
    }
    start = "1800000000000000"
    return ":".join([name, *(words.get(each, start) for each in KEYS[name].fields)])


def overwrite(store: ClockedStore, name: str) -> None:
    """Overwrite a key with another type."""
    client: Any = store.client
    client.delete(store.prefix + name)
    if KEYS[name.partition(":")[0]].kind == "string":
        client.rpush(store.prefix + name, b"x")
    else:
        client.set(store.prefix + name, b"x")


def read_all(store: ClockedStore) -> None:
    """Read everything that commands and pages read."""
    store.counts(), store.global_state(), store.lanes(), store.lane_jobs("loc")
    ids = [job_id for batch in operations.read_ids(store, operations.until_now(store)) for job_id in batch]
    store.summarize([*ids, "plain"]), store.jobs(["plain", "second", "done", *ids]), store.queue_position("plain")
    store.merged_jobs("waiting", 5)
    audit_log.read(store), series.last_hour(store), series.lane_day(store, "loc"), series.since_the_beginning(store)
    credentials = CredentialStore(store)
    credentials.names(), list(credentials.each()), credentials.read_many(["loc"]), credentials.unfinished_renewals()
    with contextlib.suppress(ScriptError):  # it fails if `due` is broken
        store.count_due(5, LIMITS)


def left(store: ClockedStore) -> list[str]:
    """Return the errors that the check still finds."""
    return [str(finding) for finding in check_consistency(store) if finding.severity is Severity.ERROR]


@pytest.mark.parametrize("of", ["all lanes", "a lane", "a job", "anything else"])
def test_keys_of_another_type_are_named_and_set_aside(store: ClockedStore, of: str) -> None:
    set_up(store)
    keys = [name_of(name) for name in TYPED if OF.get(KEYS[name].fields, "anything else") == of]
    for key in keys:
        overwrite(store, key)
    named: set[str] = set()
    store.unreadable = lambda key, _: named.add(key)
    read_all(store)
    found = {finding.where: finding for finding in check_consistency(store) if finding.code == "type"}
    assert found.keys() == {*keys}
    assert all(finding.repair for finding in found.values())
    assert {key for key in keys if key.partition(":")[0] in NAMED} <= named
    repair(store)
    assert [line for line in left(store) if "body is missing" not in line] == []
    for key in keys:
        assert store.client.keys(f"{store.prefix}broken_key:*:{key}"), key


@pytest.mark.parametrize("value", [b"nan", b"\xff", b"9" * 400])
def test_fields_that_cannot_be_read_are_found_and_repaired(store: ClockedStore, value: bytes) -> None:
    set_up(store)
    fields = {
        "job:plain": ("accepted_at", "seq", "priority", "expires_at", "state", "location"),
        "lane:loc": ("pending", "dead", "seq", "burst", "released", "backoff_until", "day_base"),
        "counts": ("pending",),
        "totals": ("dead",),
        "held_time": ("held",),
        "global_state": ("probe_at",),
        "dead_letter_counts:loc": ("b",),
        "service:crm": ("added_at", "max_pending", "rate", "pending", "dead", "moves", "next_at"),
    }
    for key, names in fields.items():
        for name in names:
            store.client.hset(store.prefix + key, name, value)
    read_all(store)
    found = left(store)
    for key in fields.keys() - {"job:plain"}:
        assert any(f" {key}: its field" in line for line in found), key
    assert any("plain: its" in line and "location" in line for line in found)
    repair(store)
    assert left(store) == []
    assert {"plain", "urgent", "elsewhere"} <= {*drain(store)}


def test_a_field_without_a_name_is_repaired(store: ClockedStore) -> None:
    set_up(store)
    store.client.hset(store.key("totals"), "", "x")
    assert any(" totals: its field ''" in line for line in left(store))
    repair(store)
    assert left(store) == []
    assert store.client.hget(store.key("broken_values"), "totals ") == b"x"


@pytest.mark.parametrize("value", [b"\xff", b'{"a":NaN}', b"[" * 5000])
def test_a_body_or_attempt_that_cannot_be_read_is_named(store: ClockedStore, value: bytes) -> None:
    set_up(store)
    store.client.set(store.key("body", "refused"), value)
    store.client.rpush(store.key("attempts", "refused"), value)
    named: dict[str, str] = {}
    store.unreadable = named.__setitem__
    job = store.job("refused")
    assert job is not None
    assert (job.body, [attempt.outcome for attempt in job.attempts]) == (None, ["refused"])
    assert json.dumps(job.as_json(), allow_nan=False)
    assert named == {"body:refused": "it is no JSON object", "attempts:refused": "line 2 is no attempt"}
    repair(store)
    (line,) = left(store)
    assert "body:refused" in line
    assert "lanes dead purge refused" in line


@pytest.mark.parametrize("also", ["", "broken_values", "counts"])
def test_each_value_that_is_moved_is_kept(store: ClockedStore, also: str) -> None:
    set_up(store)
    lines = {b"first", b"second", b"third"}
    store.client.rpush(store.key("attempts", "refused"), *lines)
    if also == "broken_values":
        overwrite(store, also)
    elif also:
        store.client.hset(store.key(also), "", b"of an empty field")
        lines.add(b"of an empty field")
    repair(store)
    assert left(store) == []
    assert {*store.client.hvals(store.key("broken_values"))} == lines


def test_a_job_without_a_state_is_an_error_that_names_it(store: ClockedStore) -> None:
    set_up(store)
    store.client.hset(store.key("job", "plain"), "state", b"\xff")
    with pytest.raises(StoredJobError, match=r"job:plain: .* lanes check --repair"):
        store.job("plain")
    assert store.jobs(["plain", "urgent"])[0] is None


def test_times_without_end_are_repaired(store: ClockedStore) -> None:
    set_up(store)
    for key, member in (("leases", "sent"), ("dead", "refused"), ("expiring", "waiting"), ("ready:loc", "plain")):
        store.client.zadd(store.prefix + key, {member: float("inf")})
    store.client.zadd(store.key("due"), {"loc": float("-inf")})
    assert {line.split(":")[0].split()[-1] for line in left(store)} >= {"sent", "refused", "waiting", "plain"}
    repair(store)
    assert left(store) == []
    assert "plain" in drain(store)


@pytest.mark.parametrize("key", [f"{name}:loc" for name in ("lane", "ready", "delayed", "rate_slots", "day")])
def test_a_broken_lane_stops_no_other(store: ClockedStore, key: str) -> None:
    store.enqueue(order("bad", "loc", "r"), 60)
    overwrite(store, key)
    store.pass_time(1)
    store.enqueue(order("good", "other", "r"), 60)
    assert store.count_due(5, LIMITS).due
    job = release_one(store, "w")
    assert job is not None
    assert job.id == "good"
    notification = store.claim_notification(10, None)
    assert notification is not None
    expected = {"location": "loc", "error": f"test:{key} is a string, not a {KEYS[key.partition(':')[0]].kind}"}
    assert (notification.event, notification.facts) == ("lane_broken", expected)
    repair(store)
    assert left(store) == []
    assert "bad" in drain(store)


def test_a_broken_lane_is_reported_once_in_a_pause_however_many_jobs_come(store: ClockedStore) -> None:
    store.enqueue(order("first", "loc", "first"), 60)
    store.client.hset(store.key("lane", "loc"), "released", "x")
    for number in range(5):
        store.enqueue(order(f"job-{number}", "loc", f"record-{number}"), 60)
        assert release_one(store, "w") is None
    assert store.client.zcard(store.key("notifications")) == 1
    store.client.delete(store.key("broken_lane", "loc"))  # the pause is over
    store.pass_time(300)
    assert release_one(store, "w") is None
    assert store.client.zcard(store.key("notifications")) == 2


@pytest.mark.parametrize("key", ["job:bad", "body:bad"])
def test_a_broken_job_stops_its_record_only(store: ClockedStore, key: str) -> None:
    for job_id, record in (("bad", "r"), ("behind", "r"), ("good", "s")):
        store.enqueue(order(job_id, "loc", record), 60)
    overwrite(store, key)
    job = release_one(store, "w")
    assert job is not None
    assert job.id == "good"
    notification = store.claim_notification(10, None)
    assert notification is not None
    assert (notification.event, notification.facts["job"]) == ("job_broken", "bad")
    assert release_one(store, "w2") is None


def test_a_broken_job_among_leases_or_deadlines_stops_no_other(store: ClockedStore) -> None:
    for job_id in ("bad", "good"):
        store.enqueue(order(job_id, "loc", job_id, expires_at=store.now + 10), 60)
    store.client.hset(store.key("job", "bad"), "location", "")
    store.client.set(store.key("job", "worse"), "x")
    store.client.zadd(store.key("expiring"), {"worse": 1})
    store.client.zadd(store.key("leases"), {"worse": 1, "bad": 1})
    assert store.reclaim(10, 9) == []
    store.pass_time(20)
    assert "good" in store.expire(10)


def test_a_job_in_flight_without_a_location_makes_no_lane(store: ClockedStore) -> None:
    store.enqueue(order("bad", "loc", "r"), 60)
    job = release_one(store, "w")
    assert job is not None
    store.client.hset(store.key("job", "bad"), "location", "")
    with pytest.raises(ScriptError, match="its location cannot be read"):
        store.deliver(report(job), retention=3600)
    store.pass_time(3600)
    assert store.reclaim(10, 9) == []
    assert not store.client.exists(store.key("lane", ""))


@pytest.mark.parametrize("key", ["counts", "totals"])
def test_broken_statistics_stop_nothing(store: ClockedStore, key: str) -> None:
    overwrite(store, key)
    store.enqueue(order("job", "loc", "r"), 60)
    job = release_one(store, "w")
    assert job is not None
    assert store.deliver(report(job), retention=3600).code == "delivered"


def test_a_broken_lane_refuses_its_own_jobs_of_a_call_only(store: ClockedStore) -> None:
    overwrite(store, "lane:loc")
    jobs = [order("bad", "loc", "r"), order("good", "other", "r"), order("again", "loc", "s")]
    bad, good, again = store.enqueue_many(jobs, 60)
    assert isinstance(bad, ScriptError)
    assert "test:lane:loc is a string, not a hash" in str(bad)
    assert isinstance(again, ScriptError)
    assert not isinstance(good, Exception)
    assert drain(store) == ["good"]


def test_a_broken_idempotency_key_answers_for_its_own_job_only(store: ClockedStore) -> None:
    store.client.set(store.key("idempotency", "loc", "k"), b"x")
    results = store.enqueue_many([order("one", "loc", "r", idempotency_key="k"), order("two", "loc", "s")], 60)
    assert [getattr(result, "id", result) for result in results] == ["one", "two"]


@pytest.mark.parametrize("value", [b"x", b"[]", b'{"id":1}', b"\xff"])
def test_a_notification_that_cannot_be_read_is_taken_off_the_queue(store: ClockedStore, value: bytes) -> None:
    store.client.zadd(store.key("notifications"), {value: 1})
    notification = store.claim_notification(10, None)
    assert notification is not None
    assert notification.event == UNREADABLE
    store.ack_notification(notification)
    assert store.client.zcard(store.key("notifications")) == 0


def test_a_location_that_is_no_utf_8_is_shown(store: ClockedStore) -> None:
    store.client.sadd(store.key("locations"), b"\xff")
    store.client.hset(b"test:lane:\xff", "pending", 3)
    (lane,) = store.lanes()
    assert (lane.location_id, lane.counts["pending"]) == ("\udcff", 3)
