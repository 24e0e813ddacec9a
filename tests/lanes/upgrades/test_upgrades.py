"""What an older version left in Redis, and a newer one put there.

`first_release.jsonl` is what the code of the first release left of jobs in every state: one line a key. It was made
once, with that code, and never changes.
"""

import json
from collections.abc import Callable
from importlib.resources import files
from pathlib import Path
from typing import Any

import pytest

from lanes.checks.consistency import check_consistency
from lanes.queue.job import State
from lanes.queue.new_job import EnqueueStatus
from lanes.queue.results import Idle, Released
from lanes.queue.transitions import AttemptReport, Consumer, DefaultLimits
from lanes.storage import schema
from lanes.storage.keys import SCHEMA
from lanes.storage.schema import MIGRATIONS, SchemaStore, prepare
from lanes.storage.scripts import load
from tests.lanes.checks.jobs_in_every_state import LIMITS, order, repair
from tests.lanes.conftest import ClockedStore

DUMP = Path(__file__).with_name("first_release.jsonl")
DEAD = {"refused", "refused-again", "exhausted", "unauthorized"}
CANCELLED = {"purged", "expired", "cancelled"}
WAITING = {"replayed", "in-flight", "behind-in-flight", "lost", "behind-lost", "held", "throttled", "timed", "brief"}
WAITING |= {"waiting", "second", "third", "other"}


def restore(store: ClockedStore) -> None:
    """Put the dump into Redis."""
    client: Any = store.client
    write: dict[str, Callable[[str, Any], Any]] = {
        "string": client.set,
        "hash": lambda key, value: client.hset(key, mapping=value),
        "list": lambda key, value: client.rpush(key, *value),
        "set": lambda key, value: client.sadd(key, *value),
        "zset": client.zadd,
    }
    for line in DUMP.read_text("utf-8").splitlines():
        row = json.loads(line)
        write[row["kind"]](store.prefix + row["key"], row["value"])
        if row["expires"]:
            client.expire(store.prefix + row["key"], 7 * 86_400)


def release_one(store: ClockedStore, worker: str, limits: DefaultLimits = LIMITS) -> Released | None:
    found = store.release(Consumer(worker, 30, 3600, limits)).next
    return found if isinstance(found, Released) else None


def deliver_all(store: ClockedStore) -> list[str]:
    delivered: list[str] = []
    for turn in range(60):
        store.reclaim(100, 99)
        while job := release_one(store, f"w{turn}-{len(delivered)}"):
            assert json.loads(job.body)["name"] == job.id
            store.deliver(AttemptReport(job.id, job.attempt, "{}", LIMITS), retention=3600)
            delivered.append(job.id)
        store.pass_time(5)
    return delivered


def dump_of(store: ClockedStore) -> dict[bytes, Any]:
    keys = sorted(store.client.scan_iter(match=f"{store.prefix}*"))
    return {key: store.client.dump(key) for key in keys}


def test_everything_of_the_first_release_is_delivered(store: ClockedStore) -> None:
    restore(store)
    before = store.counts()
    reported: list[tuple[int, int]] = []
    prepare(store, lambda version, changed: reported.append((version, changed)))
    assert [version for version, _ in reported] == [2]
    assert store.client.get(store.key("schema")) == SCHEMA.encode()
    assert list(check_consistency(store)) == []
    after = store.counts()
    assert after == before | {"expired": 0, "cancelled": before["cancelled"] + before["expired"]}
    assert store.enqueue(order("again", "loc", "pipe/a", idempotency_key="order-1", fingerprint="abc"), 60).status is (
        EnqueueStatus.KNOWN
    )
    assert store.resume("held") == "resumed"
    delivered = deliver_all(store)
    assert set(delivered) == WAITING
    for queue in (["in-flight", "behind-in-flight"], ["lost", "behind-lost"], ["waiting", "second", "third"]):
        assert [job_id for job_id in delivered if job_id in queue] == queue
    jobs = {job_id: store.job(job_id) for job_id in DEAD | CANCELLED}
    states = {job_id: None if job is None else job.state for job_id, job in jobs.items()}
    assert states == dict.fromkeys(DEAD, State.DEAD) | dict.fromkeys(CANCELLED, State.CANCELLED)
    assert list(check_consistency(store)) == []


