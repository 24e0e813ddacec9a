"""The dead letters: found, grouped, replayed, purged, exported."""

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

from tornado.web import HTTPError, url

from lanes.dead_letters import operations
from lanes.dead_letters.bulk import BulkAction, purge_action, replay_action
from lanes.dead_letters.filter import REASONS
from lanes.printable import printable
from lanes.queue.dead_letter_summary import DeadLetterSummary
from worker.dashboard.dead_letters import detail_page, edit_page, export
from worker.dashboard.dead_letters.bulk_runs import BulkRun, BusyError
from worker.dashboard.dead_letters.index import MAX_LETTERS, POLL_SECONDS, IndexSnapshot
from worker.dashboard.dead_letters.query import (
    COLUMNS,
    PERIODS,
    SIZES,
    DeadLetterQuery,
    ResultPage,
    filter_of_group,
    paginate,
    utc_time,
)
from worker.dashboard.dead_letters.selection import selection_of
from worker.dashboard.dead_letters.views import DeadLetterViews, views_of
from worker.dashboard.page import Change, Page

QUERY_PARAMETERS = (
    *("location", "reason", "status", "message", "message_pattern", "code", "service", "from", "to", "within"),
    *("view", "sort", "order", "page", "size"),
)
# What a page that refreshes itself is told of runs; more of one is at its own address.
RUNS_IN_LIST = 8
REFUSED_IN_LIST = 10
COLUMN_LABELS = {
    "died": "Failed at (UTC)",
    "location": "Location",
    "reason": "Reason",
    "status": "Status",
    "code": "Code",
    "message": "Last answer",
    "attempts": "Attempts",
    "service": "Service",
}


@dataclass(frozen=True, slots=True)
class DeadLetterListing:
    """What a page shows: letters, read anew from Redis, or groups with what takes their letters; `matching` letters."""

    known: IndexSnapshot
    part: ResultPage
    matching: int


class DeadLettersPage(Page):
    """The page."""

    async def get(self) -> None:
        """Show the letters, or the groups, that are asked for."""
        query = self.query()
        view = await self.run_in_thread(self._read_data, query)
        self.show(
            "dead_letters.html",
            active="dead_letters",
            query=query,
            view=view,
            columns=COLUMNS,
            labels=COLUMN_LABELS,
            reasons=REASONS,
            sizes=SIZES,
            spans=PERIODS,
            most=MAX_LETTERS,
            utc_time=utc_time,
            printable=printable,
        )

    def query(self) -> DeadLetterQuery:
        """Return what the URL asks for."""
        given = self.request.query_arguments  # to the letter: Tornado's own reading puts spaces for control characters
        return DeadLetterQuery.read(
            {name: given[name][-1].decode("utf-8", "replace") for name in QUERY_PARAMETERS if given.get(name)}
        )

    @property
    def views(self) -> DeadLetterViews:
        """What the pages of the dead letters share."""
        return views_of(self.application.settings, self.store, self.dashboard.supervisor)

    def _read_data(self, query: DeadLetterQuery) -> DeadLetterListing:
        known = self.views.index.current()
        time_range = query.open_span(operations.until_now(self.store).until)
        if query.groups:
            groups = self.views.groups(known, query.dead_letter_filter, time_range)
            part = paginate([(group, filter_of_group(group, query)) for group in groups], query.page, query.size)
            return DeadLetterListing(known, part, sum(group.count for group in groups))
        found = self.views.letters(known, query.dead_letter_filter, time_range, query.sort, descending=query.descending)
        part = paginate(found, query.page, query.size)
        return DeadLetterListing(
            known, ResultPage(self._reread(part.shown), part.first, part.page, part.pages, part.total), len(found)
        )

    def _reread(self, shown: Sequence[DeadLetterSummary]) -> list[DeadLetterSummary]:
        """Return the letters of a page as they are now: edited since, or gone."""
        there = self.store.summarize([found.id for found in shown]) if shown else []
        if None in there:
            self.views.index.request_refresh()
        return [found for found in there if found is not None]


