"""Replays and purges of many dead letters, in the background of a dashboard: nobody has to wait on the page.

Each letter is moved by one atomic call, so whatever ends a run in the middle leaves every letter either where it was or
where it should be. While Redis is away a run waits for it. Who asked for what stands in the trail before a run begins,
and what came of it when it ends.
"""

import os
import threading
import time
from collections import Counter, deque
from collections.abc import Callable, Iterator
from contextlib import suppress
from dataclasses import dataclass, field
from typing import Any

import structlog

from lanes import trail
from lanes.errors import LanesError, RedisUnavailableError
from lanes.job import MICROSECONDS
from lanes.letter import Moved
from lanes.letter_choice import ALL, Choice, look_through
from lanes.letter_moves import Move, why_not
from lanes.letters import STEP, Span
from lanes.printable import printable
from lanes.store import LaneStore

log = structlog.get_logger()

MOST_AT_ONCE = 4
MOST_KEPT = 20  # runs that ended
MOST_TOLD = 100  # letters of a run that are told with the reason why they were not moved
AWAY_SECONDS = 1.0  # between two tries while Redis is away
PATIENCE_SECONDS = 600.0  # for a Redis that is away


class BusyError(LanesError):
    """As many runs go on as are allowed at once."""


@dataclass(frozen=True, slots=True)
class Selection:
    """Which letters: those named, or all of a choice; in both cases as far as they had died by the end of the span."""

    told: str
    span: Span
    choice: Choice = ALL
    job_ids: tuple[str, ...] = ()


@dataclass(slots=True)
class Run:
    """One replay or purge of many letters, or its rehearsal, which changes nothing.

    `total` is how many letters it was to be about when it was asked for; those that others move meanwhile are not met.
    `unconfirmed` counts the moved ones that the API may have already.
    `waiting` tells why it waits, or why it failed.
    """

    id: str
    who: str
    move: Move
    selection: Selection
    rehearsal: bool
    total: int
    started_at: float = field(default_factory=time.time)
    ended_at: float | None = None
    state: str = "running"
    done: int = 0
    unconfirmed: int = 0
    refused: Counter[str] = field(default_factory=Counter)
    told: list[Moved] = field(default_factory=list)
    waiting: str | None = None

    def take(self, moved: Moved) -> None:
        """Note what became of a letter."""
        if moved.answer == self.move.done:
            self.done += 1
            self.unconfirmed += moved.unconfirmed
            return
        self.refused[moved.answer] += 1
        if len(self.told) < MOST_TOLD:
            self.told.append(moved)

    @property
    def outcome(self) -> str:
        """What it came to so far, in words."""
        refused = self.refused.total()
        return f"{self.move.done} {self.done:,}" + (f", refused {refused:,}" if refused else "")

    def as_json(self, most_told: int = MOST_TOLD) -> dict[str, Any]:
        """Return it as plain values, with no more than so many of the letters that were not moved."""
        return {
            "id": self.id,
            "who": self.who,
            "verb": self.move.verb,
            "done_word": self.move.done,
            "on": printable(self.selection.told),
            "rehearsal": self.rehearsal,
            "total": self.total,
            "done": self.done,
            "unconfirmed": self.unconfirmed,
            "refused": dict(self.refused),
            "told": [
                {
                    "id": each.job_id,
                    "shown": printable(each.job_id),
                    "newer": each.newer,
                    "why": printable(why_not(each)),
                }
                for each in self.told[:most_told]
            ],
            "state": self.state,
            "waiting": self.waiting,
            "started_at": self.started_at,
            "ended_at": self.ended_at,
        }


