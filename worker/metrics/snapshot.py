"""A snapshot of all lanes in Redis: a dozen commands, and one for each two hundred lanes."""

from collections.abc import Iterator, Sequence
from dataclasses import dataclass

from lanes.activity.series import LifetimeTotals, since_the_beginning
from lanes.outcomes.store import OutcomeStore, OutcomeTotals
from lanes.queue.global_state import GlobalState
from lanes.queue.job import State
from lanes.queue.results import HistorySize
from lanes.queue.store import LaneStore
from lanes.queue.transitions import DefaultLimits
from lanes.services.service import Service
from lanes.services.store import ServiceStore
from lanes.settings import DashboardSettings
from lanes.storage.stored import MICROSECONDS
from worker.highlevel.client import own_version
from worker.metrics.catalogue import NO_SERVICE
from worker.metrics.lane_aggregates import LaneAggregates, aggregate
from worker.metrics.redis_health import read_health
from worker.metrics.samples import Sample

DUE_COUNTED = 1000


@dataclass(frozen=True, slots=True)
class MetricsSnapshot:
    """The state of all lanes at the time `at` of Redis. `redis`: its version and metrics."""

    at: float
    totals: LifetimeTotals
    counts: dict[str, int]
    global_state: GlobalState
    probes: int
    history: HistorySize
    outcomes: OutcomeTotals
    due: int
    workers: int
    lanes: int
    table: LaneAggregates
    services: Sequence[Service]
    redis: tuple[str, list[Sample]]

    def samples(self) -> Iterator[Sample]:
        """Return it as metrics."""
        for event in ("accepted", "merged", "delivered", "expired", "cancelled"):
            yield Sample(f"lanes_jobs_{event}_total", self.totals.counts[event])
        for event in ("retried", "throttled", "reclaimed"):
            yield Sample(f"lanes_attempts_{event}_total", self.totals.counts[event])
        for reason, jobs in self.totals.buried.items():
            yield Sample("lanes_jobs_buried_total", jobs, (reason,))
        for service, rows in ({NO_SERVICE: 0} | dict(self.totals.refused_rows)).items():
            yield Sample("lanes_task_rows_refused_total", rows, (service,))
        yield Sample("lanes_delivery_seconds", self.totals.waits)
        yield Sample("lanes_attempt_seconds", self.totals.answers)
        for state in State:
            yield Sample("lanes_jobs", self.counts[state], (state.value,))
        oldest = self.at if self.history.oldest is None else self.history.oldest
        yield Sample("lanes_history_jobs", self.history.jobs)
        yield Sample("lanes_history_bytes", self.history.size)
        yield Sample("lanes_history_oldest_seconds", max(0.0, self.at - oldest))
        yield Sample("lanes_history_forgotten_total", self.history.forgotten)
        yield from self._outcome_samples()
        yield Sample("lanes_jobs_due", self.due)
        yield Sample("lanes_workers", self.workers)
        yield Sample("lanes_locations", self.lanes)
        outage = self.global_state.outage
        yield Sample("lanes_held_all", self.global_state.hold is not None)
        yield Sample("lanes_braked_all", self.global_state.brake is not None)
        yield Sample("lanes_outage", outage is not None)
        yield Sample("lanes_outage_seconds", 0.0 if outage is None else max(0.0, self.at - outage.since))
        yield Sample("lanes_outage_half_open_limit", 0 if outage is None else outage.half_open_limit)
        yield Sample("lanes_outage_probes", self.probes)
        yield from self.table.samples()
        for each in self.services:
            yield from _samples_of_service(each)
        version, redis_samples = self.redis
        yield Sample("lanes_build_info", 1, (own_version(), version))
        yield from redis_samples

    def _outcome_samples(self) -> Iterator[Sample]:
        for service, stream in self.outcomes.streams.items():
            yield Sample("lanes_outcomes", stream.entries, (service,))
            yield Sample("lanes_outcomes_unread_total", stream.lost_unread, (service,))
            for group in stream.groups:
                yield Sample("lanes_outcomes_behind_seconds", group.behind_seconds, (service, group.name))
        yield Sample("lanes_outcomes_forgotten_total", self.outcomes.forgotten)
        yield Sample("lanes_outcomes_lost_total", self.outcomes.lost)


def _samples_of_service(service: Service) -> Iterator[Sample]:
    """Return the metrics of a service; a quota that is not set has none."""
    yield Sample("lanes_service_jobs", service.pending, (service.name, "pending"))
    yield Sample("lanes_service_jobs", service.dead, (service.name, "dead"))
    for name, quota in service.quotas.items():
        yield Sample("lanes_service_quota", quota, (service.name, name))
    yield Sample("lanes_service_rows_refused_total", service.refused, (service.name,))


def take_snapshot(store: LaneStore, settings: DashboardSettings) -> MetricsSnapshot:
    """Read the state of all lanes.

    Raises:
        RedisUnavailableError: Redis cannot be reached.
        ScriptError: Redis answers with an error, or the counters are broken.
    """
    # A counter of a broken key would be 0, which looks like a reset.
    store.read(lambda client: client.hlen(store.key("counts")) + client.hlen(store.key("totals")))
    at, global_state, lanes = store.time(), store.global_state(), store.lanes()
    services = ServiceStore(store).list()
    limits = DefaultLimits(settings.burst_cap, settings.burst_window_seconds, settings.daily_cap)
    after = f"({round(at * MICROSECONDS)}"
    listening = store.read(lambda client: client.pubsub_numsub(store.key("wake")))
    return MetricsSnapshot(
        at=at,
        totals=since_the_beginning(store),
        counts=store.counts(),
        global_state=global_state,
        probes=store.read(lambda client: client.zcount(store.key("probes"), after, "+inf")),
        history=store.read_history(),
        outcomes=OutcomeStore(store).totals(service.name for service in services),
        due=store.count_due(DUE_COUNTED, limits).due,
        workers=sum(int(count) for _, count in listening),
        lanes=len(lanes),
        table=aggregate(lanes, global_state, settings),
        services=services,
        redis=read_health(store, at),
    )
