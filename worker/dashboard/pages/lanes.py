"""The lanes: a table of all, and what is done to all of them."""

from typing import Any

from tornado.web import HTTPError, url

from lanes.gate import Gate
from worker.dashboard import figures, lane_table
from worker.dashboard.lane_table import Budgets, Query, Show, TablePage
from worker.dashboard.page import Change, Page
from worker.dashboard.pages import brake, held, lane
from worker.dashboard.watcher import Snapshot

LABELS = {
    "location": "Location",
    "pending": "Pending",
    "in_flight": "In flight",
    "delivered": "Delivered",
    "dead": "Dead",
    "window": "Window",
    "day": "Day",
    "next": "Next release",
    "oldest": "Oldest job",
    "hold": "State",
}
SHOWN = {
    Show.ALL: "All",
    Show.WAITING: "Waiting",
    Show.HELD: "Held",
    Show.BRAKED: "On the brake",
    Show.FAILING: "Failing",
    Show.DEAD: "With dead letters",
    Show.IDLE: "Idle",
}


def asked(page: Page) -> Query:
    """Return what of the table the address asks for."""
    names = ("search", "show", "sort", "way", "page", "rows")
    return Query.parse({name: page.text(name) for name in names if page.text(name)})


class Lanes(Page):
    """The table."""

    def get(self) -> None:
        """Show it; its rows come as data."""
        self.show("lanes.html", active="lanes", query=asked(self), labels=LABELS, shown=SHOWN, steps=(25, 50, 100, 200))


class LanesData(Page):
    """A page of the table."""

    async def get(self) -> None:
        """Answer its rows, the totals of all that were found, and what stops all lanes."""
        self.answer(await self.in_thread(self._look, asked(self)))

    def _look(self, query: Query) -> dict[str, Any]:
        seen, budgets = self.watcher.snapshot(), Budgets.of(self.settings_of_lanes)
        return as_json(seen, lane_table.cut(seen.lanes, query, budgets), budgets)


def as_json(seen: Snapshot, page: TablePage, budgets: Budgets) -> dict[str, Any]:
    """Return a page of the table as plain values."""
    return {
        "at": seen.at,
        "age": seen.age,
        "trouble": seen.trouble,
        "all": len(seen.lanes),
        "held": sum(lane.hold is not None for lane in seen.lanes),
        "braked": sum(lane.hold is None and lane.brake is not None for lane in seen.lanes),
        "found": page.found,
        "page": page.query.page,
        "pages": page.pages,
        "rows": page.query.rows,
        "sort": page.query.sort,
        "falling": page.query.falling,
        "show": page.query.show.value,
        "address": page.query.address(),
        "totals": {name: getattr(page.totals, name) for name in page.totals.__slots__},
        "matching": {show.value: count for show, count in page.matching.items()},
        "lanes": [lane_table.as_row(each, budgets) for each in page.lanes],
        "gate": figures.stops(seen.gate),
    }


class HoldAll(Change):
    """Stops all lanes."""

    async def post(self) -> None:
        """Hold everything, for a reason."""
        reason = lane.reason_in(self.given)
        await self.note("hold", lane.EVERYTHING, reason)
        await self.in_thread(self._hold, reason)
        self.answer({"told": "Everything is held."})

    def _hold(self, reason: str) -> None:
        self.store.hold_all(reason, lane.name_of(self.who))
        self.watcher.renew()


class ResumeAll(Change):
    """Ends the hold of everything."""

    async def post(self) -> None:
        """Let all lanes go on that are not held on their own, if the hold is the one that was seen."""
        gate = await self.in_thread(self.store.gate)
        if gate.hold is None:
            raise HTTPError(409, "not everything is held any more")
        seen = self.given.get("held_at")
        if gate.held_at == seen:
            await self.note("resume", lane.EVERYTHING)
            gate = await self.in_thread(self._resume, gate)
        if gate.hold is not None and gate.held_at != seen:
            raise HTTPError(409, f"meanwhile {gate.held_by} has held everything anew: {gate.hold}")
        self.answer({"told": "Everything goes on."})

    def _resume(self, seen: Gate) -> Gate:
        """End the hold that was seen; return what stops all lanes then."""
        self.store.resume_all(seen.held_at)
        self.watcher.renew()
        return self.store.gate()


handlers: list[url] = [
    url(r"/lanes", Lanes, name="lanes"),
    url(r"/lanes/data", LanesData, name="lanes_data"),
    url(r"/lanes/hold-all", HoldAll, name="lanes_hold_all"),
    url(r"/lanes/resume-all", ResumeAll, name="lanes_resume_all"),
    *held.handlers,
    *lane.handlers,
    *brake.handlers,
]
