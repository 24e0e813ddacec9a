"""The lanes in few numbers: those with most to do by name, and the sum of the others. Pure."""

from collections import Counter
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from heapq import nsmallest

from lanes.queue.global_state import GlobalState
from lanes.queue.lane import HoldCause, Lane
from lanes.settings import DashboardSettings
from worker.metrics.catalogue import OTHER
from worker.metrics.samples import Sample
from worker.metrics.window_use import in_use

BY = ("authorization", "outage", "person")


@dataclass(slots=True)
class LaneMetrics:
    """A lane, or the sum of some. Of times, the longest counts."""

    pending: int = 0
    in_flight: int = 0
    dead: int = 0
    oldest_seconds: float = 0.0
    window_used: int = 0
    window_allowed: int = 0
    day_used: int = 0
    day_allowed: int = 0
    held: int = 0

    def add(self, lane: Lane, settings: DashboardSettings) -> None:
        """Let a lane count in it."""
        self.pending += lane.counts["pending"]
        self.in_flight += lane.counts["in_flight"]
        self.dead += lane.counts["dead"]
        self.oldest_seconds = max(self.oldest_seconds, lane.oldest or 0.0)
        self.window_used += lane.window_used
        self.window_allowed += lane.burst_in_force(settings.burst_cap).requests
        self.day_used += lane.day_used
        self.day_allowed += lane.daily_in_force(settings.daily_cap).requests
        self.held += lane.hold is not None

    def samples(self, location: str) -> Iterator[Sample]:
        """Return it as the metrics of one location."""
        for name in LaneMetrics.__slots__:
            yield Sample(f"lanes_lane_{name}", getattr(self, name), (location,))


@dataclass(slots=True)
class LaneAggregates:
    """What is told of all lanes. `rows` has the named ones, and the others under their own name."""

    lanes: int = 0
    failing: int = 0
    braked: int = 0
    held: Counter[str] = field(default_factory=Counter)
    oldest: dict[str, float] = field(default_factory=lambda: {"no": 0.0, "yes": 0.0})
    busy: int = 0
    busy_used: int = 0
    busy_allowed: int = 0
    rows: Mapping[str, LaneMetrics] = field(default_factory=dict)

    def samples(self) -> Iterator[Sample]:
        """Return it as metrics."""
        yield Sample("lanes_locations", self.lanes)
        yield Sample("lanes_failing", self.failing)
        yield Sample("lanes_braked", self.braked)
        for by in BY:
            yield Sample("lanes_held", self.held[by], (by,))
        for held, seconds in self.oldest.items():
            yield Sample("lanes_oldest_seconds", seconds, (held,))
        yield Sample("lanes_busy", self.busy)
        yield Sample("lanes_busy_window_used", self.busy_used)
        yield Sample("lanes_busy_window_allowed", self.busy_allowed)
        for location, row in self.rows.items():
            yield from row.samples(location)


def aggregate(lanes: Sequence[Lane], global_state: GlobalState, settings: DashboardSettings) -> LaneAggregates:
    """Add the lanes up; those of the `metrics_lanes` locations with most pending jobs have a row of their own."""
    busy = in_use(lanes, global_state, settings)
    table = LaneAggregates(len(lanes), busy=busy["lanes"], busy_used=busy["used"], busy_allowed=busy["allowed"])
    for lane in lanes:
        _count(table, lane, global_state)
    # A location may be called as the sum of the others is; it is one of them then.
    named = nsmallest(
        settings.metrics_lanes,
        (lane for lane in lanes if lane.location_id != OTHER),
        key=lambda lane: (-lane.counts["pending"], lane.location_id),
    )
    names = {lane.location_id for lane in named}
    rows = {name: LaneMetrics() for name in (*sorted(names), OTHER)}
    for lane in lanes:
        rows[lane.location_id if lane.location_id in names else OTHER].add(lane, settings)
    table.rows = rows
    return table


def _count(table: LaneAggregates, lane: Lane, global_state: GlobalState) -> None:
    table.failing += lane.failing > 0
    table.braked += lane.brake is not None
    for cause in lane.hold_causes:
        by = lane.held_by if lane.held_by in BY else "person"
        table.held["authorization" if cause is HoldCause.AUTHORIZATION else by] += 1
    held = "no" if lane.hold is None and lane.brake is None and global_state.hold is None else "yes"
    table.oldest[held] = max(table.oldest[held], lane.oldest or 0.0)
