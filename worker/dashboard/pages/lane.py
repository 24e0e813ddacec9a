"""One lane: its numbers, its series, its jobs, whose token it uses; hold, resume and its own limits."""

from dataclasses import dataclass
from typing import Any

from tornado.web import HTTPError, url

from lanes import series
from lanes.errors import LanesError
from lanes.lane import Lane
from lanes.store import LaneStore
from lanes.token_store import TokenStore
from worker.dashboard import figures, lane_table
from worker.dashboard.lane_table import Budgets
from worker.dashboard.page import Change, Page
from worker.tokens.vault import Vault

EVERYTHING = "everything"
# Who holds lanes beside people.
NOT_NAMES = ("authorization", "outage")
HELD_AGAIN = "meanwhile it was held again: see why, and resume it again"
MOST_REASON = 500
MOST_LIMIT, MOST_WEIGHT = 10**9, 100
STEP = 15
MOST_PLACE = 10**9


def name_of(who: str) -> str:
    """Return under which name somebody holds a lane: never one that the lanes themselves say."""
    return f"{who} (a person)" if who in NOT_NAMES else who


def reason_in(given: dict[str, Any]) -> str:
    """Return the reason that was sent.

    Raises:
        HTTPError: there is none, or it is none that can be shown.
    """
    reason = given.get("reason")
    if not isinstance(reason, str) or not reason.strip():
        raise HTTPError(400, "say why, for whoever looks at it later")
    if not reason.isprintable() or len(reason) > MOST_REASON:
        raise HTTPError(400, f"the reason must be printable, at most {MOST_REASON} characters")
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
class Part:
    """A place of a lane as a table; `heads` are those of its columns."""

    name: str
    title: str
    note: str
    heads: tuple[str, ...]


PARTS = (
    Part(
        "ready",
        "Next",
        "in their order; the first of each record",
        ("Job", "Accepted", "Attempts", "Priority", "Behind it"),
    ),
    Part("in_flight", "In flight", "on their way now", ("Job", "Sent", "Attempt", "Worker", "Lease ends")),
    Part("later", "Later", "wait for a backoff or a time", ("Job", "Waits until", "Attempts", "Priority", "Behind it")),
    Part(
        "letters",
        "Latest dead letters",
        "among the newest of all lanes",
        ("Job", "Died", "Attempts", "Why", "Accepted"),
    ),
)


class LanePage(Page):
    """The page of a lane."""

    speaks_json = False  # whatever its location is called

    async def get(self, location_id: str) -> None:
        """Show it; what it shows comes as data."""
        await self.in_thread(find, self.store, location_id)
        self.show("lane.html", active="lanes", location=location_id, parts=PARTS)


class LaneData(Page):
    """What stands in a lane now."""

    async def get(self) -> None:
        """Answer its numbers and a part of its jobs, from the positions `ready` and `later` on."""
        location, ready, later = self.text("location"), _place(self.text("ready")), _place(self.text("later"))
        self.answer(await self.in_thread(self._look, location, ready, later))

    def _look(self, location_id: str, ready: int, later: int) -> dict[str, Any]:
        lane, budgets = find(self.store, location_id), Budgets.of(self.settings_of_lanes)
        jobs = self.store.lane_jobs(location_id, ready=ready, later=later, most=STEP)
        return {
            "at": self.store.time(),
            "lane": {
                **lane_table.as_row(lane, budgets),
                **{name: getattr(lane, name) for name in ("burst", "daily", "weight")},
            },
            "step": STEP,
            "ready": {"from": ready, "total": jobs.ready_total, "jobs": [job.as_json() for job in jobs.ready]},
            "later": {"from": later, "total": jobs.later_total, "jobs": [job.as_json() for job in jobs.later]},
            "in_flight": [job.as_json() for job in jobs.in_flight],
            "letters": [job.as_json() for job in jobs.letters],
            "gate": figures.stops(self.store.gate()),
        }


