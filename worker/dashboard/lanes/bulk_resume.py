"""Stopped lanes, many at a time: which would be resumed, and then these, each with the hold or brake that was seen."""

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
MAX_TIME = 1e11  # seconds since the epoch: what lies beyond is no time at which anything was held
BRAKE = "brake"  # beside the causes of a hold


def filter_of(page: Page) -> HoldFilter:
    """Return the filter that an address asks for; an empty value is not given. The cause `brake` is no hold.

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
    """Which lanes would be resumed. Changes nothing."""

    async def get(self) -> None:
        """Answer the first of them, how many there are, and who holds them; and how many are left for another cause."""
        self.send_json(await self.run_in_thread(self._find, filter_of(self)))

    def _find(self, hold_filter: HoldFilter) -> dict[str, Any]:
        lanes = self.lane_cache.snapshot().lanes
        found = hold_filter.choose(lanes)
        # The picture may be some seconds old: of those that are shown, what is so now.
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
    """What stops a lane: its hold, or else its brake. `since`, in seconds since the epoch, tells it from another."""

    since: float
    text: str


def _stop_of(lane: Lane) -> LaneStop | None:
    if lane.hold is not None:
        return LaneStop(lane.held_at or 0.0, f"held by {lane.hold_text}")
    if lane.brake is None:
        return None
    return LaneStop(lane.brake.since, f"on the brake after {lane.brake.text}")


@dataclass(frozen=True, slots=True)
class SeenStop:
    """A hold, or the brake of a lane that was not held, as a page showed it: its lane, and since when."""

    location_id: str
    since: float


def seen_stops(given: dict[str, Any]) -> list[SeenStop]:
    """Return the holds or brakes that were sent.

    Raises:
        HTTPError: the list is missing, empty or too long, or one of the holds is incomplete.
    """
    lanes = given.get("lanes")
    if not isinstance(lanes, list) or not 1 <= len(lanes) <= MAX_AT_ONCE:
        raise HTTPError(400, f"which lanes? from 1 to {MAX_AT_ONCE} at once")
    return [_seen_stop(each) for each in lanes]


def _seen_stop(each: Any) -> SeenStop:
    location, since = (each.get("location"), each.get("since")) if isinstance(each, dict) else (None, None)
    number = isinstance(since, (int, float)) and not isinstance(since, bool) and 0 <= since < MAX_TIME
    if not isinstance(location, str) or not location or not number:
        raise HTTPError(400, "each lane needs its location, and since when it was stopped")
    return SeenStop(location, float(since))  # type: ignore[arg-type]


class ResumeHeld(Change):
    """Lets many lanes go on that are held or on the brake."""

    async def post(self) -> None:
        """Resume each whose hold or brake is the one that was seen, and tell of the others."""
        self.send_json(await self.run_in_thread(self._resume, seen_stops(self.payload)))

    def _resume(self, holds: list[SeenStop]) -> dict[str, Any]:
        lanes = {lane.location_id: lane for lane in self.store.lanes({seen.location_id for seen in holds})}
        answers = {seen.location_id: self._resume_one(seen, lanes.get(seen.location_id)) for seen in holds}
        now = {lane.location_id: lane for lane in self.store.lanes(answers)}
        self.lane_cache.refresh(*now)
        stops = {name: _stop_of(lane) for name, lane in now.items()}
        changed = [
            f"{name}, {stop.text}"
            for name, answer in answers.items()
            if answer == "changed" and (stop := stops.get(name)) is not None
        ]
        resumed = sum(answer == "resumed" for answer in answers.values())
        return {"resumed": resumed, "changed": len(changed), "message": _summary(resumed, changed)}

    def _resume_one(self, seen: SeenStop, lane: Lane | None) -> str:
        stop = None if lane is None else _stop_of(lane)
        if lane is None or stop is None:
            return "free"
        if stop.since != seen.since:
            return "changed"
        if lane.hold is None:
            audit_log.append(self.store, self.who, "resume", lane.location_id, stop.text)
            answer = self.store.end_brake(lane.location_id, seen.since)
            return "resumed" if answer == "ended" else answer
        audit_log.append(self.store, self.who, "resume", lane.location_id, f"was held by {lane.held_by}")
        return self.store.resume(lane.location_id, seen.since)


def _summary(resumed: int, changed: list[str]) -> str:
    text = f"{resumed} {'lane goes' if resumed == 1 else 'lanes go'} on."
    if changed:
        more = f"; and {len(changed) - MAX_NAMED} more" if len(changed) > MAX_NAMED else ""
        text += f" Stopped again meanwhile, and left as they are: {'; '.join(changed[:MAX_NAMED])}{more}."
    return text


handlers: list[url] = [
    url(r"/lanes/held/data", HeldLanesData, name="lanes_held"),
    url(r"/lanes/resume-held", ResumeHeld, name="lanes_resume_held"),
]
