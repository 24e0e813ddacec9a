"""A broken Redis: the check finds it, the repair fixes it, and then every job is delivered."""

import json
import random
from typing import Any

import pytest
from hypothesis import HealthCheck, given, note, settings
from hypothesis import strategies as st

from lanes.checks.check_store import JOBS_STEP, STEP
from lanes.checks.consistency import check_consistency
from lanes.queue.job import State
from lanes.queue.lane import read_counts
from lanes.storage import scripts
from tests.lanes.checks.jobs_in_every_state import codes, drain, order, repair, set_up
from tests.lanes.conftest import ClockedStore

SENT = {"sent", "after-sent", "retried", "after-retried", "replayed", "waiting", "second", "third", "timed", "urgent"}
SENT |= {"held", "slowed", "elsewhere", "plain", "brief"}
FAR = 9_000_000_000_000_000
# The packed value of a job that was merged into an unknown one; without the time of its acceptance.
UNDATED = b"\x98\x03\xa3loc\xa1h%b\xc2\xc2\xc2\x81\xabmerged_into\xa6nobody"
MERGED = UNDATED % b"\xce\x6b\x49\xd2\x00"
# What a repair sets aside, because it cannot be read or belongs to no job.
SET_ASIDE = {
    "a state of one done says pending",
    "a body of one that is done",
    "a done job cannot be read",
    "a done job was accepted at no time",
}

