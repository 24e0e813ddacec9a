"""The metrics agree with the counts of the lanes."""

import pytest

from lanes.activity.series import Histogram
from lanes.outcomes.store import OutcomeStore
from lanes.queue.global_state import GlobalState
from lanes.queue.job import Reason, State
from lanes.queue.lane import COUNTS, Lane
from lanes.queue.results import Released
from lanes.queue.transitions import AttemptReport, Consumer, DefaultLimits, RetryPolicy
from lanes.services.service import Service
from lanes.services.store import ServiceStore
from lanes.settings import WorkerSettings
from tests.lanes.breaker.brake_steps import close
from tests.lanes.breaker.outage_steps import begin_outage
from tests.lanes.conftest import ClockedStore, Orders
from tests.worker.metrics.conftest import SETTINGS, Scrape
from worker.delivery.statistics import Statistics
from worker.metrics.catalogue import CELL_METRICS, MetricKind
from worker.metrics.lane_aggregates import aggregate
from worker.metrics.redis_health import SLOW, parse
from worker.metrics.samples import BOUNDS, Sample, collect

KNOWN = KEPT = 3600
MANY = DefaultLimits(burst=100, window=10, daily=1000)
COUNTERS = tuple(metric.name for metric in CELL_METRICS if metric.kind is MetricKind.COUNTER)


def send(store: ClockedStore, lease: float = 30) -> AttemptReport:
    job = store.release(Consumer("w1", lease=lease, retention=KEPT, limits=MANY)).next
    assert isinstance(job, Released)
    return AttemptReport(job.id, job.attempt, "{}", MANY)


def counters(found: dict[str, float]) -> dict[str, float]:
    return {name: value for name, value in found.items() if name.partition("{")[0] in COUNTERS}


def test_each_outcome_is_counted_and_no_counter_ever_goes_down(
    store: ClockedStore, order: Orders, scrape: Scrape
) -> None:
    for number in range(10):
        store.enqueue(order(record=f"pipe/{number}"), KNOWN)
    before = counters(scrape(store))

    def then(**changes: float) -> None:
        nonlocal before
        after = counters(scrape(store))
        assert {name: after[name] - before[name] for name in after if after[name] != before[name]} == {
            name.replace("__", "{reason=") + ("}" if "__" in name else ""): value for name, value in changes.items()
        }
        before = after

    store.deliver(send(store), retention=KEPT)
    then(lanes_jobs_delivered_total=1)
    store.retry(send(store), delay=1000)
    then(lanes_attempts_retried_total=1)
    store.throttle(send(store), wait=0)
    then(lanes_attempts_throttled_total=1)
    store.bury(dead := send(store), reason="refused")
    then(lanes_jobs_buried_total__refused=1)
    store.bury(send(store), reason="exhausted")
    then(lanes_jobs_buried_total__exhausted=1)
    store.retry(send(store), delay=0, retry_policy=RetryPolicy(0, 1000), reason=Reason.UNCONFIRMED)
    then(lanes_jobs_buried_total__unconfirmed=1)
    store.bury(send(store), reason="unauthorized")
    then(lanes_jobs_buried_total__unauthorized=1)
    assert store.replay(dead.job_id) == "replayed"
    then()
    send(store, lease=1)
    store.pass_time(2)
    store.reclaim(10, 12)
    then(lanes_attempts_reclaimed_total=1)
    store.enqueue(order(record="pipe/late", expires_at=store.now + 1), KNOWN)
    then(lanes_jobs_accepted_total=1)
    store.pass_time(2)
    store.expire(10)
    then(lanes_jobs_expired_total=1)
    store.enqueue(first := order(record="pipe/late", merge=True), KNOWN)
    store.enqueue(order(record="pipe/late", merge=True), KNOWN)
    then(lanes_jobs_accepted_total=2, lanes_jobs_merged_total=1)
    store.enqueue(gone := order(record="pipe/gone"), KNOWN)
    store.cancel(gone.id, KEPT)
    then(lanes_jobs_accepted_total=1, lanes_jobs_cancelled_total=1)
    assert store.job(first.id)
    counts = store.counts()
    assert {name: value for name, value in scrape(store).items() if name.startswith("lanes_jobs{")} == {
        f"lanes_jobs{{state={state}}}": counts[state] for state in State
    }


