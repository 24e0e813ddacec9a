"""The list of dead letters: filter, groups, replay and purge."""

from collections.abc import Sequence
from dataclasses import dataclass, replace
from typing import Any

from tornado.web import HTTPError, url

from lanes.dead_letters import operations
from lanes.dead_letters.bulk import BulkAction, purge_action, replay_action
from lanes.dead_letters.filter import REASONS
from lanes.printable import printable
from lanes.queue.dead_letter_summary import DeadLetterSummary
from lanes.times import format_time
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
)
from worker.dashboard.dead_letters.selection import selection_of
from worker.dashboard.dead_letters.views import DeadLetterViews, views_of
from worker.dashboard.page import Change, Page

QUERY_PARAMETERS = (
    *("location", "reason", "status", "message", "message_pattern", "code", "service", "from", "to", "within"),
    *("view", "sort", "order", "page", "size"),
)
# The runs and refused dead letters in the data of the list; a run's own address has more.
RUNS_IN_LIST = 8
REFUSED_IN_LIST = 10
COLUMN_LABELS = {
    "failed_at": "Failed at (UTC)",
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
    """What the page shows: dead letters, or groups with their filters. `matching` dead letters in all."""

    known: IndexSnapshot
    part: ResultPage
    matching: int


class DeadLettersPage(Page):
    """The page."""

    async def get(self) -> None:
        """Show the list or the groups."""
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
            printable=printable,
        )

    def query(self) -> DeadLetterQuery:
        """Return the query in the URL."""
        given = self.request.query_arguments  # exact: Tornado's own methods replace control characters by spaces
        return DeadLetterQuery.read(
            {name: given[name][-1].decode("utf-8", "replace") for name in QUERY_PARAMETERS if given.get(name)}
        )

    @property
    def views(self) -> DeadLetterViews:
        """What the dead-letter pages share."""
        return views_of(self)

    def _read_data(self, query: DeadLetterQuery) -> DeadLetterListing:
        known = self.views.index.current()
        time_range = query.open_span(operations.until_now(self.store).until)
        if query.groups:
            groups = self.views.groups(known, query.dead_letter_filter, time_range)
            part = paginate([(group, filter_of_group(group, query)) for group in groups], query.page, query.size)
            return DeadLetterListing(known, part, sum(group.count for group in groups))
        found = self.views.letters(known, query.dead_letter_filter, time_range, query.sort, descending=query.descending)
        part = paginate(found, query.page, query.size)
        return DeadLetterListing(known, replace(part, shown=self._reread(part.shown)), len(found))

    def _reread(self, shown: Sequence[DeadLetterSummary]) -> list[DeadLetterSummary]:
        """Read the dead letters of a page from Redis; they may have been edited or removed."""
        there = self.store.summarize([found.id for found in shown]) if shown else []
        if None in there:
            self.views.index.request_refresh()
        return [found for found in there if found is not None]


class DeadLettersData(DeadLettersPage):
    """The state of the index, the number of matching dead letters, and the runs."""

    async def get(self) -> None:
        """Send them."""
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
            "age": known.age,
            "error": known.error,
            "matching": len(self.views.letters(known, query.dead_letter_filter, time_range)),
            "runs": [run.as_json(REFUSED_IN_LIST) for run in self.views.runs.all()[:RUNS_IN_LIST]],
        }


class StartBulkRun(Change):
    """Starts the dry run of a replay or purge, or, after its dry run, the replay or purge itself."""

    async def post(self) -> None:
        """Start it and send the id of the run."""
        views = views_of(self)
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
            raise HTTPError(409, "there is no recent dry run; do a dry run first")
        force = self.payload.get("force") is True and dry_run.action.verb == "replay"
        total = dry_run.done + (dry_run.refused["superseded"] if force else 0)
        views.runs.check_capacity()
        until = format_time(dry_run.selection.time_range.until)
        detail = f"{total:,} that failed until {until}" + (", overwriting newer data" if force else "")
        await self.log_change(dry_run.action.verb, dry_run.selection.description, detail)
        action = replay_action(force=True) if force else dry_run.action
        return views.runs.start(self.who, action, dry_run.selection, total=total)

    def _action(self, verb: object) -> BulkAction:
        if verb == "replay":
            return replay_action()
        if verb == "purge":
            return purge_action(self.lanes_settings.retention_seconds)
        raise HTTPError(400, "verb: must be replay or purge")


def find_run(views: DeadLetterViews, run_id: str) -> BulkRun:
    """Return a run.

    Raises:
        HTTPError: it is unknown.
    """
    run = views.runs.get(run_id)
    if run is None:
        raise HTTPError(404, "no such run, or it ended long ago")
    return run


class BulkRunData(Page):
    """One run."""

    def get(self, run_id: str) -> None:
        """Send its progress."""
        self.send_json(find_run(views_of(self), run_id).as_json())


class StopBulkRun(Change):
    """Stops a run."""

    async def post(self, run_id: str) -> None:
        """Stop it after its current batch."""
        views = views_of(self)
        run = find_run(views, run_id)
        if not run.dry_run:
            await self.log_change("stop", run.selection.description, run.action.verb)
        views.runs.stop(run_id)
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
