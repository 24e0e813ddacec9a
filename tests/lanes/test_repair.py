"""A Redis that is broken by hand: the audit sees it, the repair mends it, and everything is delivered after."""

import json
import random
from typing import Any

import pytest
from hypothesis import HealthCheck, given, note, settings
from hypothesis import strategies as st

from lanes.audit import audit
from lanes.audit_store import JOBS_STEP, STEP
from lanes.job import State
from tests.lanes.conftest import ClockedStore
from tests.lanes.scene import codes, drain, mend, order, set_up

SENT = {"sent", "after-sent", "retried", "after-retried", "replayed", "waiting", "second", "third", "timed", "urgent"}
SENT |= {"held", "slowed", "elsewhere", "plain", "brief"}
FAR = 9_000_000_000_000_000

# What a person, a bug or an evicting Redis may do: command, key, values; and what the audit says to it.
BREAKAGES: dict[str, tuple[tuple[object, ...], str]] = {
    "a lane's jobs are gone from ready": (("del", "ready:loc"), "job-place"),
    "later is gone": (("del", "later:loc"), "job-place"),
    "those behind are gone": (("del", "behind:loc:h"), "job-place"),
    "one behind is gone": (("lrem", "behind:loc:h", 0, "second"), "job-place"),
    "a head stands behind itself": (("lpush", "behind:loc:h", "waiting"), "ghost"),
    "one stands behind twice": (("rpush", "behind:loc:h", "second"), "job-place"),
    "the heads are gone": (("del", "heads:loc"), "job-place"),
    "one head is gone": (("hdel", "heads:loc", "h"), "job-place"),
    "a head is a ghost": (("hset", "heads:loc", "h", "nobody"), "ghost"),
    "a head of nothing": (("hset", "heads:loc", "zzz", "nobody"), "ghost"),
    "a head is of another record": (("hset", "heads:loc", "h", "plain"), "ghost"),
    "a ghost is ready": (("zadd", "ready:loc", 1, "nobody"), "ghost"),
    "a job of another lane is ready": (("zadd", "ready:loc", 1, "elsewhere"), "ghost"),
    "a ghost is for later": (("zadd", "later:loc", 1, "nobody"), "ghost"),
    "a ghost stands behind": (("lpush", "behind:loc:h", "nobody"), "ghost"),
    "ghosts stand behind nobody": (("lpush", "behind:loc:zzz", "nobody"), "ghost"),
    "a job waits twice": (("zadd", "later:loc", FAR, "plain"), "job-place"),
    "the leases are gone": (("del", "leases"), "job-lease"),
    "a lease of nobody": (("zadd", "leases", 1, "nobody"), "ghost"),
    "a lease of one that waits": (("zadd", "leases", FAR, "plain"), "job-lease"),
    "the slots are gone": (("del", "slots:loc"), "job-slot"),
    "a slot for ever": (("zadd", "slots:loc", FAR, "nobody:1"), "ghost"),
    "nothing is due": (("del", "due"), "job-due"),
    "a lane is due in years": (("zadd", "due", FAR, "loc"), "lane-due"),
    "the gate is shut": (("zadd", "due", 0, ""), "gate"),
    "all are held and go on": (("hset", "gate", "hold", "a reason"), "gate"),
    "the dead letters are gone": (("del", "dead"), "job-letter"),
    "a dead letter of nobody": (("zadd", "dead", 1, "nobody"), "ghost"),
    "a dead letter that is not": (("zadd", "dead", 1, "plain"), "job-letter"),
    "no record knows of letters": (("del", "letters:loc"), "job-letter"),
    "a letter too many": (("hset", "lane:loc", "letters", 9), "lane-letters"),
    "something newest of nothing": (("hset", "newest:loc", "zzz", "1 1 nobody"), "ghost"),
    "expiring is gone": (("del", "expiring"), "job-expiring"),
    "one expires that is not there": (("zadd", "expiring", FAR, "nobody"), "ghost"),
    "one expires that never should": (("zadd", "expiring", FAR, "plain"), "job-expiring"),
    "a state says delivered": (("hset", "job:plain", "state", "delivered"), "job-place"),
    "a state says dead": (("hset", "job:plain", "state", "dead"), "job-letter"),
    "a state says in flight": (("hset", "job:plain", "state", "in_flight"), "job-lease"),
    "a state of one in flight says pending": (("hset", "job:sent", "state", "pending"), "job-lease"),
    "a state of a letter says pending": (("hset", "job:refused", "state", "pending"), "job-place"),
    "a state of one done says pending": (("hset", "job:done", "state", "pending"), "job-place"),
    "a state says nonsense": (("hset", "job:plain", "state", "?"), "job-state"),
    "a state is gone": (("hdel", "job:second", "state"), "job-state"),
    "a number is gone": (("hdel", "job:plain", "seq"), "job-state"),
    "a location is gone": (("hdel", "job:plain", "location"), "job-unreadable"),
    "a record is gone": (("hdel", "job:second", "record"), "job-unreadable"),
    "a job is to be forgotten": (("expire", "job:plain", 1000), "job-life"),
    "a job that is done stays": (("persist", "job:done"), "job-life"),
    "one that joined stays": (("hset", "job:joined", "merged_into", "nobody"), "job-life"),
    "nobody carries it": (("del", "carried:waiting"), "job-carried"),
    "it carries more": (("hset", "job:waiting", "carries", 5), "job-carried"),
    "a job is gone but for its body": (("del", "job:plain"), "job-body"),
    "a head is gone but for its body": (("del", "job:waiting"), "ghost"),
    "attempts of nobody": (("rpush", "attempts:nobody", "1 lost 1 2 {}"), "job-rest"),
    "those carried by nobody": (("sadd", "carried:nobody", "joined"), "job-rest"),
    "an original of nobody": (("set", "original:nobody", "{}"), "job-rest"),
    "a body of nobody": (
        ("set", "body:nobody", json.dumps({"locationId": "loc", "contactId": "x", "pipelineId": "pipe"})),
        "job-body",
    ),
    "a body of one that is done": (
        ("set", "body:done", json.dumps({"locationId": "loc", "contactId": "a", "pipelineId": "pipe"})),
        "job-content",
    ),
    "an original of one that is done": (("set", "original:done", "{}"), "job-content"),
    "a seat for ever": (("set", "seat:nobody", "plain:1"), "ghost"),
    "a lane unservable for ever": (("sadd", "unservable:nobody", "loc"), "ghost"),
    "a lock of a token for ever": (("set", "token_lock:loc", "nobody"), "ghost"),
    "a renewal of no token": (("hset", "renewals", "loc", "1 1"), "ghost"),
    "the locations are gone": (("del", "locations"), "lane-unlisted"),
    "a lane is gone": (("del", "lane:loc"), "job-order"),
    "a hold is gone": (("hdel", "lane:held", "hold"), "lane-held"),
    "a hold from nowhere": (("hset", "lane:loc", "hold", "why"), "lane-held"),
    "held time is gone": (("del", "held"), "lane-held"),
    "a hold of no one": (("hdel", "lane:held", "held_by"), "lane-hold"),
    "it is held since never": (("hdel", "lane:held", "held_at"), "lane-hold"),
    "it is held since nonsense": (("hset", "lane:held", "held_at", "?"), "lane-hold"),
    "a refused credential holds nothing": (("hset", "lane:loc", "unauthorized", "7 Invalid JWT"), "lane-hold"),
    "a refused credential of no version": (("hset", "lane:held", "unauthorized", "Invalid JWT"), "lane-hold"),
    "authorization holds it for no credential": (("hset", "lane:held", "held_by", "authorization"), "lane-hold"),
    "a brake is gone": (("hdel", "lane:slow", "brake_at"), "lane-held"),
    "a brake is closed by half": (("hdel", "lane:slow", "brake_gap"), "lane-brake"),
    "a brake without a next probe": (("hdel", "lane:slow", "brake_probe_at"), "lane-brake"),
    "a brake from nowhere": (("hset", "lane:loc", "brake_at", 1), "lane-held"),
    "all are on the brake by half": (("hset", "gate", "cause", "refusals"), "gate"),
    "an outage without a beginning": (("hset", "gate", "room", 1), "gate"),
    "a lane counts too many": (("hincrby", "lane:loc", "pending", 3), "count"),
    "a lane counts too few": (("hincrby", "lane:loc", "in_flight", -1), "count"),
    "a lane heard an answer that it never asked for": (("hset", "lane:loc", "api_number", 9999), "lane-numbers"),
    "a day was told of by nobody": (("hset", "lane:loc", "day_seen_at", 9999), "lane-numbers"),
    "a day began in days to come": (("hset", "lane:loc", "day_from", 9999), "lane-numbers"),
    "a day has more than was charged": (("hset", "lane:loc", "day_base", 9999), "lane-numbers"),
    "a lane took back more than it sent": (("hset", "lane:loc", "unsent", 9999), "lane-numbers"),
    "a lane knows more to be lost than were lost": (("hset", "lane:loc", "lost_counted", 9999), "lane-numbers"),
    "a lane has requests out for nothing": (("hset", "lane:loc", "redundant", 2), "lane-redundant"),
    "a lane counts other letters": (("hincrby", "lane:loc", "dead", 2), "count"),
    "all counts are gone": (("del", "counts"), "count"),
    "one count is off": (("hincrby", "counts", "delivered", 1), "count"),
}


