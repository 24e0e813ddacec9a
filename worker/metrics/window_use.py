"""How much of the allowed rate is in use, over all lanes. Pure."""

from collections.abc import Sequence
from typing import Any

from lanes.queue.global_state import GlobalState
from lanes.queue.lane import Lane
from lanes.settings import RateLimitSettings


def in_use(lanes: Sequence[Lane], global_state: GlobalState, settings: RateLimitSettings) -> dict[str, Any]:
    """Return how much of the allowed rate is in use, over the lanes that have work and may send.

    `used` are the requests that count in the API's windows of these lanes now, `allowed` what those windows take. A
    lane with nothing to send, a held one, and one whose day is used up allow nothing, so they are not counted; `share`
    is None when none is left.
    """
    working = [lane for lane in lanes if has_work(lane) and may_send(lane, global_state, settings)]
    limits = [lane.burst_in_force(settings.burst_cap).requests for lane in working]
    used = sum(min(lane.window_used, limit) for lane, limit in zip(working, limits, strict=True))
    allowed = sum(limits)
    return {"share": used / allowed if allowed else None, "used": used, "allowed": allowed, "lanes": len(working)}


def has_work(lane: Lane) -> bool:
    """Return whether a job of the lane is on its way, or could be."""
    return lane.counts["in_flight"] > 0 or lane.oldest is not None


def may_send(lane: Lane, global_state: GlobalState, settings: RateLimitSettings) -> bool:
    """Return whether nothing but its window keeps the lane from sending."""
    all_stopped = global_state.hold is not None or global_state.outage is not None or global_state.brake is not None
    stopped = lane.hold is not None or lane.brake is not None or lane.failing
    return not (all_stopped or stopped) and lane.day_used < lane.daily_in_force(settings.daily_cap).requests
