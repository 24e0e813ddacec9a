"""The stored state, broken at random: keys, fields, members and lines overwritten with values of any type.

Then workers take jobs, commands run, pages are loaded, and the check repairs. None of it may end with a traceback, a
500 or a hang; the check finds what matters; jobs that nothing touched are delivered.
"""

import contextlib
import functools
import json
import random
import time
from collections.abc import Callable
from dataclasses import dataclass
from typing import Any, cast

import structlog

from lanes.errors import ScriptError
from lanes.outcomes.steps import run_steps
from lanes.outcomes.store import OutcomeStore
from lanes.outcomes.stream import GroupReader, NoOutcomesError, OutcomeStream
from lanes.queue.connecting import connect
from lanes.queue.job import State as JobState
from lanes.queue.new_job import NewJob
from lanes.queue.store import LaneStore
from lanes.services.service import Service
from lanes.services.store import ServiceStore
from lanes.storage.stored import MICROSECONDS
from tests.fuzzing.command_line import STATUSES, Ended, call
from tests.fuzzing.damage import COUNTED, LANES, Breaker, Damage
from tests.fuzzing.seeded_redis import SECRET, SeededRedis, seeded_redis
from tests.fuzzing.site import PREFIX, USUAL, Asked, site
from tests.lanes.checks.jobs_in_every_state import END_SECONDS, LIMITS, drain, order, release_one, set_up
from tests.lanes.conftest import ClockedStore
from worker.dashboard.throughput import throughput_page

CLOCK = "test-clock"
# Keys that limit what a lane sends; junk in them may be a valid limit.
LIMITING = ("lane", "day", "rate_slots", "sent", "foreign_requests")
STEP = 200  # seconds


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
    store = SeedStore(redis.url, begun - END_SECONDS)
    jobs = set_up(store)
    redis.store.append_audit_log("ana", "hold", "held", "a reason", "ana")
    ServiceStore(store).add(Service("shop"))
    for number in range(3):
        store.enqueue(NewJob(f"told{number}", "told", "r", b"{}", service="shop"), 60)
        store.cancel(f"told{number}", 10**6)
    store.client.xgroup_create(LANES + "outcomes:shop", "readers", id="0")
    redis.store.client.hset(LANES + "tokens", "loc", f"1 {'x' * 40}")
    client = cast("Any", redis.store.client)
    client.delete(LANES + CLOCK)
    names = client.keys("*")
    keys = [(name, max(0, client.pttl(name)), held) for name in names if (held := client.dump(name)) is not None]
    redis.put_back()
    return State(keys, jobs)


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
        if isinstance(known, throughput_page.CachedRead):
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
        lambda: OutcomeStore(store).write_outcomes(),
        lambda: OutcomeStore(store).trim_outcomes(3600, 1),
        lambda: OutcomeStore(store).totals(["shop"]),
    )
    try:
        for each in calls:
            allow_global(each, damage)
        read_outcomes(store, damage)
        allow_global(lambda: store.enqueue(order("fresh", "new", "r"), 60), damage)
        for turn in range(40):
            found = allow_global(lambda: release_one(store, f"before{turn}"), damage)  # noqa: B023
            if found is None:
                break
    finally:
        store.client.delete(LANES + CLOCK)


def read_outcomes(store: LaneStore, damage: Damage) -> None:
    """Read the outcomes of a service: they may be missing where its own keys are broken."""
    stream = OutcomeStream(LANES, "shop")
    for steps in (stream.page(None, 100), GroupReader(stream, "readers", 0.001).read(0.001)):
        try:
            run_steps(store.read, steps)
        except (ScriptError, NoOutcomesError):
            assert damage.touches("outcomes:shop", "service:shop")


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
