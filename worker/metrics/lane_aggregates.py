"""All lanes in a few numbers: the lanes with the most pending jobs by name, and the sum of the others. Pure."""

from collections import Counter
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from heapq import nsmallest
from typing import Any

from lanes.queue.global_state import GlobalState
from lanes.queue.lane import HoldCause, Lane
from lanes.settings import DashboardSettings, RateLimitSettings
from worker.metrics.catalogue import OTHER
from worker.metrics.samples import Sample

BY = ("authorization", "outage", "person")


@dataclass(slots=True)
class LaneMetrics:
    """A lane, or the sum of several. `oldest_seconds` is a maximum."""

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
        """Add a lane."""
        self.pending += lane.counts["pending"]
        self.in_flight += lane.counts["in_flight"]
        self.dead += lane.counts["dead"]
        self.oldest_seconds = max(self.oldest_seconds, lane.oldest or 0.0)
        self.window_used += lane.window_used
        self.window_allowed += lane.burst_in_force(settings.burst_cap).requests
        self.day_used += lane.day_used
        self.day_allowed += lane.daily_in_force(settings.daily_cap).requests
        self.held += lane.hold is not None


@dataclass(slots=True)
class LaneAggregates:
    """The numbers of all lanes. `rows`: location -> the numbers of its lane, and `OTHER` -> those of the others."""

    busy: Mapping[str, Any]
    rows: Mapping[str, LaneMetrics]
    failing: int = 0
    braked: int = 0
    held: Counter[str] = field(default_factory=Counter)
    oldest: dict[str, float] = field(default_factory=lambda: {"no": 0.0, "yes": 0.0})

    def samples(self) -> Iterator[Sample]:
        """Return them as metrics."""
        yield Sample("lanes_failing", self.failing)
        yield Sample("lanes_braked", self.braked)
        for by in BY:
            yield Sample("lanes_held", self.held[by], (by,))
        for held, seconds in self.oldest.items():
            yield Sample("lanes_oldest_seconds", seconds, (held,))
        yield Sample("lanes_busy", self.busy["lanes"])
        yield Sample("lanes_busy_window_used", self.busy["used"])
        yield Sample("lanes_busy_window_allowed", self.busy["allowed"])
        for location, row in self.rows.items():
            for name in LaneMetrics.__slots__:
                yield Sample(f"lanes_lane_{name}", getattr(row, name), (location,))


def aggregate(lanes: Sequence[Lane], global_state: GlobalState, settings: DashboardSettings) -> LaneAggregates:
    """Add the lanes up. The `metrics_lanes` locations with the most pending jobs have a row each."""
    named = nsmallest(
        settings.metrics_lanes,
        (lane for lane in lanes if lane.location_id != OTHER),  # a location may have this name
        key=lambda lane: (-lane.counts["pending"], lane.location_id),
    )
    rows = {name: LaneMetrics() for name in (*sorted(lane.location_id for lane in named), OTHER)}
    table = LaneAggregates(in_use(lanes, global_state, settings), rows)
    for lane in lanes:
        _count(table, lane, global_state)
        rows.get(lane.location_id, rows[OTHER]).add(lane, settings)
    return table


def _count(table: LaneAggregates, lane: Lane, global_state: GlobalState) -> None:
    table.failing += lane.failing > 0
    table.braked += lane.brake is not None
    for cause in lane.hold_causes:
        by = lane.held_by if lane.held_by in BY else "person"
        table.held["authorization" if cause is HoldCause.AUTHORIZATION else by] += 1
    held = "no" if lane.hold is None and lane.brake is None and global_state.hold is None else "yes"
    table.oldest[held] = max(table.oldest[held], lane.oldest or 0.0)


def in_use(lanes: Sequence[Lane], global_state: GlobalState, settings: RateLimitSettings) -> dict[str, Any]:
    """Return how much of the allowed rate is in use, over the lanes that have work and may send.

    `used`: requests in the API's rate windows of these lanes; `allowed`: requests that these windows allow. A lane that
    has nothing to send, is held, or has used up its day does not count. `share` is None without any such lane.
    """
    working = [lane for lane in lanes if _has_work(lane) and _may_send(lane, global_state, settings)]
    limits = [lane.burst_in_force(settings.burst_cap).requests for lane in working]
    used = sum(min(lane.window_used, limit) for lane, limit in zip(working, limits, strict=True))
    allowed = sum(limits)
    return {"share": used / allowed if allowed else None, "used": used, "allowed": allowed, "lanes": len(working)}


def _has_work(lane: Lane) -> bool:
    return lane.counts["in_flight"] > 0 or lane.oldest is not None


def _may_send(lane: Lane, global_state: GlobalState, settings: RateLimitSettings) -> bool:
    """Return whether only its rate window limits the lane."""
    all_stopped = global_state.hold is not None or global_state.outage is not None or global_state.brake is not None
    stopped = lane.hold is not None or lane.brake is not None or lane.failing
    return not (all_stopped or stopped) and lane.day_used < lane.daily_in_force(settings.daily_cap).requests
