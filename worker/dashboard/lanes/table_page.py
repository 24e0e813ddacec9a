"""The table of lanes; hold and resume of all lanes."""

from typing import Any

from tornado.web import HTTPError, url

from worker.dashboard.lane_cache import LaneSnapshot
from worker.dashboard.lanes import brake, bulk_resume, lane_page, table
from worker.dashboard.lanes.table import LaneFilter, LaneTablePage, LaneTableQuery, LimitCaps
from worker.dashboard.page import Change, Page
from worker.dashboard.throughput import statistics

COLUMN_LABELS = {
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
FILTER_LABELS = {
    LaneFilter.ALL: "All",
    LaneFilter.WAITING: "Waiting",
    LaneFilter.HELD: "Held",
    LaneFilter.BRAKED: "On the brake",
    LaneFilter.FAILING: "Failing",
    LaneFilter.DEAD: "With dead letters",
    LaneFilter.IDLE: "Idle",
}


def query_of(page: Page) -> LaneTableQuery:
    """Return the query in the address."""
    names = ("search", "show", "sort", "direction", "page", "rows")
    return LaneTableQuery.parse({name: page.argument(name) for name in names if page.argument(name)})


class LanesPage(Page):
    """The table."""

    def get(self) -> None:
        """Show the page; the rows come as data."""
        self.show(
            "lanes.html",
            active="lanes",
            query=query_of(self),
            labels=COLUMN_LABELS,
            filter_labels=FILTER_LABELS,
            steps=(25, 50, 100, 200),
        )


class LanesData(Page):
    """A page of the table."""

    async def get(self) -> None:
        """Send its rows, the totals of all matching lanes, and what stops all lanes."""
        self.send_json(await self.run_in_thread(self._read_data, query_of(self)))

    def _read_data(self, query: LaneTableQuery) -> dict[str, Any]:
        seen, caps = self.lane_cache.snapshot(), LimitCaps.of(self.lanes_settings)
        return as_json(seen, table.paginate(seen.lanes, query, caps), caps)


def as_json(seen: LaneSnapshot, page: LaneTablePage, caps: LimitCaps) -> dict[str, Any]:
    """Return a page of the table as plain values."""
    return {
        "at": seen.at,
        "age": seen.age,
        "error": seen.error,
        "all": len(seen.lanes),
        "held": sum(each.hold is not None for each in seen.lanes),
        "braked": sum(each.hold is None and each.brake is not None for each in seen.lanes),
        "found": page.found,
        "page": page.query.page,
        "pages": page.pages,
        "rows": page.query.rows,
        "sort": page.query.sort,
        "descending": page.query.descending,
        "show": page.query.show.value,
        "query_string": page.query.query_string(),
        "totals": page.totals,
        "matching": {show.value: count for show, count in page.matching.items()},
        "lanes": [table.as_row(each, caps) for each in page.lanes],
        "global_state": statistics.global_stops(seen.global_state),
    }


class HoldAll(Change):
    """Holds all lanes."""

    async def post(self) -> None:
        """Hold everything, for a reason."""
        reason = lane_page.reason_in(self)
        await self.log_change("hold", lane_page.ALL_LANES, reason)
        await self.change_lanes([], self.store.hold_all, reason, lane_page.holder_name(self.who))
        self.send_json({"message": "Everything is held."})


class ResumeAll(Change):
    """Ends the global hold."""

    async def post(self) -> None:
        """End it, if it is the one that the page showed. Lanes with a hold of their own stay held."""
        global_state = await self.run_in_thread(self.store.global_state)
        if global_state.hold is None:
            raise HTTPError(409, "the global hold is already over")
        seen = self.payload.get("held_at")
        if global_state.held_at == seen:
            await self.log_change("resume", lane_page.ALL_LANES, f"was held by {global_state.held_by}")
            await self.change_lanes([], self.store.resume_all, seen)
            global_state = await self.run_in_thread(self.store.global_state)
        if global_state.hold is not None and global_state.held_at != seen:
            raise HTTPError(409, f"{global_state.held_by} has held everything again: {global_state.hold}")
        self.send_json({"message": "Everything is resumed."})


handlers: list[url] = [
    url(r"/lanes", LanesPage, name="lanes"),
    url(r"/lanes/data", LanesData, name="lanes_data"),
    url(r"/lanes/hold-all", HoldAll, name="lanes_hold_all"),
    url(r"/lanes/resume-all", ResumeAll, name="lanes_resume_all"),
    *bulk_resume.handlers,
    *lane_page.handlers,
    *brake.handlers,
]
