"""Replays and purges of many dead letters, in the background of a dashboard.

Each dead letter is changed by one atomic call, so a run that is interrupted leaves no dead letter half changed. A run
waits while Redis is unavailable. The audit log has an entry before a run and one after it.
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

from lanes.activity import audit_log
from lanes.dead_letters.bulk import BulkAction, why_not
from lanes.dead_letters.filter import ALL, DeadLetterFilter, scan_summaries
from lanes.dead_letters.operations import STEP, TimeRange
from lanes.errors import LanesError, RedisUnavailableError
from lanes.printable import printable
from lanes.queue.dead_letter import ActionResult
from lanes.queue.store import LaneStore
from lanes.retry_loop import RetryLoop
from lanes.storage.stored import MICROSECONDS
from worker.dashboard.lane_cache import UNEXPECTED_ERROR

log = structlog.get_logger()

MAX_RUNNING = 4
MAX_FINISHED = 20  # runs that ended and are kept
MAX_REFUSED = 100  # refused dead letters of a run that are listed with their reason
RETRY_SECONDS = 1.0  # between two tries while Redis is unavailable
MAX_OUTAGE_SECONDS = 600.0  # of Redis


class BusyError(LanesError):
    """As many runs as allowed are running."""


@dataclass(frozen=True, slots=True)
class Selection:
    """The dead letters of a run: `job_ids`, or all that match the filter; none that failed after the time range."""

    description: str
    time_range: TimeRange
    dead_letter_filter: DeadLetterFilter = ALL
    job_ids: tuple[str, ...] = ()


@dataclass(slots=True)
class BulkRun:
    """A replay or purge of many dead letters, or its dry run.

    `total` is the number of dead letters when it was requested; others may change some of them first.
    `unconfirmed` counts the replayed ones that the API may have already.
    `waiting` is the reason why it waits or failed.
    """

    id: str
    who: str
    action: BulkAction
    selection: Selection
    dry_run: bool
    total: int
    started_at: float = field(default_factory=time.time)
    ended_at: float | None = None
    state: str = "running"
    done: int = 0
    unconfirmed: int = 0
    refused: Counter[str] = field(default_factory=Counter)
    refused_letters: list[ActionResult] = field(default_factory=list)
    waiting: str | None = None

    def add_result(self, moved: ActionResult) -> None:
        """Count the result of a dead letter."""
        if moved.answer == self.action.done:
            self.done += 1
            self.unconfirmed += moved.unconfirmed
            return
        self.refused[moved.answer] += 1
        if len(self.refused_letters) < MAX_REFUSED:
            self.refused_letters.append(moved)

    @property
    def outcome(self) -> str:
        """The result so far, in words."""
        refused = self.refused.total()
        return f"{self.action.done} {self.done:,}" + (f", refused {refused:,}" if refused else "")

    def as_json(self, max_refused: int = MAX_REFUSED) -> dict[str, Any]:
        """Return it as plain values, with at most `max_refused` of the refused dead letters."""
        return {
            "id": self.id,
            "who": self.who,
            "verb": self.action.verb,
            "done_word": self.action.done,
            "on": printable(self.selection.description),
            "dry_run": self.dry_run,
            "total": self.total,
            "done": self.done,
            "unconfirmed": self.unconfirmed,
            "refused": dict(self.refused),
            "refused_letters": [
                {
                    "id": each.job_id,
                    "shown": printable(each.job_id),
                    "newer": each.superseded_by,
                    "why": printable(why_not(each)),
                }
                for each in self.refused_letters[:max_refused]
            ],
            "state": self.state,
            "waiting": self.waiting,
            "started_at": self.started_at,
            "ended_at": self.ended_at,
        }


class BulkRuns:
    """The runs of a dashboard, each in its own thread. `on_finished` is called after each run."""

    def __init__(self, store: LaneStore, on_finished: Callable[[], None] = lambda: None) -> None:
        self._store = store
        self._on_finished = on_finished
        self._runs: dict[str, BulkRun] = {}
        self._stops: dict[str, threading.Event] = {}
        self._ended: deque[str] = deque()
        self._lock = threading.Lock()

    def start(
        self, who: str, action: BulkAction, selection: Selection, *, total: int, dry_run: bool = False
    ) -> BulkRun:
        """Start a run. The caller has written the audit-log entry.

        Raises:
            BusyError: too many are running.
        """
        run = BulkRun(os.urandom(8).hex(), who, action, selection, dry_run, total)
        with self._lock:
            self.check_capacity()
            stop = self._stops[run.id] = threading.Event()
            self._runs[run.id] = run
        threading.Thread(target=self._execute, args=(run, stop), name=f"bulk-{action.verb}", daemon=True).start()
        return run

    def check_capacity(self) -> None:
        """Check that another run may start.

        Raises:
            BusyError: too many are running.
        """
        if len(self._stops) >= MAX_RUNNING:
            message = f"{MAX_RUNNING} replays, purges or dry runs are running; wait for one of them, or stop it"
            raise BusyError(message)

    def get(self, run_id: str) -> BulkRun | None:
        """Return a run, None if it is unknown or ended long ago."""
        return self._runs.get(run_id)

    def all(self) -> list[BulkRun]:
        """Return all runs except dry runs, the newest first."""
        with self._lock:
            return [run for run in reversed(self._runs.values()) if not run.dry_run]

    def stop(self, run_id: str) -> None:
        """Stop a run after its current batch."""
        if stop := self._stops.get(run_id):
            stop.set()

    def close(self) -> None:
        """Stop all runs."""
        for stop in list(self._stops.values()):
            stop.set()

    def _execute(self, run: BulkRun, stop: threading.Event) -> None:
        state = "failed"
        try:
            state = _BulkRunner(self._store, run, stop).run()
        except LanesError as error:
            run.waiting = str(error)
        except Exception:
            run.waiting = UNEXPECTED_ERROR
            log.exception("bulk_run_failed", verb=run.action.verb)
        try:
            self._note_end(run, state)
        except Exception:
            log.exception("bulk_run_end_failed", verb=run.action.verb)
        run.state, run.ended_at = state, time.time()
        with self._lock:
            del self._stops[run.id]
            self._ended.append(run.id)
            while len(self._ended) > MAX_FINISHED:
                del self._runs[self._ended.popleft()]

    def _note_end(self, run: BulkRun, state: str) -> None:
        if not run.dry_run:
            with suppress(LanesError):  # the audit log has the entry of its start
                ended = "" if state == "done" else f"; {state}"
                audit_log.append(
                    self._store, run.who, run.action.verb, run.selection.description, f"ended: {run.outcome}{ended}"
                )
        self._on_finished()


class _BulkRunner:
    """Works through the dead letters of a run; after an outage of Redis it continues where it stopped."""

    def __init__(self, store: LaneStore, run: BulkRun, stop: threading.Event) -> None:
        self._store = store
        self._run = run
        self._stop = stop
        self._at = run.selection.time_range.since
        self._processed: set[str] = set()  # of those that failed at `_at`; all, for a run of `job_ids`
        self._in_doubt: list[str] = []

    def run(self) -> str:
        """Do the run; return its final state."""
        tries: RetryLoop | None = None
        while True:
            try:
                self._resolve_in_doubt()
                for ids in self._remaining():
                    self._in_doubt = ids
                    self._move(ids)
                    self._in_doubt = []
                    tries, self._run.waiting = None, None
                    if self._stop.is_set():
                        return "stopped"
            except RedisUnavailableError as error:
                tries = tries or RetryLoop(RETRY_SECONDS, within=MAX_OUTAGE_SECONDS, stop=self._stop)
                self._run.waiting = str(error)
                if not tries.sleep():
                    if self._stop.is_set():
                        return "stopped"
                    raise
            else:
                return "done"

    def _remaining(self) -> Iterator[list[str]]:
        selection = self._run.selection
        if selection.job_ids:
            ids = [job_id for job_id in selection.job_ids if job_id not in self._processed]
            for start in range(0, len(ids), STEP):
                yield ids[start : start + STEP]
                self._processed.update(ids[start : start + STEP])
            return
        for letters in scan_summaries(
            self._store, selection.dead_letter_filter, TimeRange(selection.time_range.until, self._at)
        ):
            yield [letter.id for letter in letters if letter.id not in self._processed]
            for letter in letters:
                if letter.failed_at > self._at:
                    self._at = letter.failed_at
                    self._processed.clear()
                self._processed.add(letter.id)

    def _move(self, ids: list[str]) -> None:
        call = self._run.action.dry_run if self._run.dry_run else self._run.action.call
        for moved in call(self._store, ids) if ids else ():
            self._run.add_result(moved)

    def _resolve_in_doubt(self) -> None:
        """After an outage in the middle of a batch, count the jobs that are no longer dead letters as done.

        A job that failed again since was replayed by this run, too.
        """
        if self._run.dry_run or not self._in_doubt:
            return
        until = round(self._run.selection.time_range.until * MICROSECONDS)
        for job_id, letter in zip(self._in_doubt, self._store.summarize(self._in_doubt), strict=True):
            if letter is None or round(letter.failed_at * MICROSECONDS) > until:
                self._run.add_result(ActionResult(job_id, self._run.action.done))
                self._processed.add(job_id)
        self._in_doubt = []
