"""One look at Redis: all that is told of the lanes, in a dozen commands and one for each hundred lanes."""

from collections.abc import Iterator
from dataclasses import dataclass
from functools import cache
from importlib.metadata import PackageNotFoundError, version

from lanes.gate import Gate
from lanes.job import MICROSECONDS, State
from lanes.series import Totals, since_the_beginning
from lanes.settings import Settings
from lanes.store import LaneStore
from lanes.transitions import Limits
from worker.metrics.lane_table import LaneTable, tabulate
from worker.metrics.redis_health import RedisHealth, read_health
from worker.metrics.samples import Sample

DUE_COUNTED = 1000


@dataclass(frozen=True, slots=True)
class Snapshot:
    """What the look showed. `at` is its time by the clock of Redis; `health` is None where Redis does not tell."""

    at: float
    totals: Totals
    counts: dict[str, int]
    gate: Gate
    probes: int
    due: int
    workers: int
    table: LaneTable
    health: RedisHealth | None

    def samples(self) -> Iterator[Sample]:
        """Return it as metrics."""
        for event in ("accepted", "merged", "delivered", "expired", "cancelled"):
            yield Sample(f"lanes_jobs_{event}_total", self.totals.counts[event])
        for event in ("retried", "throttled", "reclaimed"):
            yield Sample(f"lanes_attempts_{event}_total", self.totals.counts[event])
        for reason, jobs in self.totals.buried.items():
            yield Sample("lanes_jobs_buried_total", jobs, (reason,))
        yield Sample("lanes_delivery_seconds", self.totals.waits)
        yield Sample("lanes_answer_seconds", self.totals.answers)
        for state in State:
            yield Sample("lanes_jobs", self.counts[state], (state.value,))
        yield Sample("lanes_jobs_due", self.due)
        yield Sample("lanes_workers", self.workers)
        yield from self._gate()
        yield from self.table.samples()
        yield Sample("lanes_build_info", 1, (own_version(), self.health.version if self.health else ""))
        if self.health is not None:
            yield from self.health.samples()

    def _gate(self) -> Iterator[Sample]:
        outage = self.gate.outage
        yield Sample("lanes_held_all", self.gate.hold is not None)
        yield Sample("lanes_braked_all", self.gate.brake is not None)
        yield Sample("lanes_outage", outage is not None)
        yield Sample("lanes_outage_seconds", 0.0 if outage is None else max(0.0, self.at - outage.since))
        yield Sample("lanes_outage_room", 0 if outage is None else outage.room)
        yield Sample("lanes_outage_probes", self.probes)


def look(store: LaneStore, settings: Settings) -> Snapshot:
    """Look at Redis.

    Raises:
        RedisUnavailableError: it is away.
        ScriptError: it does not do what it was asked.
    """
    at, gate = store.time(), store.gate()
    limits = Limits(settings.burst_cap, settings.burst_window_seconds, settings.daily_cap)
    after = f"({round(at * MICROSECONDS)}"
    probes = store.read(lambda client: client.zcount(store.key("probes"), after, "+inf"))
    listening = store.read(lambda client: client.pubsub_numsub(store.key("wake")))
    return Snapshot(
        at=at,
        totals=since_the_beginning(store),
        counts=store.counts(),
        gate=gate,
        probes=probes,
        due=store.survey(DUE_COUNTED, limits).due,
        workers=sum(int(count) for _, count in listening),
        table=tabulate(store.lanes(), gate, settings),
        health=read_health(store, at),
    )


@cache
def own_version() -> str:
    """Return the version of this package."""
    try:
        return version("highlevel-lanes")
    except PackageNotFoundError:  # run from a folder that was never installed
        return "unknown"