# What a person, a bug or an evicting Redis may break: command, key, values; and what the consistency check reports.
BREAKAGES: dict[str, tuple[tuple[object, ...], str]] = {
    "a lane's jobs are gone from ready": (("del", "ready:loc"), "job-position"),
    "the delayed jobs are gone": (("del", "delayed:loc"), "job-position"),
    "the blocked jobs are gone": (("del", "blocked:loc:h"), "job-position"),
    "one blocked job is gone": (("lrem", "blocked:loc:h", 0, "second"), "job-position"),
    "an active job is blocked by itself": (("lpush", "blocked:loc:h", "waiting"), "orphan"),
    "a job is blocked twice": (("rpush", "blocked:loc:h", "second"), "job-position"),
    "the active jobs are gone": (("del", "active:loc"), "job-position"),
    "one active job is gone": (("hdel", "active:loc", "h"), "job-position"),
    "the active job is unknown": (("hset", "active:loc", "h", "nobody"), "orphan"),
    "an active job of an unknown record": (("hset", "active:loc", "zzz", "nobody"), "orphan"),
    "the active job is of another record": (("hset", "active:loc", "h", "plain"), "orphan"),
    "an unknown job is ready": (("zadd", "ready:loc", 1, "nobody"), "orphan"),
    "a job of another lane is ready": (("zadd", "ready:loc", 1, "elsewhere"), "orphan"),
    "an unknown job is delayed": (("zadd", "delayed:loc", 1, "nobody"), "orphan"),
    "an unknown job is blocked": (("lpush", "blocked:loc:h", "nobody"), "orphan"),
    "unknown jobs of an unknown record are blocked": (("lpush", "blocked:loc:zzz", "nobody"), "orphan"),
    "a job waits twice": (("zadd", "delayed:loc", FAR, "plain"), "job-position"),
    "the leases are gone": (("del", "leases"), "job-lease"),
    "a lease of an unknown job": (("zadd", "leases", 1, "nobody"), "orphan"),
    "a lease of a pending job": (("zadd", "leases", FAR, "plain"), "job-lease"),
    "the slots are gone": (("del", "rate_slots:loc"), "job-slot"),
    "a rate slot that never ends": (("zadd", "rate_slots:loc", FAR, "nobody:1"), "orphan"),
    "nothing is due": (("del", "due"), "job-due"),
    "a lane is due in years": (("zadd", "due", FAR, "loc"), "lane-due"),
    "an entry without a lane is due": (("zadd", "due", 0, ""), "global_state"),
    "a global hold that does not hold": (("hset", "global_state", "hold", "a reason"), "global_state"),
    "the dead letters are gone": (("del", "dead"), "job-dead-letter"),
    "a dead letter of an unknown job": (("zadd", "dead", 1, "nobody"), "orphan"),
    "a pending job among the dead letters": (("zadd", "dead", 1, "plain"), "job-dead-letter"),
    "the counts of dead letters are gone": (("del", "dead_letter_counts:loc"), "job-dead-letter"),
    "a dead letter too many": (("hset", "lane:loc", "dead_letters", 9), "lane-dead-letters"),
    "a newest delivery of an unknown job": (("hset", "newest_delivered:loc", "zzz", "1 1 nobody"), "orphan"),
    "expiring is gone": (("del", "expiring"), "job-expiring"),
    "an unknown job expires": (("zadd", "expiring", FAR, "nobody"), "orphan"),
    "a job without a deadline expires": (("zadd", "expiring", FAR, "plain"), "job-expiring"),
    "a state says delivered": (("hset", "job:plain", "state", "delivered"), "job-position"),
    "a state says dead": (("hset", "job:plain", "state", "dead"), "job-dead-letter"),
    "a state says in flight": (("hset", "job:plain", "state", "in_flight"), "job-lease"),
    "one in flight has no attempt": (("hdel", "job:sent", "attempt"), "job-lease"),
    "one in flight was released at no time": (("hdel", "job:sent", "released_at"), "job-lease"),
    "one that is done is still active": (("hset", "active:loc", "a", "done"), "orphan"),
    "a dead letter failed at no time": (("hdel", "job:refused", "ended_at"), "job-dead-letter"),
    "a dead letter was never dead": (("hdel", "job:refused", "was_dead"), "job-dead-letter"),
    "a state of one in flight says pending": (("hset", "job:sent", "state", "pending"), "job-lease"),
    "a state of a dead letter says pending": (("hset", "job:refused", "state", "pending"), "job-position"),
    "a state of one done says pending": (("hset", "job:done", "state", "pending"), "job-unreadable"),
    "one done has attempts of its own": (("rpush", "attempts:done", "1 lost 1 2 {}"), "job-content"),
    "one unfinished is done, too": (("copy", "done:done", "test:done:plain"), "job-ended"),
    "a done job cannot be read": (("set", "done:done", "?"), "content"),
    "a done job was accepted at no time": (("set", "done:done", UNDATED % b"\xc2"), "content"),
    "a state says nonsense": (("hset", "job:plain", "state", "?"), "job-state"),
    "a state is gone": (("hdel", "job:second", "state"), "job-state"),
    "a number is gone": (("hdel", "job:plain", "seq"), "job-state"),
    "a location is gone": (("hdel", "job:plain", "location"), "job-unreadable"),
    "a record is gone": (("hdel", "job:second", "record"), "job-unreadable"),
    "a job is to be forgotten": (("expire", "job:plain", 1000), "job-ttl"),
    "a job that is done stays": (("persist", "done:done"), "job-ttl"),
    "a merged job without its target stays": (("set", "done:joined", MERGED), "job-ttl"),
    "no merge target has it": (("del", "merged_jobs:waiting"), "job-merged"),
    "it has merged more": (("hset", "job:waiting", "merged_count", 5), "job-merged"),
    "a job is gone, except its body": (("del", "job:plain"), "job-body"),
    "an active job is gone, except its body": (("del", "job:waiting"), "orphan"),
    "attempts of an unknown job": (("rpush", "attempts:nobody", "1 lost 1 2 {}"), "job-leftover"),
    "merged jobs of an unknown job": (("sadd", "merged_jobs:nobody", "joined"), "job-leftover"),
    "an original of an unknown job": (("set", "original:nobody", "{}"), "job-leftover"),
    "a body of an unknown job": (
        ("set", "body:nobody", json.dumps({"locationId": "loc", "contactId": "x", "pipelineId": "pipe"})),
        "job-body",
    ),
    "a body of one that is done": (
        ("set", "body:done", json.dumps({"locationId": "loc", "contactId": "a", "pipelineId": "pipe"})),
        "job-content",
    ),
    "an original of one that is done": (("set", "original:done", "{}"), "job-content"),
    "a consumer that never ends": (("set", "consumer:nobody", "plain:1"), "orphan"),
    "an unservable lane of no worker": (("sadd", "unservable:nobody", "loc"), "orphan"),
    "a token lock that never ends": (("set", "token_lock:loc", "nobody"), "orphan"),
    "a renewal of no token": (("hset", "renewals", "loc", "1 1"), "orphan"),
    "the locations are gone": (("del", "locations"), "lane-unlisted"),
    "a lane is gone": (("del", "lane:loc"), "job-order"),
    "a hold is gone": (("hdel", "lane:held", "hold"), "lane-held"),
    "a hold without a person": (("hset", "lane:loc", "hold", "why"), "lane-held"),
    "held time is gone": (("del", "held_time"), "lane-held"),
    "a hold without its author": (("hdel", "lane:held", "held_by"), "lane-hold"),
    "a hold without its time": (("hdel", "lane:held", "held_at"), "lane-hold"),
    "a hold with an invalid time": (("hset", "lane:held", "held_at", "?"), "lane-hold"),
    "a refused credential holds nothing": (("hset", "lane:loc", "unauthorized", "7 Invalid JWT"), "lane-hold"),
    "a refused credential of no version": (("hset", "lane:held", "unauthorized", "Invalid JWT"), "lane-hold"),
    "authorization holds it for no credential": (("hset", "lane:held", "held_by", "authorization"), "lane-hold"),
    "a brake is gone": (("hdel", "lane:slow", "brake_at"), "lane-held"),
    "a brake without its gap": (("hdel", "lane:slow", "brake_gap"), "lane-brake"),
    "a brake without a next probe": (("hdel", "lane:slow", "brake_probe_at"), "lane-brake"),
    "a brake without refusals": (("hset", "lane:loc", "brake_at", 1), "lane-held"),
    "half a global brake": (("hset", "global_state", "cause", "refusals"), "global_state"),
    "an outage without a beginning": (("hset", "global_state", "half_open_limit", 1), "global_state"),
    "a lane counts too many": (("hincrby", "lane:loc", "pending", 3), "count"),
    "a lane counts too few": (("hincrby", "lane:loc", "in_flight", -1), "count"),
    "a lane has an answer without a request": (("hset", "lane:loc", "api_number", 9999), "lane-numbers"),
    "a day reported by no answer": (("hset", "lane:loc", "day_seen_at", 9999), "lane-numbers"),
    "a day began in the future": (("hset", "lane:loc", "day_from", 9999), "lane-numbers"),
    "a day has more than was charged": (("hset", "lane:loc", "day_base", 9999), "lane-numbers"),
    "a lane refunded more than it sent": (("hset", "lane:loc", "unsent", 9999), "lane-numbers"),
    "a lane counts more lost requests than were lost": (("hset", "lane:loc", "lost_counted", 9999), "lane-numbers"),
    "a lane has redundant requests in flight": (("hset", "lane:loc", "redundant", 2), "lane-redundant"),
    "a lane counts other dead letters": (("hincrby", "lane:loc", "dead", 2), "count"),
    "all counts are gone": (("del", "counts"), "count"),
    "the counts of ended lanes are gone": (("del", "ended_lanes"), "count"),
    "one count of ended lanes is off": (("hincrby", "ended_lanes", "cancelled", 1), "count"),
    "a day of an ended lane is left": (("hset", "day:ended", 1, 1), "lane-unlisted"),
    "rate slots of an ended lane are left": (
        ("zadd", "rate_slots:ended", 1_800_172_800_000_000, "gone:1"),
        "lane-unlisted",
    ),
    "a service counts too many": (("hincrby", "service:crm", "pending", 5), "service"),
    "a service counts other dead letters": (("hincrby", "service:crm", "dead", -1), "service"),
    "the counters of a service are gone": (("hdel", "service:crm", "pending", "dead"), "service"),
    "a service is gone": (("del", "service:crm"), "service"),
    "a service was added at no time": (("hdel", "service:crm", "added_at"), "service"),
    "the services are gone": (("del", "services"), "service"),
    "a service that was removed is left": (("hset", "service:nobody", "moves", 3), "service"),
    "a counted job does not say so": (("hdel", "job:urgent", "counted"), "service"),
    "one count is off": (("hincrby", "counts", "delivered", 1), "count"),
}


