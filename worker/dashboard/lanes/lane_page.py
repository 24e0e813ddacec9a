"""One lane: its numbers, its series, its jobs, whose token it uses; hold, resume and its own limits."""

from dataclasses import dataclass
from typing import Any

from tornado.web import HTTPError, url

from lanes.activity import series
from lanes.credentials import CredentialStore
from lanes.errors import LanesError
from lanes.queue.lane import Lane
from lanes.queue.store import LaneStore
from worker.dashboard.lanes import table
from worker.dashboard.lanes.table import LimitCaps
from worker.dashboard.page import Change, Page
from worker.dashboard.throughput import statistics
from worker.tokens.vault import Vault

ALL_LANES = "everything"
# Who holds lanes beside people.
RESERVED_HOLDERS = ("authorization", "outage")
HELD_AGAIN_MESSAGE = "meanwhile it was held again: see why, and resume it again"
MAX_REASON = 500
MAX_LIMIT, MAX_WEIGHT = 10**9, 100
STEP = 15
MAX_OFFSET = 10**9


def holder_name(who: str) -> str:
    """Return under which name somebody holds a lane: never one that the lanes themselves say."""
    return f"{who} (a person)" if who in RESERVED_HOLDERS else who


def reason_in(given: dict[str, Any]) -> str:
    """Return the reason that was sent.

    Raises:
        HTTPError: there is none, or it is none that can be shown.
    """
    reason = given.get("reason")
    if not isinstance(reason, str) or not reason.strip():
        raise HTTPError(400, "say why, for whoever looks at it later")
    if not reason.isprintable() or len(reason) > MAX_REASON:
        raise HTTPError(400, f"the reason must be printable, at most {MAX_REASON} characters")
    return reason.strip()


def location_in(given: dict[str, Any]) -> str:
    """Return the location that was sent.

    Raises:
        HTTPError: there is none.
    """
    location = given.get("location")
    if not isinstance(location, str) or not location:
        raise HTTPError(400, "which location?")
    return location


def find(store: LaneStore, location_id: str) -> Lane:
    """Return a lane as it is now.

    Raises:
        HTTPError: there is no such lane.
    """
    if not store.read(lambda client: client.sismember(store.key("locations"), location_id)):
        raise HTTPError(404, "no such lane: this location never had a job, or it is mistyped")
    return store.read_lanes([location_id])[0]


@dataclass(frozen=True, slots=True)
class LaneSection:
    """A place of a lane as a table; `headers` are those of its columns."""

    name: str
    title: str
    note: str
    headers: tuple[str, ...]


LANE_SECTIONS = (
    LaneSection(
        "ready",
        "Next",
        "in their order; the first of each record",
        ("Job", "EnqueueResult", "Attempts", "Priority", "Blocked by it"),
    ),
    LaneSection("in_flight", "In flight", "on their way now", ("Job", "Sent", "Attempt", "Worker", "Lease ends")),
    LaneSection(
        "delayed",
        "Delayed",
        "wait for a backoff or a time",
        ("Job", "Waits until", "Attempts", "Priority", "Blocked by it"),
    ),
    LaneSection(
        "dead_letters",
        "Latest dead letters",
        "among the newest of all lanes",
        ("Job", "Failed at", "Attempts", "Why", "EnqueueResult"),
    ),
)


class LanePage(Page):
    """The page of a lane."""

    answers_json = False  # whatever its location is called

    async def get(self, location_id: str) -> None:
        """Show it; what it shows comes as data."""
        await self.run_in_thread(find, self.store, location_id)
        self.show("lane.html", active="lanes", location=location_id, parts=LANE_SECTIONS)


