"""The stored state, broken at random: keys, fields, members and lines overwritten with values of any type.

Then workers take jobs, commands run, pages are loaded, and the check repairs. None of it may end with a traceback, a
500 or a hang; the check finds what matters; jobs that nothing touched are delivered.
"""

import contextlib
import functools
import json
import random
import time
from collections import Counter
from collections.abc import Callable
from dataclasses import dataclass, field
from typing import Any, cast

import structlog

from lanes.checks.values import GLOBAL_NUMBERS, JOB_NUMBERS, LANE_NUMBERS
from lanes.errors import ScriptError
from lanes.queue.job import State as JobState
from lanes.queue.store import LaneStore, connect
from lanes.storage.keys import ANY, KEYS
from lanes.storage.stored import MICROSECONDS, json_object_of, number_of, text_of
from tests.fuzzing.command_line import STATUSES, Ended, call
from tests.fuzzing.seeded_redis import SECRET, SeededRedis, seeded_redis
from tests.fuzzing.site import PREFIX, USUAL, Asked, site
from tests.lanes.checks.jobs_in_every_state import LIMITS, drain, order, release_one, set_up
from tests.lanes.conftest import ClockedStore
from worker.dashboard.throughput import throughput_page

LANES = "lanes:"
CLOCK = "test-clock"
# What nothing of ours writes.
JUNK = (
    *(b"", b"\0", b"x", b"\xff\xfe", b"nan", b"-nan", b"inf", b"-inf", b"-0", b"1.5", b"-1", b"0x10", b" 7", b"1_000"),
    *(b"9" * 400, b"1e400", b"18446744073709551616", b"9223372036854775807", b"null", b"[]", b"{", b"{}", b'"\\ud800"'),
    *(b'{"a":NaN}', b'{"locationId":"loc"}', b"[" * 5000, b"=nan", b"-x", b"1 retry 1 2 {}", b"1 retry nan 2 {}"),
    *(b'9 x 1 2 {"status":"x","seconds":"y","message":[1,{}]}', b"pending", b"dead", b"\x1b[31m\r\n", b"1-1"),
)
SCORES = (0.0, -1.0, 1.5, float("inf"), float("-inf"), 1e300, 2.0**62)
NUMBERS = {"job": JOB_NUMBERS, "lane": LANE_NUMBERS, "global_state": GLOBAL_NUMBERS}
# Keys that limit what a lane sends; junk in them may be a valid limit.
LIMITING = ("lane", "day", "rate_slots", "sent", "foreign_requests")
STEP = 200  # seconds
# What was overwritten, by type, and what was run.
COUNTED: Counter[str] = Counter()

PAGES = (
    *("/throughput", "/throughput/data", "/lanes", "/lanes/data", "/lanes/held/data?cause=operator", "/audit-log"),
    *("/audit-log/data", "/dead-letters", "/dead-letters/data", "/dead-letters/data?group=yes", "/metrics"),
)
LANE_PAGES = ("/lane/{}", "/lanes/lane/data?location={}", "/lanes/series/data?location={}")
JOB_PAGES = ("/job/{}", "/jobs/data?id={}", "/dead-letter/{}", "/dead-letter/{}/edit")
READERS = (
    *(("status",), ("status", "--json"), ("check",), ("dead", "list"), ("dead", "list", "--json"), ("audit-log",)),
    *(("dead", "list", "--group"), ("dead", "export", "-"), ("dead", "export", "--rows", "-"), ("token", "list")),
    *(("audit-log", "--json"), ("dead", "replay", "--all", "--dry-run"), ("resume", "--all-held", "--dry-run")),
)
ABOUT_JOBS = (
    *(("job",), ("job", "--json"), ("dead", "show"), ("dead", "show", "--json"), ("cancel",), ("dead", "replay")),
    *(("dead", "purge", "--yes"), ("dead", "edit", "--set", "name=new"), ("dead", "replay", "--force")),
)
ABOUT_LANES = (("hold",), ("resume",), ("limit", "--burst", "5"), ("status",), ("dead", "list", "--location"))