def test_outcomes_and_their_groups_are_measured(store: ClockedStore, order: Orders, scrape: Scrape) -> None:
    ServiceStore(store).add(Service("crm"))
    for number in range(5):
        store.enqueue(new := order(record=f"pipe/{number}", service="crm"), KNOWN)
        store.cancel(new.id, KEPT)
    key = store.key("outcomes", "crm")
    store.client.xgroup_create(key, "slow", id="0")
    store.client.xgroup_create(key, "fast", id="$")
    OutcomeStore(store).trim_outcomes(10**8, 3)
    store.client.hset(store.key("totals"), mapping={"outcomes_forgotten": 7, "outcomes_lost": 9})
    found = scrape(store)
    assert found["lanes_outcomes{service=crm}"] == 3
    assert found["lanes_outcomes_unread_total{service=crm}"] == 2
    assert found["lanes_outcomes_behind_seconds{group=fast,service=crm}"] == 0
    assert found["lanes_outcomes_behind_seconds{group=slow,service=crm}"] > 0
    assert (found["lanes_outcomes_forgotten_total"], found["lanes_outcomes_lost_total"]) == (7, 9)


def test_exactly_the_metrics_of_the_catalogue_are_exposed(store: ClockedStore, order: Orders, scrape: Scrape) -> None:
    ServiceStore(store).add(Service("crm", rate=5))
    store.enqueue(order(), KNOWN)
    store.client.xgroup_create(store.key("outcomes", "crm"), "group", id="0", mkstream=True)
    reported = {name.partition("{")[0] for name in scrape(store)}
    for metric in CELL_METRICS:
        suffixes = ("_bucket", "_sum", "_count") if metric.kind is MetricKind.HISTOGRAM else ("",)
        assert {metric.name + suffix for suffix in suffixes} <= reported
        reported -= {metric.name + suffix for suffix in suffixes}
    assert reported == set()


def test_services_with_their_quotas_and_what_they_use(store: ClockedStore, order: Orders, scrape: Scrape) -> None:
    ServiceStore(store).add(Service("crm", max_pending=2, max_dead=7))
    store.enqueue_many([order(record=f"pipe/{number}", service="crm") for number in range(3)], KNOWN)
    store.bury(send(store), reason="refused")
    ServiceStore(store).add(Service("plain"))
    found = {name: value for name, value in scrape(store).items() if name.startswith("lanes_service_")}
    assert found == {
        "lanes_service_jobs{service=crm,state=pending}": 1,
        "lanes_service_jobs{service=crm,state=dead}": 1,
        "lanes_service_quota{quota=max_pending,service=crm}": 2,
        "lanes_service_quota{quota=max_dead,service=crm}": 7,
        "lanes_service_rows_refused_total{service=crm}": 1,
        "lanes_service_jobs{service=plain,state=pending}": 0,
        "lanes_service_jobs{service=plain,state=dead}": 0,
        "lanes_service_rows_refused_total{service=plain}": 0,
    }


def test_an_outage_and_its_end(store: ClockedStore, order: Orders, scrape: Scrape) -> None:
    assert [scrape(store)[f"lanes_outage{name}"] for name in ("", "_seconds", "_half_open_limit", "_probes")] == [
        0,
        0,
        0,
        0,
    ]
    begin_outage(store, order)
    store.pass_time(30)
    send(store)
    assert [scrape(store)[f"lanes_outage{name}"] for name in ("", "_seconds", "_half_open_limit", "_probes")] == [
        1,
        30,
        1,
        1,
    ]
    store.pass_time(60)  # the lease of the probe is over
    assert scrape(store)["lanes_outage_probes"] == 0