class LaneData(Page):
    """What stands in a lane now."""

    async def get(self) -> None:
        """Answer its numbers and a part of its jobs, from the positions `ready` and `delayed` on."""
        location, ready, delayed = (
            self.argument("location"),
            _offset(self.argument("ready")),
            _offset(self.argument("delayed")),
        )
        self.send_json(await self.run_in_thread(self._read_data, location, ready, delayed))

    def _read_data(self, location_id: str, ready: int, delayed: int) -> dict[str, Any]:
        lane, caps = find(self.store, location_id), LimitCaps.of(self.lanes_settings)
        jobs = self.store.lane_jobs(location_id, ready=ready, delayed=delayed, max_count=STEP)
        return {
            "at": self.store.time(),
            "lane": {
                **table.as_row(lane, caps),
                **{name: getattr(lane, name) for name in ("burst", "daily", "weight")},
            },
            "step": STEP,
            "ready": {"from": ready, "total": jobs.ready_total, "jobs": [job.as_json() for job in jobs.ready]},
            "delayed": {"from": delayed, "total": jobs.delayed_total, "jobs": [job.as_json() for job in jobs.delayed]},
            "in_flight": [job.as_json() for job in jobs.in_flight],
            "dead_letters": [job.as_json() for job in jobs.dead_letters],
            "global_state": statistics.global_stops(self.store.global_state()),
        }


class LaneSeriesData(Page):
    """What happened in a lane in the last day, and whose token it uses: what changes slowly."""

    async def get(self) -> None:
        """Answer both."""
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
        """Return what kind of token the location has and until when it serves; nothing of the token itself."""
        settings = self.lanes_settings
        stored = CredentialStore(self.store).read(location_id)
        if not stored.encrypted:
            return {"kind": "common" if settings.api_token else "none", "expires_at": None, "note": None}
        try:
            credential = Vault(settings.secret_key).decrypt(location_id, stored.encrypted)
        except LanesError as error:
            return {"kind": "unreadable", "expires_at": None, "note": str(error)}
        return {"kind": credential.kind.value, "expires_at": credential.expires_at, "note": stored.note or None}


class HoldLane(Change):
    """Stops a lane."""

    async def post(self) -> None:
        """Hold it, for a reason."""
        location, reason = location_in(self.payload), reason_in(self.payload)
        await self.run_in_thread(find, self.store, location)
        await self.log_change("hold", location, reason)
        await self.run_in_thread(self._hold, location, reason)
        self.send_json({"message": f"{location} is held."})

    def _hold(self, location: str, reason: str) -> None:
        self.store.hold(location, reason, holder_name(self.who))
        self.lane_cache.refresh(location)


class ResumeLane(Change):
    """Lets a held lane go on."""

    async def post(self) -> None:
        """Resume it, if the hold is the one that was seen."""
        location = location_in(self.payload)
        lane = await self.run_in_thread(find, self.store, location)
        if lane.hold is None:
            raise HTTPError(409, "it is not held any more")
        if lane.held_at != self.payload.get("held_at"):
            raise HTTPError(409, HELD_AGAIN_MESSAGE)
        await self.log_change("resume", location, f"was held by {lane.held_by}")
        if await self.run_in_thread(self._resume, location, lane.held_at) == "changed":
            raise HTTPError(409, HELD_AGAIN_MESSAGE)
        self.send_json({"message": f"{location} goes on."})

    def _resume(self, location: str, seen: float | None) -> str:
        answer = self.store.resume(location, seen)
        self.lane_cache.refresh(location)
        return answer


class SetLimits(Change):
    """Gives a lane budgets and a weight of its own, or the common ones."""

    async def post(self) -> None:
        """Set what is given; what is empty is as for all."""
        location = location_in(self.payload)
        bounds = {"burst": MAX_LIMIT, "daily": MAX_LIMIT, "weight": MAX_WEIGHT}
        own = {name: _limit(name, self.payload.get(name), maximum) for name, maximum in bounds.items()}
        await self.run_in_thread(find, self.store, location)
        said = " ".join(f"{name}={value}" for name, value in own.items() if value is not None)
        await self.log_change("limit", location, said or "reset")
        await self.run_in_thread(self._limit, location, own)
        self.send_json({"message": f"{location}: {said or 'limits as for all'}."})

    def _limit(self, location: str, own: dict[str, int | None]) -> None:
        self.store.limit(location, **own)
        self.lane_cache.refresh(location)


def _limit(name: str, given: Any, maximum: int) -> int | None:
    """Read a limit: a number within bounds, or nothing."""
    text = "" if given is None else str(given).strip()
    if not text:
        return None
    if not (text.isascii() and text.isdigit() and len(text) <= 10 and 1 <= int(text) <= maximum):
        raise HTTPError(400, f"{name}: a whole number from 1 to {maximum}, or nothing for the common one")
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
