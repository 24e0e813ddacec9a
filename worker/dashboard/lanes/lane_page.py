"""The page of one lane: its numbers, series, jobs and token; hold, resume and limits."""

from typing import Any

from tornado.web import HTTPError, url

from lanes.activity import series
from lanes.credentials import CredentialStore
from lanes.errors import LanesError, ScriptError
from lanes.queue.lane import Lane
from lanes.queue.store import LaneStore
from worker.dashboard.lanes import table
from worker.dashboard.lanes.table import LimitCaps
from worker.dashboard.page import Change, Page
from worker.dashboard.throughput import statistics
from worker.tokens.vault import Vault

ALL_LANES = "everything"
# Holders that are not people.
RESERVED_HOLDERS = ("authorization", "outage")
HELD_AGAIN_MESSAGE = "it was held again meanwhile: check the reason, then resume it again"
MAX_REASON = 500
NO_LANE = "no such lane: nothing was sent for this location in the last day, nothing waits; its next job begins one"
MAX_LIMIT, MAX_WEIGHT = 10**9, 100
STEP = 15
MAX_OFFSET = 10**9


def holder_name(who: str) -> str:
    """Return the name under which a user holds a lane; it never equals a reserved one."""
    return f"{who} (a person)" if who in RESERVED_HOLDERS else who


def reason_in(change: Change) -> str:
    """Return the reason of a hold.

    Raises:
        HTTPError: it is missing, too long or not printable.
    """
    reason = change.text("reason").strip()
    if not reason.isprintable() or not 0 < len(reason) <= MAX_REASON:
        raise HTTPError(400, f"reason: must be printable, 1 to {MAX_REASON} characters")
    return reason


def find(store: LaneStore, location_id: str) -> Lane:
    """Return a lane as it is now.

    Raises:
        HTTPError: there is no such lane.
    """
    if not store.is_location(location_id):
        raise HTTPError(404, NO_LANE)
    return store.read_lanes([location_id])[0]


class LanePage(Page):
    """The page of a lane."""

    answers_json = False  # even if the location ends in /data

    async def get(self, location_id: str) -> None:
        """Show the page; its numbers come as data. A lane that ended, or never was, has one line."""
        if not await self.run_in_thread(self.store.is_location, location_id):
            self.set_status(404)
            self.show("no_lane.html", active="lanes", location=location_id, message=NO_LANE)
            return
        self.show("lane.html", active="lanes", location=location_id)


class LaneData(Page):
    """The numbers of a lane and a part of its jobs."""

    async def get(self) -> None:
        """Send them, with the jobs from the positions `ready` and `delayed` on."""
        ready, delayed = _offset(self.argument("ready")), _offset(self.argument("delayed"))
        self.send_json(await self.run_in_thread(self._read_data, self.argument("location"), ready, delayed))

    def _read_data(self, location_id: str, ready: int, delayed: int) -> dict[str, Any]:
        lane, caps = find(self.store, location_id), LimitCaps.of(self.lanes_settings)
        jobs = self.store.lane_jobs(location_id, ready=ready, delayed=delayed, max_count=STEP)
        return {
            "at": self.store.time(),
            "lane": table.as_row(lane, caps) | {name: getattr(lane, name) for name in ("burst", "daily", "weight")},
            "step": STEP,
            "ready": {"from": ready, "total": jobs.ready_total, "jobs": [job.as_json() for job in jobs.ready]},
            "delayed": {"from": delayed, "total": jobs.delayed_total, "jobs": [job.as_json() for job in jobs.delayed]},
            "in_flight": [job.as_json() for job in jobs.in_flight],
            "dead_letters": [job.as_json() for job in jobs.dead_letters],
            "global_state": statistics.global_stops(self.store.global_state()),
        }