def test_holds_by_cause_and_the_age_of_pending_jobs(store: ClockedStore, order: Orders, scrape: Scrape) -> None:
    store.enqueue(order("one"), KNOWN)
    store.enqueue(order("two"), KNOWN)
    store.bury(send(store), reason="unauthorized", hold="Invalid JWT")
    store.hold("two", "a reason", "Ann of the support")
    store.pass_time(50)
    store.enqueue(order("free"), KNOWN)
    store.pass_time(10)
    found = scrape(store)
    assert [found[f"lanes_held{{by={by}}}"] for by in ("authorization", "outage", "person")] == [1, 0, 1]
    assert [found[f"lanes_oldest_seconds{{held={held}}}"] for held in ("no", "yes")] == [10, 60]
    assert [found[f"lanes_lane_held{{location={name}}}"] for name in ("free", "one", "two")] == [0, 1, 1]
    assert (found["lanes_held_all"], found["lanes_locations"], found["lanes_jobs_due"]) == (0, 3, 1)
    store.hold("one", "a reason", "Ann of the support")  # whose token still has to be replaced
    found = scrape(store)
    assert [found[f"lanes_held{{by={by}}}"] for by in ("authorization", "outage", "person")] == [1, 0, 2]
    store.hold_all("a reason", "Ann")
    found = scrape(store)
    assert (found["lanes_held_all"], found["lanes_oldest_seconds{held=no}"], found["lanes_jobs_due"]) == (1, 0, 0)


def test_lanes_on_the_brake_are_not_held(store: ClockedStore, order: Orders, scrape: Scrape) -> None:
    assert [scrape(store)[name] for name in ("lanes_braked", "lanes_braked_all")] == [0, 0]
    for name, braked, everything in (("one", 1, 0), ("two", 2, 0), ("three", 3, 1)):
        close(store, order, name)
        store.pass_time(0.25)
        found = scrape(store)
        assert [found[f"lanes_braked{of}"] for of in ("", "_all")] == [braked, everything]
        assert found["lanes_outage"] == found["lanes_held_all"] == found["lanes_busy"] == 0
        assert [found[f"lanes_held{{by={by}}}"] for by in ("authorization", "outage", "person")] == [0, 0, 0]
    assert [found[f"lanes_oldest_seconds{{held={held}}}"] for held in ("no", "yes")] == [0, 0.75]


def test_the_use_of_the_rate_is_that_of_lanes_that_have_work_and_may_send(
    store: ClockedStore, order: Orders, scrape: Scrape
) -> None:
    for number in range(4):
        store.enqueue(order("busy", f"pipe/{number}"), KNOWN)
    store.enqueue(order("idle"), KNOWN)
    store.hold("idle", "a reason", "Ann")
    store.deliver(send(store), retention=KEPT)
    found = scrape(store)
    assert (found["lanes_busy"], found["lanes_busy_window_used"], found["lanes_busy_window_allowed"]) == (1, 1, 2)
    assert found["lanes_lane_window_used{location=busy}"] == found["lanes_lane_day_used{location=busy}"] == 1


def test_histograms_have_the_buckets_of_the_lanes(store: ClockedStore, order: Orders, scrape: Scrape) -> None:
    statistics = Statistics()
    for number, seconds in enumerate((0.003, 0.9, 5)):
        store.enqueue(order(record=f"pipe/{number}"), KNOWN)
        report = send(store)
        store.pass_time(seconds)
        statistics.add(store.deliver(report, retention=KEPT))
    statistics.write(store)
    found = scrape(store)
    assert found["lanes_delivery_seconds_count"] == found["lanes_delivery_seconds_bucket{le=+Inf}"] == 3
    at_most = {bound: found[f"lanes_delivery_seconds_bucket{{le={bound}}}"] for bound in BOUNDS}
    assert (at_most[0.002], at_most[0.004], at_most[0.512], at_most[1.024], at_most[8.192]) == (0, 1, 1, 2, 3)
    assert list(at_most.values()) == sorted(at_most.values())
    assert found["lanes_delivery_seconds_sum"] == pytest.approx(5.903, rel=0.1)
    assert found["lanes_attempt_seconds_count"] == 3


def test_what_takes_longer_than_every_bound_is_in_the_last_bucket() -> None:
    [metric] = collect(CELL_METRICS, [Sample("lanes_delivery_seconds", Histogram({119: 2}))])
    found = {sample.labels.get("le", sample.name): sample.value for sample in metric.samples}
    assert (found[str(BOUNDS[-1])], found["+Inf"], found["lanes_delivery_seconds_count"]) == (0, 2, 2)