def test_dead_letters_of_the_first_release_are_replayed_and_purged(store: ClockedStore) -> None:
    restore(store)
    prepare(store)
    assert store.replay("refused") == "replayed"
    assert store.purge("refused-again", 3600) == "purged"
    assert store.purge("exhausted", 3600) == "purged"
    assert list(check_consistency(store)) == []
    assert "refused" in deliver_all(store)
    assert list(check_consistency(store)) == []


def test_what_a_location_sent_in_the_last_day_still_counts(store: ClockedStore) -> None:
    restore(store)
    prepare(store)
    lane = next(lane for lane in store.lanes() if lane.location_id == "loc")
    assert lane.day_used == 10
    day = DefaultLimits(burst=1000, window=10, daily=12)
    sent = [job for worker in ("a", "b", "c", "d", "e") if (job := release_one(store, worker, day))]
    assert len([job for job in sent if job.location_id == "loc"]) == 2


def test_the_day_goes_on_as_it_would_have(store: ClockedStore) -> None:
    """Each quarter of an hour is forgotten a day after its end, with the requests that were made in it."""
    quarter = round(store.now) // 900
    restore(store)
    store.client.delete(store.key("day", "loc"))
    for ago, used in ((90, 5), (10, 3), (1, 2)):
        store.client.hset(store.key("day", "loc"), str(quarter - ago), used)
    prepare(store)
    for passed, used in ((0, 10), (8 * 900, 5), (80 * 900, 2)):
        store.pass_time(passed)
        store.client.zadd(store.key("due"), {"loc": 0})
        release_one(store, f"w{passed}", DefaultLimits(burst=1000, window=10, daily=1))  # looks, and may send nothing
        lane = next(lane for lane in store.lanes() if lane.location_id == "loc")
        assert lane.day_used == used


@pytest.mark.parametrize("steps", range(4))
def test_a_migration_that_is_cut_short_is_done_again(
    store: ClockedStore, steps: int, monkeypatch: pytest.MonkeyPatch
) -> None:
    """A worker dies after any step, and another begins anew; and two at once."""
    restore(store)
    monkeypatch.setattr(schema, "STEP", 3)
    run, left = store.run, steps

    class KilledError(Exception):
        """The worker dies here."""

    def dying(name: str, *arguments: Any) -> Any:
        nonlocal left
        if left == 0:
            raise KilledError
        left -= 1
        return run(name, *arguments)

    monkeypatch.setattr(store, "run", dying)
    with pytest.raises(KilledError):
        prepare(store)
    monkeypatch.setattr(store, "run", run)
    assert SchemaStore(store).version() == 1
    prepare(store)
    once = dump_of(store)
    assert MIGRATIONS[2](SchemaStore(store)) == 0
    assert dump_of(store) == once
    assert list(check_consistency(store)) == []


def test_without_a_migration_the_check_reports_it(store: ClockedStore) -> None:
    restore(store)
    assert {finding.code for finding in check_consistency(store)} >= {"job-dead-letter", "lane-held"}


def test_an_empty_redis_gets_the_present_layout_from_the_first_client(store: ClockedStore) -> None:
    assert SchemaStore(store).version() is None
    store.enqueue(order("one", "loc", "a"), 60)
    assert SchemaStore(store).version() == int(SCHEMA)
    store.client.flushall()
    store.pass_time(0)
    prepare(store)
    assert SchemaStore(store).version() == int(SCHEMA)


def test_a_producer_does_not_call_old_data_new(store: ClockedStore) -> None:
    restore(store)
    store.enqueue(order("one", "brand-new", "a"), 60)
    assert SchemaStore(store).version() == 1


def test_the_scripts_and_the_keys_agree_on_the_layout() -> None:
    text = (files("lanes") / "scripts" / "include" / "queue" / "schema.lua").read_text("utf-8")
    assert f"local SCHEMA = {SCHEMA}\n" in text
    assert sorted(MIGRATIONS) == list(range(2, int(SCHEMA) + 1))