def execute(store: ClockedStore, command: tuple[object, ...]) -> None:
    client: Any = store.client
    client.execute_command(command[0], f"{store.prefix}{command[1]}", *command[2:])


def add_up(store: ClockedStore) -> bool:
    counts, lanes, ended = store.counts(), store.lanes(), read_counts(store.read_hash("ended_lanes"))
    return all(sum(lane.counts[name] for lane in lanes) + ended[name] == counts[name] for name in counts)


@pytest.mark.parametrize("name", BREAKAGES)
def test_every_breakage_is_found_and_repaired_and_everything_is_delivered(store: ClockedStore, name: str) -> None:
    ids = set_up(store)
    command, code = BREAKAGES[name]
    execute(store, command)
    found = list(check_consistency(store))
    assert code in codes(found)
    assert all(finding.repair and finding.advice and "\n" not in str(finding) for finding in found)
    there = [job_id for job_id in ids if store.client.exists(store.key("job", job_id), store.key("done", job_id))]
    repair(store)
    set_aside = [key.decode() for key in store.client.scan_iter(store.prefix + "broken_key:*")]
    if set_aside:  # a person inspects it, and deletes it
        assert name in SET_ASIDE
        store.client.delete(*set_aside)
        unread = {key.rpartition(":")[2] for key in set_aside if key.split(":")[-2] == "done"}
        ids, there = ([job_id for job_id in each if job_id not in unread] for each in (ids, there))
    assert list(check_consistency(store)) == []
    if name == "a hold without a person":
        assert store.resume("loc") == "resumed"
    if name == "a global hold that does not hold":
        assert store.resume_all() == "resumed"
    delivered = drain(store)
    assert list(check_consistency(store)) == []
    assert add_up(store)
    jobs = {job_id: job for job_id in there if (job := store.job(job_id))}
    assert set(jobs) == set(there)
    assert {job_id for job_id in SENT if job_id in jobs and jobs[job_id].state is not State.DELIVERED} == set()
    queue = [job_id for job_id in delivered if job_id in ("waiting", "second", "third")]
    assert queue == [job_id for job_id in ("waiting", "second", "third") if job_id in there]
    missing = set(ids) - set(there)
    rescued = [store.job(job_id) for job_id in missing]
    assert all(job is not None and job.state is State.DEAD and job.body for job in rescued)