def execute(store: ClockedStore, command: tuple[object, ...]) -> None:
    client: Any = store.client
    client.execute_command(command[0], f"{store.prefix}{command[1]}", *command[2:])


def add_up(store: ClockedStore) -> bool:
    counts, lanes = store.counts(), store.lanes()
    return all(sum(lane.counts[name] for lane in lanes) == counts[name] for name in counts)


@pytest.mark.parametrize("name", BREAKAGES)
def test_what_is_broken_is_seen_and_mended_and_everything_delivered(store: ClockedStore, name: str) -> None:
    ids = set_up(store)
    command, code = BREAKAGES[name]
    execute(store, command)
    found = list(audit(store))
    assert code in codes(found)
    assert all(finding.mend and finding.advice and "\n" not in str(finding) for finding in found)
    there = [job_id for job_id in ids if store.client.exists(store.key("job", job_id))]
    assert mend(store) == []
    if name == "a hold from nowhere":
        assert store.resume("loc") == "resumed"
    if name == "all are held and go on":
        assert store.resume_all() == "resumed"
    delivered = drain(store)
    assert list(audit(store)) == []
    assert add_up(store)
    jobs = {job_id: job for job_id in there if (job := store.job(job_id))}
    assert set(jobs) == set(there)
    assert {job_id for job_id in SENT if job_id in jobs and jobs[job_id].state is not State.DELIVERED} == set()
    queue = [job_id for job_id in delivered if job_id in ("waiting", "second", "third")]
    assert queue == [job_id for job_id in ("waiting", "second", "third") if job_id in there]
    missing = set(ids) - set(there)
    rescued = [store.job(job_id) for job_id in missing]
    assert all(job is not None and job.state is State.DEAD and job.body for job in rescued)


