"""Resumes many stopped lanes: a preview, then each lane with the hold or brake that the preview showed."""

from dataclasses import dataclass
from typing import Any

from tornado.web import HTTPError, url

from lanes.activity import audit_log
from lanes.queue.hold_filter import HoldFilter, count_causes
from lanes.queue.lane import HoldCause, Lane
from worker.dashboard.page import Change, Page

MAX_AT_ONCE = 200
MAX_TEXT = 500
MAX_NAMED = 5
MAX_TIME = 1e11  # seconds since the epoch
BRAKE = "brake"  # a cause besides those of holds


def filter_of(page: Page) -> HoldFilter:
    """Return the filter in an address. The cause `brake` selects lanes on the brake, which have no hold.

    Raises:
        HTTPError: the cause is unknown, or lanes on the brake were asked for by a hold.
    """
    held_by, cause, reason = (page.argument(name).strip()[:MAX_TEXT] for name in ("held_by", "cause", "reason"))
    if cause == BRAKE:
        if held_by or reason:
            raise HTTPError(400, "lanes on the brake are not held: leave out who holds them, and the reason")
        return HoldFilter(braked=True)
    if cause and cause not in set(HoldCause):
        raise HTTPError(400, f"cause: must be {', '.join((*HoldCause, BRAKE))}")
    return HoldFilter(held_by or None, frozenset([HoldCause(cause)] if cause else []), reason or None)


class HeldLanesData(Page):
    """The preview: the lanes that would be resumed."""

    async def get(self) -> None:
        """Send the first of them, their number and causes, and how many stay held for another cause."""
        self.send_json(await self.run_in_thread(self._find, filter_of(self)))

    def _find(self, hold_filter: HoldFilter) -> dict[str, Any]:
        lanes = self.lane_cache.snapshot().lanes
        found = hold_filter.choose(lanes)
        # The cache may be some seconds old: read the shown lanes again.
        shown = hold_filter.choose(self.store.lanes(lane.location_id for lane in found[:MAX_AT_ONCE]))
        return {
            "found": max(len(found) - MAX_AT_ONCE, 0) + len(shown),
            "causes": "" if hold_filter.braked else count_causes(shown),
            "skipped": sum(map(hold_filter.skips, lanes)),
            "braked": hold_filter.braked,
            "lanes": [
                {"location": lane.location_id, "since": stop.since, "text": stop.text}
                for lane, stop in ((lane, _stop_of(lane)) for lane in shown)
                if stop is not None
            ],
        }


@dataclass(frozen=True, slots=True)
class LaneStop:
    """What stops a lane: its hold, or else its brake. `since`, in seconds since the epoch, identifies it."""

    since: float
    text: str


def _stop_of(lane: Lane) -> LaneStop | None:
    if lane.hold is not None:
        return LaneStop(lane.held_at or 0.0, f"held by {lane.hold_text}")
    if lane.brake is None:
        return None
    return LaneStop(lane.brake.since, f"on the brake after {lane.brake.text}")


def seen_stops(given: dict[str, Any]) -> dict[str, float]:
    """Return since when each lane was stopped, as the page showed it.

    Raises:
        HTTPError: the list is missing, empty or too long, or an entry is incomplete.
    """
    lanes = given.get("lanes")
    if not isinstance(lanes, list) or not 1 <= len(lanes) <= MAX_AT_ONCE:
        raise HTTPError(400, f"lanes: must be a list of 1 to {MAX_AT_ONCE}")
    return dict(map(_seen_stop, lanes))


def _seen_stop(each: Any) -> tuple[str, float]:
    location, since = (each.get("location"), each.get("since")) if isinstance(each, dict) else (None, None)
    number = isinstance(since, (int, float)) and not isinstance(since, bool) and 0 <= since < MAX_TIME
    if not isinstance(location, str) or not location or not number:
        raise HTTPError(400, "lanes: each needs its location, and since when it was stopped")
    return location, float(since)  # type: ignore[arg-type]


class ResumeHeld(Change):
    """Resumes many lanes that are held or on the brake."""

    async def post(self) -> None:
        """Resume each whose hold or brake is the one that was shown; report the others."""
        self.send_json(await self.run_in_thread(self._resume, seen_stops(self.payload)))

    def _resume(self, seen: dict[str, float]) -> dict[str, Any]:
        lanes = {lane.location_id: lane for lane in self.store.lanes(set(seen))}
        answers = {name: self._resume_one(since, lanes.get(name)) for name, since in seen.items()}
        now = {lane.location_id: lane for lane in self.store.lanes(answers)}
        self.lane_cache.refresh(*now)
        changed = [
            f"{name}, {stop.text}"
            for name, lane in now.items()
            if answers[name] == "changed" and (stop := _stop_of(lane)) is not None
        ]
        resumed = sum(answer == "resumed" for answer in answers.values())
        return {"resumed": resumed, "changed": len(changed), "message": _summary(resumed, changed)}

    def _resume_one(self, since: float, lane: Lane | None) -> str:
        stop = None if lane is None else _stop_of(lane)
        if lane is None or stop is None:
            return "free"
        if stop.since != since:
            return "changed"
        if lane.hold is None:
            audit_log.append(self.store, self.who, "resume", lane.location_id, stop.text)
            answer = self.store.end_brake(lane.location_id, since)
            return "resumed" if answer == "ended" else answer
        audit_log.append(self.store, self.who, "resume", lane.location_id, f"was held by {lane.held_by}")
        return self.store.resume(lane.location_id, since)


def _summary(resumed: int, changed: list[str]) -> str:
    text = f"{resumed} {'lane is' if resumed == 1 else 'lanes are'} resumed."
    if changed:
        more = f"; and {len(changed) - MAX_NAMED} more" if len(changed) > MAX_NAMED else ""
        text += f" Stopped again meanwhile, so not resumed: {'; '.join(changed[:MAX_NAMED])}{more}."
    return text


handlers: list[url] = [
    url(r"/lanes/held/data", HeldLanesData, name="lanes_held"),
    url(r"/lanes/resume-held", ResumeHeld, name="lanes_resume_held"),
]
