"""The figures of the throughput page, from lanes and series. Pure functions."""

from collections.abc import Collection, Iterable, Mapping, Sequence
from typing import Any

from lanes.activity.series import Histogram, Series, add_up
from lanes.checks.worker_reports import CPU, NOTHING, SENDERS, WorkerReport
from lanes.queue.global_state import GlobalState
from lanes.queue.lane import Lane
from lanes.services.service import Service
from lanes.settings import RateLimitSettings
from lanes.storage.stored import as_plain

CHARTED = ("delivered", "retried", "throttled", "dead")
# What takes a job out of the backlog.
FINAL_EVENTS = ("delivered", "dead", "expired", "cancelled", "merged")
QUANTILES = (0.5, 0.95, 0.99)
CURRENT_STEPS, RECENT_SECONDS = 3, 300
LIMIT, NEAR_LIMIT = "limit", 0.9  # share of the allowed rate in use


def service_usage(service: Service) -> dict[str, Any]:
    """Return the quotas of a service, what it uses of them, and those that it is over."""
    return {**as_plain(service, "keys", "added_at", "outcomes"), "over": service.over}


def backlog(
    lanes: Sequence[Lane], global_state: GlobalState, hour: Series, settings: RateLimitSettings
) -> dict[str, Any]:
    """Return the size of the backlog, and the time to deliver it at the current rate if no more jobs come.

    A lane is no faster than its rate window allows, so the longest lane may take longer than the total rate suggests.
    `seconds` is None when nothing moves. Jobs of `held` and `braked` lanes are counted separately.
    """
    open_lanes = [lane for lane in lanes if lane.hold is None and global_state.hold is None]
    moving = [lane for lane in open_lanes if lane.brake is None]
    everything, not_held, jobs = (
        sum(lane.counts["pending"] + lane.counts["in_flight"] for lane in some) for some in (lanes, open_lanes, moving)
    )
    pace = sum(current_rate(hour, event) for event in FINAL_EVENTS)
    windows = max(
        (lane.counts["pending"] / lane.burst_in_force(settings.burst_cap).requests for lane in moving), default=0.0
    )
    slowest = windows * settings.burst_window_seconds
    seconds = max(jobs / pace, slowest) if pace and jobs else (0.0 if not jobs else None)
    return {
        "jobs": jobs,
        "held": everything - not_held,
        "braked": not_held - jobs,
        "seconds": seconds,
        "pace": pace,
        "incoming": current_rate(hour, "accepted"),
    }


def oldest(lanes: Iterable[Lane]) -> dict[str, Any] | None:
    """Return the age and the lane of the oldest due job, without lanes that are held or on the brake."""
    moving = [lane for lane in lanes if lane.hold is None and lane.brake is None]
    due = [(lane.oldest, lane.location_id) for lane in moving if lane.oldest is not None]
    if not due:
        return None
    seconds, location_id = max(due)
    return {"seconds": seconds, "location_id": location_id}


def held(lanes: Iterable[Lane]) -> dict[str, Any] | None:
    """Return the number of held lanes and the one held longest, None if no lane is held."""
    return _longest([(lane.held_at or 0.0, lane.location_id) for lane in lanes if lane.hold is not None])


def braked(lanes: Iterable[Lane]) -> dict[str, Any] | None:
    """Return the number of lanes on the brake and the one braked longest, None if no lane is."""
    return _longest([(lane.brake.since, lane.location_id) for lane in lanes if lane.brake is not None])


def _longest(stopped: list[tuple[float, str]]) -> dict[str, Any] | None:
    since, location_id = min(stopped, default=(0.0, ""))
    return {"lanes": len(stopped), "since": since, "location_id": location_id} if stopped else None


def current_rate(hour: Series, event: str) -> float:
    """Return the current rate per second: over the unfinished step and the two before it."""
    steps = hour.points[-CURRENT_STEPS:]
    seconds = hour.now - steps[0].at if steps else 0.0
    return sum(point.counts[event] for point in steps) / seconds if seconds else 0.0


def rates(hour: Series) -> dict[str, float]:
    """Return the current rate of each charted event."""
    return {event: current_rate(hour, event) for event in CHARTED}


def latency(hour: Series) -> dict[str, Any]:
    """Return p50, p95 and p99 in seconds, for the last five minutes and the last hour."""
    recent = hour.last(RECENT_SECONDS)
    return {
        "waits": _quantiles(add_up(point.waits for point in recent), hour.waits),
        "answers": _quantiles(add_up(point.answers for point in recent), hour.answers),
    }


def _quantiles(recent: Histogram, hour: Histogram) -> dict[str, Any]:
    return {
        name: {"count": of.total, "seconds": [of.quantile(share) for share in QUANTILES]}
        for name, of in (("recent", recent), ("hour", hour))
    }


def chart(series: Series) -> dict[str, Any]:
    """Return the complete steps as columns: their starts, and the rate of each event."""
    steps = series.points[:-1]
    return {
        "step": series.step,
        "at": [point.at for point in steps],
        **{event: [round(point.counts[event] / series.step, 3) for point in steps] for event in CHARTED},
    }


def worker_usage(reports: Collection[WorkerReport], in_use: Mapping[str, Any]) -> dict[str, Any]:
    """Return how many workers are alive, how many jobs they can send at once, how busy they are, and what bounds them.

    `bound_by` is `cpu` or `senders` if that bounds a worker, else `limit` near the API's, else `nothing`.
    """
    capacity, busy = (sum(getattr(report, name) for report in reports) for name in ("max_threads", "busy"))
    found = {report.bound_by for report in reports}
    near_limit = LIMIT if (in_use["share"] or 0.0) >= NEAR_LIMIT else NOTHING
    return {
        "alive": len(reports),
        "capacity": capacity,
        "busy": min(1.0, busy / capacity) if capacity else None,
        "bound_by": next((by for by in (CPU, SENDERS) if by in found), near_limit),
    }


def global_stops(global_state: GlobalState) -> dict[str, Any]:
    """Return what stops all lanes."""
    return {
        "hold": global_state.hold_as_json(),
        "outage": None if global_state.outage is None else global_state.outage.as_json(),
        "brake": None if global_state.brake is None else global_state.brake.as_json(),
    }