class LaneSeries(Page):
    """What happened in a lane in the last day, and whose token it uses: what changes slowly."""

    async def get(self) -> None:
        """Answer both."""
        self.answer(await self.in_thread(self._look, self.text("location")))

    def _look(self, location_id: str) -> dict[str, Any]:
        day = series.lane_day(self.store, location_id)
        return {
            "step": day.step,
            "at": [point.at for point in day.points],
            "counts": {event: [point.counts[event] for point in day.points] for event in series.EVENTS},
            "token": self._token(location_id),
        }

    def _token(self, location_id: str) -> dict[str, Any]:
        """Return what kind of token the location has and until when it serves; nothing of the token itself."""
        settings = self.settings_of_lanes
        stored = TokenStore(self.store).read(location_id)
        if not stored.sealed:
            return {"kind": "common" if settings.api_token else "none", "expires_at": None, "note": None}
        try:
            credential = Vault(settings.secret_key).open(location_id, stored.sealed)
        except LanesError as error:
            return {"kind": "unreadable", "expires_at": None, "note": str(error)}
        return {"kind": credential.kind.value, "expires_at": credential.expires_at, "note": stored.note or None}


class Hold(Change):
    """Stops a lane."""

    async def post(self) -> None:
        """Hold it, for a reason."""
        location, reason = location_in(self.given), reason_in(self.given)
        await self.in_thread(find, self.store, location)
        await self.note("hold", location, reason)
        await self.in_thread(self._hold, location, reason)
        self.answer({"told": f"{location} is held."})

    def _hold(self, location: str, reason: str) -> None:
        self.store.hold(location, reason, name_of(self.who))
        self.watcher.renew(location)


class Resume(Change):
    """Lets a held lane go on."""

    async def post(self) -> None:
        """Resume it, if the hold is the one that was seen."""
        location = location_in(self.given)
        lane = await self.in_thread(find, self.store, location)
        if lane.hold is None:
            raise HTTPError(409, "it is not held any more")
        if lane.held_at != self.given.get("held_at"):
            raise HTTPError(409, HELD_AGAIN)
        await self.note("resume", location, f"was held by {lane.held_by}")
        if await self.in_thread(self._resume, location, lane.held_at) == "changed":
            raise HTTPError(409, HELD_AGAIN)
        self.answer({"told": f"{location} goes on."})

    def _resume(self, location: str, seen: float | None) -> str:
        answer = self.store.resume(location, seen)
        self.watcher.renew(location)
        return answer


class Limit(Change):
    """Gives a lane budgets and a weight of its own, or the common ones."""

    async def post(self) -> None:
        """Set what is given; what is empty is as for all."""
        location = location_in(self.given)
        bounds = {"burst": MOST_LIMIT, "daily": MOST_LIMIT, "weight": MOST_WEIGHT}
        own = {name: _limit(name, self.given.get(name), most) for name, most in bounds.items()}
        await self.in_thread(find, self.store, location)
        said = " ".join(f"{name}={value}" for name, value in own.items() if value is not None)
        await self.note("limit", location, said or "common")
        await self.in_thread(self._limit, location, own)
        self.answer({"told": f"{location}: {said or 'limits as for all'}."})

    def _limit(self, location: str, own: dict[str, int | None]) -> None:
        self.store.limit(location, **own)
        self.watcher.renew(location)


def _limit(name: str, given: Any, most: int) -> int | None:
    """Read a limit: a number within bounds, or nothing."""
    text = "" if given is None else str(given).strip()
    if not text:
        return None
    if not (text.isascii() and text.isdigit() and len(text) <= 10 and 1 <= int(text) <= most):
        raise HTTPError(400, f"{name}: a whole number from 1 to {most}, or nothing for the common one")
    return int(text)


def _place(text: str) -> int:
    return min(int(text), MOST_PLACE) if text.isascii() and text.isdigit() and len(text) < 10 else 0


handlers: list[url] = [
    url(r"/lane/(.+)", LanePage, name="lane"),
    url(r"/lanes/lane/data", LaneData, name="lane_data"),
    url(r"/lanes/series/data", LaneSeries, name="lane_series"),
    url(r"/lanes/hold", Hold, name="lane_hold"),
    url(r"/lanes/resume", Resume, name="lane_resume"),
    url(r"/lanes/limit", Limit, name="lane_limit"),
]