class Runs:
    """The runs of one dashboard, each in a thread of its own. `moved` is called when one has ended."""

    def __init__(self, store: LaneStore, moved: Callable[[], None] = lambda: None) -> None:
        self._store = store
        self._moved = moved
        self._runs: dict[str, Run] = {}
        self._stops: dict[str, threading.Event] = {}
        self._ended: deque[str] = deque()
        self._lock = threading.Lock()

    def start(self, who: str, move: Move, selection: Selection, *, total: int, rehearsal: bool = False) -> Run:
        """Begin; the entry in the trail is the caller's.

        Raises:
            BusyError: too many go on.
        """
        run = Run(os.urandom(8).hex(), who, move, selection, rehearsal, total)
        with self._lock:
            self.see_room()
            stop = self._stops[run.id] = threading.Event()
            self._runs[run.id] = run
        threading.Thread(target=self._go, args=(run, stop), name=f"letters-{move.verb}", daemon=True).start()
        return run

    def see_room(self) -> None:
        """See that one more may begin.

        Raises:
            BusyError: too many go on.
        """
        if len(self._stops) >= MOST_AT_ONCE:
            message = f"{MOST_AT_ONCE} replays, purges or dry runs go on; wait for one of them, or stop it"
            raise BusyError(message)

    def get(self, run_id: str) -> Run | None:
        """Return a run, None when it ended long ago, or never was."""
        return self._runs.get(run_id)

    def all(self) -> list[Run]:
        """Return the runs that change something, the newest first."""
        with self._lock:
            return [run for run in reversed(self._runs.values()) if not run.rehearsal]

    def stop(self, run_id: str) -> None:
        """Let a run end behind the batch that it is at."""
        if stop := self._stops.get(run_id):
            stop.set()

    def close(self) -> None:
        """Stop all."""
        for stop in list(self._stops.values()):
            stop.set()

    def _go(self, run: Run, stop: threading.Event) -> None:
        try:
            state = _Worker(self._store, run, stop).work()
        except LanesError as error:
            state, run.waiting = "failed", str(error)
        except Exception:
            state, run.waiting = "failed", "something went wrong; the log of the dashboard has it"
            log.exception("letters_run_failed", verb=run.move.verb)
        if not run.rehearsal:
            with suppress(LanesError):  # the entry that it began is there
                ended = "" if state == "done" else f"; {state}"
                trail.note(self._store, run.who, run.move.verb, run.selection.told, f"ended: {run.outcome}{ended}")
        self._moved()
        run.state, run.ended_at = state, time.time()
        with self._lock:
            del self._stops[run.id]
            self._ended.append(run.id)
            while len(self._ended) > MOST_KEPT:
                del self._runs[self._ended.popleft()]


class _Worker:
    """Goes through the letters of a run, and on from where it was when Redis is back."""

    def __init__(self, store: LaneStore, run: Run, stop: threading.Event) -> None:
        self._store = store
        self._run = run
        self._stop = stop
        self._at = run.selection.span.since
        self._passed: set[str] = set()  # of those that died at that very moment; of letters named, all
        self._doubtful: list[str] = []

    def work(self) -> str:
        """Do it; return how it ended."""
        away_since: float | None = None
        while True:
            try:
                self._settle()
                for ids in self._ahead():
                    self._doubtful = ids
                    self._move(ids)
                    self._doubtful = []
                    away_since, self._run.waiting = None, None
                    if self._stop.is_set():
                        return "stopped"
            except RedisUnavailableError as error:
                now = time.monotonic()
                away_since = away_since or now
                if now - away_since > PATIENCE_SECONDS:
                    raise
                self._run.waiting = str(error)
                if self._stop.wait(AWAY_SECONDS):
                    return "stopped"
            else:
                return "done"

    def _ahead(self) -> Iterator[list[str]]:
        selection = self._run.selection
        if selection.job_ids:
            ids = [job_id for job_id in selection.job_ids if job_id not in self._passed]
            for start in range(0, len(ids), STEP):
                yield ids[start : start + STEP]
                self._passed.update(ids[start : start + STEP])
            return
        for letters in look_through(self._store, selection.choice, Span(selection.span.until, self._at)):
            yield [letter.id for letter in letters if letter.id not in self._passed]
            for letter in letters:
                if letter.died_at > self._at:
                    self._at = letter.died_at
                    self._passed.clear()
                self._passed.add(letter.id)

    def _move(self, ids: list[str]) -> None:
        call = self._run.move.rehearse if self._run.rehearsal else self._run.move.call
        for moved in call(self._store, ids) if ids else ():
            self._run.take(moved)

    def _settle(self) -> None:
        """Redis went away in the middle of a batch: those that are no letters any more were moved by it.

        A letter that was replayed by it and died again since is one that was replayed, too.
        """
        if self._run.rehearsal or not self._doubtful:
            return
        until = round(self._run.selection.span.until * MICROSECONDS)
        for job_id, letter in zip(self._doubtful, self._store.summarize(self._doubtful), strict=True):
            if letter is None or round(letter.died_at * MICROSECONDS) > until:
                self._run.take(Moved(job_id, self._run.move.done))
                self._passed.add(job_id)
        self._doubtful = []