class LaneSeriesData(Page):
    """The last day of a lane, and its token."""

    async def get(self) -> None:
        """Send both."""
        self.send_json(await self.run_in_thread(self._read_data, self.argument("location")))

    def _read_data(self, location_id: str) -> dict[str, Any]:
        day = series.lane_day(self.store, location_id)
        return {
            "step": day.step,
            "at": [point.at for point in day.points],
            "counts": {event: [point.counts[event] for point in day.points] for event in series.EVENTS},
            "token": self._token(location_id),
        }

    def _token(self, location_id: str) -> dict[str, Any]:
        """Return the kind and the expiry of the location's token, never the token itself."""
        settings = self.lanes_settings
        try:
            stored = CredentialStore(self.store).read(location_id)
        except ScriptError as error:
            return {"kind": "unreadable", "expires_at": None, "note": str(error)}
        if not stored.encrypted:
            return {"kind": "common" if settings.api_token else "none", "expires_at": None, "note": None}
        try:
            credential = Vault(settings.secret_key).decrypt(location_id, stored.encrypted)
        except LanesError as error:
            return {"kind": "unreadable", "expires_at": None, "note": str(error)}
        return {"kind": credential.kind.value, "expires_at": credential.expires_at, "note": stored.note or None}


class LaneChange(Change):
    """A change of one lane."""

    async def lane(self) -> Lane:
        """Return the lane that the payload names."""
        return await self.run_in_thread(find, self.store, self.text("location"))


class HoldLane(LaneChange):
    """Holds a lane."""

    async def post(self) -> None:
        """Hold it, for a reason."""
        location, reason = (await self.lane()).location_id, reason_in(self)
        await self.log_change("hold", location, reason)
        await self.change_lanes([location], self.store.hold, location, reason, holder_name(self.who))
        self.send_json({"message": f"{location} is held."})


class ResumeLane(LaneChange):
    """Resumes a held lane."""

    async def post(self) -> None:
        """Resume it, if its hold is the one that the page showed."""
        lane = await self.lane()
        location = lane.location_id
        if lane.hold is None:
            raise HTTPError(409, "it is no longer held")
        if lane.held_at != self.payload.get("held_at"):
            raise HTTPError(409, HELD_AGAIN_MESSAGE)
        await self.log_change("resume", location, f"was held by {lane.held_by}")
        if await self.change_lanes([location], self.store.resume, location, lane.held_at) == "changed":
            raise HTTPError(409, HELD_AGAIN_MESSAGE)
        self.send_json({"message": f"{location} is resumed."})


class SetLimits(LaneChange):
    """Sets or resets the limits and the weight of a lane."""

    async def post(self) -> None:
        """Set the values that are given; the others become the common ones."""
        bounds = {"burst": MAX_LIMIT, "daily": MAX_LIMIT, "weight": MAX_WEIGHT}
        own = {name: _limit(name, self.payload.get(name), maximum) for name, maximum in bounds.items()}
        location = (await self.lane()).location_id
        detail = " ".join(f"{name}={value}" for name, value in own.items() if value is not None)
        await self.log_change("limit", location, detail or "reset")
        await self.change_lanes([location], self.store.limit, location, **own)
        self.send_json({"message": f"{location}: {detail or 'common limits'}."})


def _limit(name: str, given: Any, maximum: int) -> int | None:
    """Read a limit; None if it is empty."""
    text = "" if given is None else str(given).strip()
    if not text:
        return None
    if not (text.isascii() and text.isdigit() and len(text) <= 10 and 1 <= int(text) <= maximum):
        raise HTTPError(400, f"{name}: must be a whole number from 1 to {maximum}, or empty for the common one")
    return int(text)


def _offset(text: str) -> int:
    return min(int(text), MAX_OFFSET) if text.isascii() and text.isdigit() and len(text) < 10 else 0


handlers: list[url] = [
    url(r"/lane/(.+)", LanePage, name="lane"),
    url(r"/lanes/lane/data", LaneData, name="lane_data"),
    url(r"/lanes/series/data", LaneSeriesData, name="lane_series"),
    url(r"/lanes/hold", HoldLane, name="lane_hold"),
    url(r"/lanes/resume", ResumeLane, name="lane_resume"),
    url(r"/lanes/limit", SetLimits, name="lane_limit"),
]