def test_a_value_that_its_metric_cannot_have_is_an_error() -> None:
    with pytest.raises(TypeError, match="lanes_workers"):
        collect(CELL_METRICS, [Sample("lanes_workers", Histogram())])
    with pytest.raises(TypeError, match="lanes_attempt_seconds"):
        collect(CELL_METRICS, [Sample("lanes_attempt_seconds", 1)])


def lane(name: str, pending: int, *, hold: str | None = None, oldest: float | None = None) -> Lane:
    counts = dict.fromkeys(COUNTS, 0) | {"pending": pending, "dead": 1}
    return Lane(name, counts, hold, hold and "operator", None, 5, 1, oldest=oldest)


def test_the_longest_lanes_have_a_series_each_and_the_others_one_together() -> None:
    lanes = [lane(f"loc{number}", number, oldest=number) for number in range(10)]
    lanes[3] = lane("loc3", 3, hold="a reason", oldest=99)
    lanes.append(lane("other", 1000))  # a location of that name
    settings = WorkerSettings(metrics_lanes=2, burst_limit=7)
    rows = aggregate(lanes, GlobalState(), settings).rows
    assert list(rows) == ["loc8", "loc9", "other"]
    assert (rows["loc9"].pending, rows["loc9"].dead, rows["loc9"].oldest_seconds, rows["loc9"].held) == (9, 1, 9, 0)
    rest = rows["other"]
    assert (rest.pending, rest.dead, rest.oldest_seconds, rest.held) == (sum(range(8)) + 1000, 9, 99, 1)
    assert (rest.window_used, rest.window_allowed, rest.day_used) == (9, 63, 45)
    assert list(aggregate(lanes, GlobalState(), WorkerSettings(metrics_lanes=0)).rows) == ["other"]
    assert sum(row.pending for row in rows.values()) == sum(each.counts["pending"] for each in lanes)


def test_budgets_of_its_own(store: ClockedStore, order: Orders, scrape: Scrape) -> None:
    store.enqueue(order("own"), KNOWN)
    store.limit("own", 50, 60, None)
    found = scrape(store)
    assert found["lanes_lane_window_allowed{location=own}"] == 50
    assert found["lanes_lane_day_allowed{location=own}"] == 60


def test_what_redis_says_of_itself() -> None:
    info = {
        "redis_version": "7.2",
        "used_memory": 10,
        "maxmemory": 20,
        "mem_fragmentation_ratio": 1.5,
        "aof_enabled": 1,
        "aof_last_write_status": "err",
        "aof_rewrite_in_progress": 1,
        "connected_slaves": 2,
    }
    latest = [[b"aof-fsync-always", 900, 250, 400], [b"fork", 600, 30, 30], [b"unheard-of", 999, 1, 1]]
    version, samples = parse(info, latest, now=1000)
    assert version == "7.2"
    assert {sample.name.removeprefix("lanes_redis_"): sample.value for sample in samples if not sample.labels} == {
        "memory_used_bytes": 10,
        "memory_max_bytes": 20,
        "memory_fragmentation_ratio": 1.5,
        "aof_enabled": True,
        "aof_last_write_ok": False,
        "aof_rewrite_running": True,
        "replicas": 2,
    }
    slow = {sample.labels[0]: sample.value for sample in samples if sample.name == "lanes_redis_slow_seconds"}
    assert slow == {**dict.fromkeys(SLOW, 0.0), "aof-fsync-always": 0.25}


def test_redis_remembers_what_was_slow(store: ClockedStore, scrape: Scrape) -> None:
    store.client.config_set("latency-monitor-threshold", 1)
    try:
        store.client.eval("for i = 1, 3000000 do local x = i % 7 end", 0)
        store.client.delete("test:test-clock")
        # Redis' own clock stamps what was slow.
        store.now = 0
        seconds, micros = store.client.time()
        store.client.set("test:test-clock", seconds * 1_000_000 + micros)
        assert scrape(store)["lanes_redis_slow_seconds{event=command}"] > 0
    finally:
        store.client.config_set("latency-monitor-threshold", 100)
        store.client.latency_reset()


def test_settings_bound_how_many_are_named() -> None:
    with pytest.raises(ValueError, match="metrics_lanes"):
        WorkerSettings(metrics_lanes=1001)
    assert SETTINGS.metrics_port == 0
    assert SETTINGS.metrics_address == "127.0.0.1"