class SeedStore(ClockedStore):
    """A store on the prefix of the commands. The time is set while it is used."""

    def __init__(self, url: str, now: float) -> None:
        LaneStore.__init__(self, connect(url), LANES, test_clock=True)
        self.now = now
        self.pass_time(0)

    def pass_time(self, seconds: float) -> None:
        """Move the clock on."""
        self.now += seconds
        self._client.set(LANES + CLOCK, round(self.now * MICROSECONDS))


@dataclass(slots=True)
class State:
    """All keys, with their times to live, and the ids of the jobs."""

    keys: list[tuple[bytes, int, bytes]]
    jobs: list[str]


@functools.lru_cache(maxsize=1)
def whole(begun: float) -> State:
    """Return a state with a job in every state at this time; all else is as it was before."""
    redis = seeded_redis()
    redis.store.client.flushall()
    store = SeedStore(redis.url, begun)
    jobs = set_up(store)
    redis.store.append_audit_log("ana", "hold", "held", "a reason", "ana")
    redis.store.client.hset(LANES + "tokens", "loc", f"1 {'x' * 40}")
    client = cast("Any", redis.store.client)
    client.delete(LANES + CLOCK)
    names = client.keys("*")
    keys = [(name, max(0, client.pttl(name)), client.dump(name)) for name in names]
    redis.put_back()
    return State(keys, jobs)


@dataclass(slots=True)
class Damage:
    """What was overwritten: keys, their kinds, ids and other words; and the keys that the check must name."""

    done: list[str] = field(default_factory=list)
    touched: set[str] = field(default_factory=set)
    must_find: set[str] = field(default_factory=set)

    def touches(self, *words: str) -> bool:
        """Return whether one of these keys, ids or names was overwritten."""
        return not self.touched.isdisjoint(words)

    @property
    def is_global(self) -> bool:
        """Whether a key of all lanes was overwritten."""
        return any(":" not in name for name in self.touched if name in KEYS)


class Breaker:
    """Overwrites stored values, by a seed."""

    def __init__(self, client: Any, chance: random.Random) -> None:
        self._client, self._chance = client, chance
        self.damage = Damage()

    def break_some(self) -> None:
        """Overwrite one to six keys, or parts of them."""
        for _ in range(self._chance.randint(1, 6)):
            names = sorted(text_of(name) for name in self._client.keys("*"))
            name = self._chance.choice([each for each in names if each != f"{LANES}schema"])
            if self._chance.random() < 0.1:
                kind = self._chance.choice([kind for kind in sorted(KEYS) if kind not in ("schema", "wake")])
                name = LANES + ":".join([kind, *["loc"] * len(KEYS[kind].fields)])
            if self._chance.random() < 0.5:
                self._overwrite(name)
            else:
                self._overwrite_part(name)

    def _junk(self) -> bytes:
        return self._chance.choice(JUNK)

    def _note(self, name: str, what: str, *words: bytes) -> None:
        short = name.removeprefix(LANES)
        self.damage.done.append(f"{what} {short} {words}")
        self.damage.touched |= {short, *short.split(":"), *(text_of(word) for word in words)}
        for word in words:
            self.damage.touched |= set(text_of(word).split(":"))
        COUNTED[what.partition(" ")[0]] += 1

    def _overwrite(self, name: str) -> None:
        kind = self._chance.choice(("string", "hash", "list", "set", "zset", "stream"))
        self._client.delete(name)
        for _ in range(self._chance.randint(1, 3)):
            self._add(name, kind)
        self._note(name, f"whole:{kind}")
        expected = KEYS[name.removeprefix(LANES).partition(":")[0]].kind
        self.damage.must_find.discard(name.removeprefix(LANES))
        if expected not in {kind, ANY}:
            self.damage.must_find.add(name.removeprefix(LANES))

    def _add(self, name: str, kind: str) -> None:
        client, junk = self._client, self._junk()
        if kind == "string":
            client.set(name, junk)
        elif kind == "hash":
            client.hset(name, junk or b"?", self._junk())
        elif kind == "list":
            client.rpush(name, junk)
        elif kind == "set":
            client.sadd(name, junk)
        elif kind == "zset":
            client.zadd(name, {junk: self._chance.choice(SCORES)})
        else:
            client.xadd(name, {junk or b"?": self._junk()})

    def _overwrite_part(self, name: str) -> None:
        client, kind = self._client, text_of(self._client.type(name))
        if kind == "hash":
            at = self._chance.choice(sorted(client.hkeys(name)))
            value = self._junk()
            client.hset(name, at, value)
            self._note(name, "part:hash", at)
            short = name.removeprefix(LANES)
            if text_of(at) in NUMBERS.get(short.partition(":")[0], ()) and number_of(value) is None:
                self.damage.must_find.add(short)
        elif kind == "zset":
            at = self._chance.choice([*sorted(client.zrange(name, 0, -1)), self._junk()])
            client.zadd(name, {at: self._chance.choice(SCORES)})
            self._note(name, "part:zset", at)
        elif kind == "list":
            position = self._chance.randrange(client.llen(name))
            before = client.lindex(name, position)
            client.lset(name, position, self._junk())
            self._note(name, "part:list", before)
        elif kind == "string":
            value = self._junk()
            client.set(name, value, keepttl=True)
            self._note(name, "part:string")
            short = name.removeprefix(LANES)
            if short.startswith("body:") and json_object_of(value) is None:
                self.damage.must_find.add(short)
        elif kind in ("set", "stream"):
            self._add(name, kind)
            self._note(name, f"part:{kind}")


