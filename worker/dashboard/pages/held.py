"""Held lanes, many at a time: which would be resumed, and then these, each with the hold that was seen."""

from dataclasses import dataclass
from typing import Any

from tornado.web import HTTPError, url

from lanes import trail
from lanes.hold_filter import HoldFilter, count_causes
from lanes.lane import HoldCause, Lane
from worker.dashboard.page import Change, Page

MAX_AT_ONCE = 200
MAX_TEXT = 500
MAX_NAMED = 5
LATEST = 1e11  # seconds since the epoch: what lies beyond is no time at which anything was held


def filter_of(page: Page) -> HoldFilter:
    """Return the filter that an address asks for; an empty value is not given.

    Raises:
        HTTPError: the cause is unknown.
    """
    held_by, cause, reason = (page.text(name).strip()[:MAX_TEXT] for name in ("held_by", "cause", "reason"))
    if cause and cause not in set(HoldCause):
        raise HTTPError(400, f"cause: must be {' or '.join(HoldCause)}")
    return HoldFilter(held_by or None, frozenset([HoldCause(cause)] if cause else []), reason or None)


class HeldData(Page):
    """Which lanes would be resumed. Changes nothing."""

    async def get(self) -> None:
        """Answer the first of them, how many there are, and who holds them; and how many are left for another cause."""
        self.answer(await self.in_thread(self._find, filter_of(self)))

    def _find(self, wanted: HoldFilter) -> dict[str, Any]:
        lanes = self.watcher.snapshot().lanes
        found = wanted.choose(lanes)
        # The picture may be some seconds old: of those that are shown, what is so now.
        shown = wanted.choose(self.store.lanes(lane.location_id for lane in found[:MAX_AT_ONCE]))
        return {
            "found": max(len(found) - MAX_AT_ONCE, 0) + len(shown),
            "causes": count_causes(shown),
            "spared": sum(map(wanted.spares, lanes)),
            "lanes": [
                {"location": lane.location_id, "held_at": lane.held_at, "hold_text": lane.hold_text} for lane in shown
            ],
        }


@dataclass(frozen=True, slots=True)
class Seen:
    """A hold as a page showed it: its lane, and since when."""

    location_id: str
    held_at: float


def seen_in(given: dict[str, Any]) -> list[Seen]:
    """Return the holds that were sent.

    Raises:
        HTTPError: the list is missing, empty or too long, or one of the holds is incomplete.
    """
    lanes = given.get("lanes")
    if not isinstance(lanes, list) or not 1 <= len(lanes) <= MAX_AT_ONCE:
        raise HTTPError(400, f"which lanes? from 1 to {MAX_AT_ONCE} at once")
    return [_seen(each) for each in lanes]


def _seen(each: Any) -> Seen:
    location, held_at = (each.get("location"), each.get("held_at")) if isinstance(each, dict) else (None, None)
    number = isinstance(held_at, (int, float)) and not isinstance(held_at, bool) and 0 <= held_at < LATEST
    if not isinstance(location, str) or not location or not number:
        raise HTTPError(400, "each lane needs its location, and since when it was held")
    return Seen(location, float(held_at))  # type: ignore[arg-type]


class ResumeHeld(Change):
    """Lets many held lanes go on."""

    async def post(self) -> None:
        """Resume each whose hold is the one that was seen, and tell of the others."""
        self.answer(await self.in_thread(self._resume, seen_in(self.given)))

    def _resume(self, holds: list[Seen]) -> dict[str, Any]:
        lanes = {lane.location_id: lane for lane in self.store.lanes({seen.location_id for seen in holds})}
        answers = {seen.location_id: self._resume_one(seen, lanes.get(seen.location_id)) for seen in holds}
        now = {lane.location_id: lane for lane in self.store.lanes(answers)}
        self.watcher.renew(*now)
        changed = [f"{name}, held by {now[name].hold_text}" for name, answer in answers.items() if answer == "changed"]
        resumed = sum(answer == "resumed" for answer in answers.values())
        return {"resumed": resumed, "changed": len(changed), "told": _summary(resumed, changed)}

    def _resume_one(self, seen: Seen, lane: Lane | None) -> str:
        if lane is None or lane.hold is None:
            return "free"
        if lane.held_at != seen.held_at:
            return "changed"
        trail.note(self.store, self.who, "resume", lane.location_id, f"was held by {lane.held_by}")
        return self.store.resume(lane.location_id, seen.held_at)


def _summary(resumed: int, changed: list[str]) -> str:
    text = f"{resumed} {'lane goes' if resumed == 1 else 'lanes go'} on."
    if changed:
        more = f"; and {len(changed) - MAX_NAMED} more" if len(changed) > MAX_NAMED else ""
        text += f" Held again meanwhile, and left as they are: {'; '.join(changed[:MAX_NAMED])}{more}."
    return text


handlers: list[url] = [
    url(r"/lanes/held/data", HeldData, name="lanes_held"),
    url(r"/lanes/resume-held", ResumeHeld, name="lanes_resume_held"),
]