class DeadLettersData(DeadLettersPage):
    """How far the index is, how many letters match, and the runs."""

    async def get(self) -> None:
        """Answer them."""
        self.send_json(await self.run_in_thread(self._numbers, self.query()))

    def _numbers(self, query: DeadLetterQuery) -> dict[str, Any]:
        known = self.views.index.current(wait=0, age=2 * POLL_SECONDS)
        time_range = query.open_span(operations.until_now(self.store).until)
        return {
            "version": known.version,
            "known": len(known.letters),
            "total": known.total,
            "complete": known.complete,
            "truncated": known.truncated,
            "failure": known.failure,
            "matching": len(self.views.letters(known, query.dead_letter_filter, time_range)),
            "runs": [run.as_json(REFUSED_IN_LIST) for run in self.views.runs.all()[:RUNS_IN_LIST]],
        }


class StartBulkRun(Change):
    """Begins the rehearsal of a replay or purge, or, behind that, the thing itself: never without a rehearsal."""

    async def post(self) -> None:
        """Answer the id of the run."""
        views = views_of(self.application.settings, self.store, self.dashboard.supervisor)
        try:
            run = await (self._start_run(views) if "of" in self.payload else self._start_dry_run(views))
        except BusyError as error:
            raise HTTPError(409, str(error)) from None
        self.send_json({"id": run.id})

    async def _start_dry_run(self, views: DeadLetterViews) -> BulkRun:
        selection, total = await self.run_in_thread(selection_of, self.store, views, self.payload)
        return views.runs.start(self.who, self._action(self.payload.get("verb")), selection, total=total, dry_run=True)

    async def _start_run(self, views: DeadLetterViews) -> BulkRun:
        dry_run = views.runs.get(str(self.payload["of"]))
        if dry_run is None or not dry_run.dry_run or dry_run.state != "done":
            raise HTTPError(409, "what would happen was not looked at, or too long ago; do that first")
        force = self.payload.get("force") is True and dry_run.action.verb == "replay"
        total = dry_run.done + (dry_run.refused["superseded"] if force else 0)
        views.runs.check_capacity()
        until = utc_time(dry_run.selection.time_range.until)
        detail = f"{total:,} that died until {until} UTC" + (", even over what is newer" if force else "")
        await self.log_change(dry_run.action.verb, dry_run.selection.description, detail)
        action = replay_action(force=True) if force else dry_run.action
        return views.runs.start(self.who, action, dry_run.selection, total=total)

    def _action(self, verb: object) -> BulkAction:
        if verb == "replay":
            return replay_action()
        if verb == "purge":
            return purge_action(self.lanes_settings.retention_seconds)
        raise HTTPError(400, "verb: must be replay or purge")


class BulkRunData(Page):
    """One run."""

    def get(self, run_id: str) -> None:
        """Answer how far it is."""
        run = views_of(self.application.settings, self.store, self.dashboard.supervisor).runs.get(run_id)
        if run is None:
            raise HTTPError(404, "no such run, or it ended long ago")
        self.send_json(run.as_json())


class StopBulkRun(Change):
    """Ends a run before its time."""

    async def post(self, run_id: str) -> None:
        """Let it end behind the batch that it is at."""
        runs = views_of(self.application.settings, self.store, self.dashboard.supervisor).runs
        run = runs.get(run_id)
        if run is None:
            raise HTTPError(404, "no such run, or it ended long ago")
        if not run.dry_run:
            await self.log_change("stop", run.selection.description, run.action.verb)
        runs.stop(run_id)
        self.send_json({"stopped": True})


handlers: list[url] = [
    url(r"/dead-letters", DeadLettersPage, name="dead_letters"),
    url(r"/dead-letters/data", DeadLettersData, name="dead_letters_data"),
    url(r"/dead-letters/runs", StartBulkRun, name="dead_letter_runs"),
    url(r"/dead-letters/runs/(\w+)/data", BulkRunData, name="dead_letter_run"),
    url(r"/dead-letters/runs/(\w+)/stop", StopBulkRun, name="dead_letter_run_stop"),
    *export.handlers,
    *detail_page.handlers,
    *edit_page.handlers,
]