def test_counts_that_changed_since_they_were_read_are_left_to_the_next_check(store: ClockedStore) -> None:
    set_up(store)
    execute(store, ("hincrby", "lane:loc", "pending", 3))
    [found] = [
        finding.repair for finding in check_consistency(store) if (finding.code, finding.where) == ("count", "lane:loc")
    ]
    assert found
    store.enqueue(order("newcomer", "loc", "new"), 60)
    assert store.run(found.script, *found.arguments) == b"changed"
    assert repair(store) == []
    assert add_up(store)


def test_a_job_in_its_last_millisecond_is_no_finding(store: ClockedStore) -> None:
    set_up(store)
    script = store.client.script_load(scripts.load("check_jobs", test_clock=True).text)
    pipeline = store.client.pipeline(transaction=False)
    pipeline.pexpire(store.key("done", "done"), 3)
    for _ in range(2000):  # some of them run while Redis says that the job has 0 ms to live
        pipeline.evalsha(script, 1, store.key("schema"), "done")
    assert [reply for reply in pipeline.execute()[1:] if reply != [[], []]] == []
    assert store.job("done") is None


@pytest.mark.parametrize("name", BREAKAGES)
def test_a_check_changes_nothing(store: ClockedStore, name: str) -> None:
    set_up(store)
    execute(store, BREAKAGES[name][0])
    before = dump(store)
    list(check_consistency(store))
    assert dump(store) == before


def dump(store: ClockedStore) -> dict[bytes, Any]:
    keys = set(store.client.scan_iter(match=f"{store.prefix}*")) - {store.key("memory_checked").encode()}  # it expires
    return {key: store.client.dump(key) for key in sorted(keys)}


SPARED: tuple[str, ...] = (
    "test-clock",
    "memory_checked",
    "tokens",
    "notifications",
    "consumer",
    "event_times",
    "idempotency",
    "body",
    "global_state",
    "schema",
    "audit_log",
)
SPARED += ("recent", "history", "lane_history", "totals", "attempts")
WHO = ("nobody", "plain", "sent", "waiting", "refused", "done", "third", "held")


def breakage(store: ClockedStore, chance: random.Random) -> tuple[object, ...]:
    """Any single change of any key of jobs, lanes and indexes."""
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
    if kind == b"string":
        return chance.choice((("set", key, "?"), ("persist", key), ("pexpire", key, 50_000)))
    if kind == b"set":
        return ("srem", key, chance.choice(sorted(store.client.smembers(name))))
    field = chance.choice(sorted(store.client.hgetall(name)))
    if key.startswith("job:") and field == b"state":
        return ("hset", key, field, chance.choice([*State, "nonsense"]))
    if key.startswith("active:") and chance.random() < 0.5:
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
    there = [job_id for job_id in ids if store.client.exists(store.key("job", job_id), store.key("done", job_id))]
    bodies = {job_id for job_id in ids if store.client.exists(store.key("body", job_id))}
    left = repair(store)
    # The location of a finished job cannot be restored: nothing else holds it.
    assert {finding.code for finding in left} <= {"set-aside"}
    set_aside = {finding.where.rpartition(":")[2] for finding in left}
    assert not set_aside & bodies
    assert {job_id for job_id in ids if store.client.exists(store.key("body", job_id))} == bodies
    delivered = drain(store)
    repair(store)
    assert add_up(store)
    for job_id in set(there) - set_aside:
        assert store.client.exists(store.key("job", job_id), store.key("done", job_id))
    # Whatever has a body has been sent, or is one that a person decides on, or waits for a time that was changed.
    for job_id in bodies - set(delivered):
        job = store.job(job_id)
        assert job is not None
        assert job.body is not None
        assert job.is_dead_letter or job.state is State.PENDING
        assert job.is_dead_letter or store.client.zscore(store.key("delayed", job.location_id), job_id)


def test_a_step_checks_few_keys(store: ClockedStore, monkeypatch: pytest.MonkeyPatch) -> None:
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
    assert list(check_consistency(store)) == []
    most = {"check_members": 4 * STEP, "check_jobs": JOBS_STEP}
    assert all(size <= most.get(name, STEP + 1) for name, size in calls)
    commands = store.client.info("commandstats")
    done = sum(each["calls"] for each in commands.values())
    assert done <= 40 * len(many)
    assert done / len(calls) <= 30 * STEP
