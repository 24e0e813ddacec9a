"""The dead letters: found, grouped, replayed, purged, exported."""

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

from tornado.web import HTTPError, url

from lanes import letters
from lanes.letter_choice import REASONS
from lanes.letter_moves import Move, purge_move, replay_move
from lanes.letter_summary import Summary
from lanes.printable import printable
from worker.dashboard.letter_index import EVERY_SECONDS, MOST, Known
from worker.dashboard.letter_runs import BusyError, Run
from worker.dashboard.letter_selection import selection_of
from worker.dashboard.letter_views import COLUMNS, SIZES, WITHIN, Part, Wanted, choice_of, cut, moment
from worker.dashboard.letters_desk import Desk, desk_of
from worker.dashboard.page import Change, Page
from worker.dashboard.pages import letter, letter_edit, letters_export

QUERY = (
    *("location", "reason", "status", "message", "like", "code", "service", "from", "to", "within"),
    *("view", "sort", "order", "page", "size"),
)
# What a page that refreshes itself is told of runs; more of one is at its own address.
RUNS_IN_LIST = 8
TOLD_IN_LIST = 10
LABELS = {
    "died": "Died (UTC)",
    "location": "Location",
    "reason": "Reason",
    "status": "Status",
    "code": "Code",
    "message": "Last answer",
    "attempts": "Attempts",
    "service": "Service",
}


@dataclass(frozen=True, slots=True)
class View:
    """What a page shows: letters, read anew from Redis, or groups with what takes their letters; `matching` letters."""

    known: Known
    part: Part
    matching: int


class Letters(Page):
    """The page."""

    async def get(self) -> None:
        """Show the letters, or the groups, that are asked for."""
        wanted = self.wanted()
        view = await self.in_thread(self._look, wanted)
        self.show(
            "letters.html",
            active="letters",
            wanted=wanted,
            view=view,
            columns=COLUMNS,
            labels=LABELS,
            reasons=REASONS,
            sizes=SIZES,
            spans=WITHIN,
            most=MOST,
            moment=moment,
            printable=printable,
        )

    def wanted(self) -> Wanted:
        """Return what the URL asks for."""
        given = self.request.query_arguments  # to the letter: Tornado's own reading puts spaces for control characters
        return Wanted.read({name: given[name][-1].decode("utf-8", "replace") for name in QUERY if given.get(name)})

    @property
    def desk(self) -> Desk:
        """What the pages of the dead letters share."""
        return desk_of(self.application.settings, self.store)

    def _look(self, wanted: Wanted) -> View:
        known = self.desk.index.look()
        span = wanted.open_span(letters.until_now(self.store).until)
        if wanted.groups:
            groups = self.desk.groups(known, wanted.choice, span)
            part = cut([(group, choice_of(group, wanted)) for group in groups], wanted.page, wanted.size)
            return View(known, part, sum(group.count for group in groups))
        found = self.desk.letters(known, wanted.choice, span, wanted.sort, down=wanted.down)
        part = cut(found, wanted.page, wanted.size)
        return View(known, Part(self._anew(part.shown), part.first, part.page, part.pages, part.total), len(found))

    def _anew(self, shown: Sequence[Summary]) -> list[Summary]:
        """Return the letters of a page as they are now: edited since, or gone."""
        there = self.store.summarize([found.id for found in shown]) if shown else []
        if None in there:
            self.desk.index.ask()
        return [found for found in there if found is not None]


class LettersData(Letters):
    """How far the index is, how many letters match, and the runs."""

    async def get(self) -> None:
        """Answer them."""
        self.answer(await self.in_thread(self._numbers, self.wanted()))

    def _numbers(self, wanted: Wanted) -> dict[str, Any]:
        known = self.desk.index.look(wait=0, age=2 * EVERY_SECONDS)
        span = wanted.open_span(letters.until_now(self.store).until)
        return {
            "version": known.version,
            "known": len(known.letters),
            "total": known.total,
            "complete": known.complete,
            "bounded": known.bounded,
            "failure": known.failure,
            "matching": len(self.desk.letters(known, wanted.choice, span)),
            "runs": [run.as_json(TOLD_IN_LIST) for run in self.desk.runs.all()[:RUNS_IN_LIST]],
        }


class Start(Change):
    """Begins the rehearsal of a replay or purge, or, behind that, the thing itself: never without a rehearsal."""

    async def post(self) -> None:
        """Answer the id of the run."""
        desk = desk_of(self.application.settings, self.store)
        try:
            run = await (self._carry_out(desk) if "of" in self.given else self._rehearse(desk))
        except BusyError as error:
            raise HTTPError(409, str(error)) from None
        self.answer({"id": run.id})

    async def _rehearse(self, desk: Desk) -> Run:
        selection, total = await self.in_thread(selection_of, self.store, desk, self.given)
        return desk.runs.start(self.who, self._move(self.given.get("verb")), selection, total=total, rehearsal=True)

    async def _carry_out(self, desk: Desk) -> Run:
        rehearsed = desk.runs.get(str(self.given["of"]))
        if rehearsed is None or not rehearsed.rehearsal or rehearsed.state != "done":
            raise HTTPError(409, "what would happen was not looked at, or too long ago; do that first")
        even = self.given.get("even_if_newer") is True and rehearsed.move.verb == "replay"
        total = rehearsed.done + (rehearsed.refused["overtaken"] if even else 0)
        desk.runs.see_room()
        until = moment(rehearsed.selection.span.until)
        detail = f"{total:,} that died until {until} UTC" + (", even over what is newer" if even else "")
        await self.note(rehearsed.move.verb, rehearsed.selection.told, detail)
        move = replay_move(even_if_newer=True) if even else rehearsed.move
        return desk.runs.start(self.who, move, rehearsed.selection, total=total)

    def _move(self, verb: object) -> Move:
        if verb == "replay":
            return replay_move()
        if verb == "purge":
            return purge_move(self.settings_of_lanes.retention_seconds)
        raise HTTPError(400, "verb: must be replay or purge")


class RunData(Page):
    """One run."""

    def get(self, run_id: str) -> None:
        """Answer how far it is."""
        run = desk_of(self.application.settings, self.store).runs.get(run_id)
        if run is None:
            raise HTTPError(404, "no such run, or it ended long ago")
        self.answer(run.as_json())


class Stop(Change):
    """Ends a run before its time."""

    async def post(self, run_id: str) -> None:
        """Let it end behind the batch that it is at."""
        runs = desk_of(self.application.settings, self.store).runs
        run = runs.get(run_id)
        if run is None:
            raise HTTPError(404, "no such run, or it ended long ago")
        if not run.rehearsal:
            await self.note("stop", run.selection.told, run.move.verb)
        runs.stop(run_id)
        self.answer({"stopped": True})


handlers: list[url] = [
    url(r"/letters", Letters, name="letters"),
    url(r"/letters/data", LettersData, name="letters_data"),
    url(r"/letters/runs", Start, name="letters_runs"),
    url(r"/letters/runs/(\w+)/data", RunData, name="letters_run"),
    url(r"/letters/runs/(\w+)/stop", Stop, name="letters_stop"),
    *letters_export.handlers,
    *letter.handlers,
    *letter_edit.handlers,
]