def test_counts_that_moved_since_they_were_read_are_left_to_the_next_look(store: ClockedStore) -> None:
    set_up(store)
    execute(store, ("hincrby", "lane:loc", "pending", 3))
    [found] = [finding.mend for finding in audit(store) if (finding.code, finding.where) == ("count", "lane:loc")]
    assert found
    store.enqueue(order("newcomer", "loc", "new"), 60)
    assert store.run(found.script, *found.arguments) == b"changed"
    assert mend(store) == []
    assert add_up(store)


@pytest.mark.parametrize("name", BREAKAGES)
def test_an_audit_changes_nothing(store: ClockedStore, name: str) -> None:
    set_up(store)
    execute(store, BREAKAGES[name][0])
    before = dump(store)
    list(audit(store))
    assert dump(store) == before


def dump(store: ClockedStore) -> dict[bytes, Any]:
    keys = sorted(store.client.scan_iter(match=f"{store.prefix}*"))
    return {key: store.client.dump(key) for key in keys}


SPARED: tuple[str, ...] = (
    "test-clock",
    "tokens",
    "notices",
    "seat",
    "events",
    "idempotency",
    "body",
    "gate",
    "schema",
    "trail",
)
SPARED += ("recent", "history", "lane_history", "totals", "attempts")
WHO = ("nobody", "plain", "sent", "waiting", "refused", "done", "third", "held")