def stored_state(data: bytes) -> None:
    """Break the state, use it, repair it, and deliver what is whole."""
    redis, chance = seeded_redis(), random.Random(data)
    client = cast("Any", redis.store.client)
    state = whole(time.time() // STEP * STEP - STEP + 1)  # always the same keys, but for their times
    with contextlib.ExitStack() as stack:
        stack.callback(redis.put_back)
        stack.callback(site().noted.records.clear)
        load(redis, state)
        breaker = Breaker(client, chance)
        breaker.break_some()
        damage = breaker.damage
        try:
            # Threads of the dashboard log while a command has replaced stdout.
            stack.enter_context(structlog.testing.capture_logs())
            look_at_all(state, chance, damage)
            work(redis, damage)
            repair()
            deliver(redis, state, damage)
        except BaseException as error:
            error.add_note(f"seed {data!r}: {damage}")
            raise


def load(redis: SeededRedis, state: State) -> None:
    """Make this the state."""
    with redis.store.client.pipeline() as pipeline:
        pipeline.flushall()
        for name, left, held in state.keys:
            pipeline.restore(name, left, held)
        pipeline.execute()


def look_at_all(state: State, chance: random.Random, damage: Damage) -> None:
    """Run commands and load pages."""
    jobs, lanes = [*state.jobs, "nobody"], ["loc", "held", "slow", "other", "nowhere"]
    about = sorted(damage.touched & {*jobs}) or jobs
    run("status", "--json")
    report = checked()
    named = {finding["where"] for finding in report["findings"]}
    of_broken_jobs = {f"body:{name.removeprefix('job:')}" for name in damage.must_find}
    missed = damage.must_find - of_broken_jobs - named
    assert not missed, f"not found: {missed}"
    for chosen in chance.sample(READERS, 3):
        run(*chosen)
    for chosen in chance.sample(ABOUT_JOBS[:4], 2):
        run(*chosen, chance.choice(about))
    fresh_caches()
    paths = [*PAGES, *(page.format(chance.choice(lanes)) for page in LANE_PAGES)]
    paths += [page.format(chance.choice(about)) for page in JOB_PAGES]
    for path in chance.sample(paths, 8):
        get(path)
    for chosen in chance.sample(ABOUT_JOBS[4:], 1):
        run(*chosen, chance.choice(about))
    run(*chance.choice(ABOUT_LANES), chance.choice(lanes))


def run(*arguments: str) -> Ended:
    """Run a command."""
    COUNTED["commands"] += 1
    _, ended = call(list(arguments), b"")
    reported = f"{arguments} -> {ended}"
    assert ended.status in STATUSES, reported
    assert "Traceback" not in ended.err, reported
    assert SECRET not in ended.out + ended.err, reported
    lines = ended.err.split("\n") + ([] if arguments[:2] == ("dead", "export") else ended.out.split("\n"))
    for line in lines:
        assert line.replace("\t", " ").isprintable(), reported
    return ended


def checked() -> Any:
    """Return the report of the check."""
    ended = run("check", "--json")
    try:
        return json.loads(ended.out)
    except ValueError:
        raise AssertionError(ended) from None


def fresh_caches() -> None:
    """Let the pages read Redis, not what they read before."""
    app = site().app
    app.lane_cache._reading, app.lane_cache._next_at = None, 0.0
    for known in vars(throughput_page).values():
        if isinstance(known, throughput_page.CachedSeries):
            known._known.clear()


def get(path: str) -> None:
    """Load a page."""
    COUNTED["pages"] += 1
    asked = Asked("GET", PREFIX + path, dict(USUAL))
    answer = site().ask(asked)
    unexpected = [each for each in site().noted.records if "stored_value_unreadable" not in each]
    reported = f"{path} -> {answer}"
    assert unexpected == [], f"{reported}\n{unexpected}"
    assert answer is not None, reported
    assert answer.status < 500, reported
    site().noted.records.clear()


def work(redis: SeededRedis, damage: Damage) -> None:
    """Let workers take jobs: a broken lane or job stops no other."""
    store = SeedStore(redis.url, time.time())
    calls: tuple[Callable[[], object], ...] = (
        lambda: store.reclaim(100, 99),
        lambda: store.expire(100),
        lambda: store.count_due(100, LIMITS),
        lambda: store.claim_notification(10, None),
    )
    try:
        for each in calls:
            allow_global(each, damage)
        allow_global(lambda: store.enqueue(order("fresh", "new", "r"), 60), damage)
        for turn in range(40):
            found = allow_global(lambda: release_one(store, f"before{turn}"), damage)  # noqa: B023
            if found is None:
                break
    finally:
        store.client.delete(LANES + CLOCK)


def allow_global(use: Callable[[], Any], damage: Damage) -> Any:
    """Call something; it may fail where a key of all lanes is broken."""
    try:
        return use()
    except ScriptError:
        assert damage.is_global
        return None


def repair() -> None:
    """Repair: what is left is for a person, and says so."""
    run("check", "--repair")
    run("check", "--repair", "--yes")
    report = checked()
    left = [each for each in report["findings"] if each["severity"] == "error"]
    assert not [each for each in left if each["repair"]], left
    assert all(each["advice"] for each in left)
    COUNTED["left for a person"] += len(left)


def deliver(redis: SeededRedis, state: State, damage: Damage) -> None:
    """Deliver every unfinished job that nothing touched."""
    redis.store.resume_all()
    for location in redis.store.locations():
        redis.store.resume(location)
    found = [job for job in redis.store.read_jobs(state.jobs) if job and not job.state.final and job.body]
    expected = {
        job.id for job in found if not damage.touches(job.id, *(f"{kind}:{job.location_id}" for kind in LIMITING))
    }
    store = SeedStore(redis.url, time.time())
    try:
        drain(store)
    finally:
        store.client.delete(LANES + CLOCK)
    delivered = {job.id for job in redis.store.read_jobs(sorted(expected)) if job and job.state is JobState.DELIVERED}
    left = expected - delivered
    assert not left, f"not delivered: {left}"
    COUNTED["delivered"] += len(expected)