def test_a_newer_layout_is_left_as_it_is(store: ClockedStore) -> None:
    SchemaStore(store).note(int(SCHEMA) + 1)
    prepare(store)
    assert SchemaStore(store).version() == int(SCHEMA) + 1


def newer(store: ClockedStore, *job_ids: str) -> None:
    """As a newer producer would write them."""
    for job_id in job_ids:
        store.client.hset(store.key("job", job_id), mapping={"needs": 2, "colour": "blue"})


def test_an_older_worker_leaves_a_newer_job_alone(store: ClockedStore) -> None:
    for name, record in (("new", "a"), ("behind", "a"), ("old", "b")):
        store.enqueue(order(name, "loc", record), 60)
    newer(store, "new")
    before = store.client.hgetall(store.key("job", "new"))
    assert deliver_all(store) == ["old"]
    assert store.client.hgetall(store.key("job", "new")) == before
    assert store.counts()["pending"] == 2
    assert list(check_consistency(store)) == []
    assert repair(store) == []
    job = store.job("new")
    assert job is not None
    assert job.state is State.PENDING


def test_it_does_not_look_at_it_all_the_time(store: ClockedStore) -> None:
    for number in range(5):
        store.enqueue(order(f"new{number}", "loc", f"r{number}"), 60)
    newer(store, *(f"new{number}" for number in range(5)))
    found = store.release(Consumer("w", 30, 3600, LIMITS)).next
    assert isinstance(found, Idle)
    assert found.seconds
    assert found.seconds > 1


def test_a_newer_worker_takes_it_in_its_order(store: ClockedStore, monkeypatch: pytest.MonkeyPatch) -> None:
    """The newer one is the present one whose scripts understand more; both run side by side, each by its own sha."""
    for name, record in (("new", "a"), ("behind", "a"), ("old", "b")):
        store.enqueue(order(name, "loc", record), 60)
    newer(store, "new")
    assert (job := release_one(store, "older")) is not None
    assert job.id == "old"
    understands_more(monkeypatch)
    store.pass_time(6)
    taken = release_one(store, "newer")
    assert taken is not None
    assert taken.id == "new"
    monkeypatch.undo()
    store.deliver(AttemptReport("new", 1, "{}", LIMITS), retention=3600)
    behind = release_one(store, "older still")
    assert behind is not None
    assert behind.id == "behind"


def understands_more(monkeypatch: pytest.MonkeyPatch) -> None:
    def load_newer(name: str, prefix: str, *, test_clock: bool = False) -> Any:
        script = load(name, prefix, test_clock=test_clock)
        assert "UNDERSTOOD = 1" in script.text or name not in ("release", "deliver")
        return type(script)(script.name, script.text.replace("UNDERSTOOD = 1", "UNDERSTOOD = 2"), script.origins)

    monkeypatch.setattr("lanes.queue.reader.load", load_newer)


def test_an_upsert_does_not_join_a_newer_job(store: ClockedStore) -> None:
    store.enqueue(order("new", "loc", "a"), 60)
    newer(store, "new")
    store.enqueue(order("later", "loc", "a", merge=True), 60)
    job = store.job("later")
    assert job is not None
    assert job.merged_into is None


def test_what_a_release_asks_of_redis_has_not_grown(store: ClockedStore) -> None:
    """The need of a job is read with what is read of it anyway."""
    text = load("release", store.prefix, test_clock=True).text
    without = text.replace("'version', 'needs')", "'version')")
    assert without != text
    assert cost(store, text) == cost(store, without)


def cost(store: ClockedStore, text: str) -> int:
    """Return how many commands it takes to release the one job that there is."""
    store.client.flushall()
    store.pass_time(0)
    store.enqueue(order("one", "loc", "a"), 60)
    store.client.config_resetstat()
    assert store.client.eval(text, 0, "w", 30_000_000, 3600, 1000, 10_000_000, 100_000)[1] == b"one"
    stats: dict[str, dict[str, int]] = store.client.info("commandstats")
    return sum(each["calls"] for each in stats.values())