def breakage(store: ClockedStore, chance: random.Random) -> tuple[object, ...]:
    """Any single thing done to any key of jobs, lanes and indexes."""
    keys = sorted(key.decode() for key in store.client.scan_iter(match=f"{store.prefix}*"))
    keys = [key.removeprefix(store.prefix) for key in keys]
    key = chance.choice([key for key in keys if not key.startswith(SPARED)])
    name, kind = store.prefix + key, store.client.type(store.prefix + key)
    if chance.random() < 0.2:
        return ("del", key)
    if kind == b"zset" and chance.random() < 0.5:
        return ("zadd", key, chance.choice((1, 1_900_000_000_000_000)), chance.choice(WHO))
    if kind == b"zset":
        return ("zrem", key, chance.choice(store.client.zrange(name, 0, -1)))
    if kind == b"list" and chance.random() < 0.5:
        return ("lpush", key, chance.choice(WHO))
    if kind == b"list":
        return ("lrem", key, 0, chance.choice(store.client.lrange(name, 0, -1)))
    if kind == b"set":
        return ("srem", key, chance.choice(sorted(store.client.smembers(name))))
    field = chance.choice(sorted(store.client.hgetall(name)))
    if key.startswith("job:") and field == b"state":
        return ("hset", key, field, chance.choice([*State, "nonsense"]))
    if key.startswith("heads:") and chance.random() < 0.5:
        return ("hset", key, field, chance.choice(WHO))
    return ("hdel", key, field)


@settings(max_examples=30, deadline=None, suppress_health_check=list(HealthCheck))
@given(seed=st.integers(0, 10**9))
def test_a_single_breakage_never_costs_a_job_that_is_still_there(store: ClockedStore, seed: int) -> None:
    store.client.flushall()
    store.pass_time(0)
    ids = set_up(store)
    command = breakage(store, random.Random(seed))
    note(str(command))
    execute(store, command)
    there = [job_id for job_id in ids if store.client.exists(store.key("job", job_id))]
    bodies = {job_id for job_id in ids if store.client.exists(store.key("body", job_id))}
    left = mend(store)
    # Of a job that is done, and whose location is lost, nothing is left that could tell it.
    assert all(finding.code == "job-unreadable" and finding.where not in bodies for finding in left)
    assert {job_id for job_id in ids if store.client.exists(store.key("body", job_id))} == bodies
    delivered = drain(store)
    mend(store)
    assert add_up(store)
    for job_id in there:
        assert store.client.exists(store.key("job", job_id))
    # Whatever has a body has been sent, or is one that a person decides on, or waits for a time that was changed.
    for job_id in bodies - set(delivered):
        job = store.job(job_id)
        assert job is not None
        assert job.body is not None
        assert job.is_letter or job.state is State.PENDING
        assert job.is_letter or store.client.zscore(store.key("later", job.location_id), job_id)


def test_a_step_looks_at_few_things(store: ClockedStore, monkeypatch: pytest.MonkeyPatch) -> None:
    """Each call of a script has a bounded number of jobs, keys or lanes to look at, however many there are."""
    many = [order(f"r{number}", "loc", f"record{number}") for number in range(5 * STEP)]
    many += [order(f"q{number}", "loc", "one") for number in range(5 * STEP)]
    many += [order(f"l{number}", f"loc{number}", "one") for number in range(2 * STEP)]
    for start in range(0, len(many), STEP):
        store.enqueue_many(many[start : start + STEP], 60)
    calls: list[tuple[str, int]] = []
    run = store.run

    def counting(name: str, *arguments: Any) -> Any:
        calls.append((name, len(arguments)))
        return run(name, *arguments)

    monkeypatch.setattr(store, "run", counting)
    store.client.config_resetstat()
    assert list(audit(store)) == []
    most = {"audit_members": 4 * STEP, "audit_jobs": JOBS_STEP}
    assert all(size <= most.get(name, STEP + 1) for name, size in calls)
    commands = store.client.info("commandstats")
    done = sum(each["calls"] for each in commands.values())
    assert done <= 40 * len(many)
    assert done / len(calls) <= 30 * STEP
