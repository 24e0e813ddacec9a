"""An index of the dead letters in memory: it filters, groups and sorts 100,000 summaries.

It follows the sorted set `dead` while the page is in use. The first read takes seconds; what is read so far is already
usable. Later, Redis counts the dead letters of each time segment. Segments with another count are read again, and one
more each time, which finds changes that keep the count. Edits change no count: a page reads what it shows from Redis.
"""

import sys
import threading
import time
from bisect import bisect_left
from collections.abc import Callable, Iterable, Sequence
from dataclasses import dataclass, replace

import redis

from lanes.dead_letters.operations import STEP
from lanes.errors import LanesError
from lanes.queue.dead_letter_summary import DeadLetterSummary
from lanes.queue.store import LaneStore
from lanes.storage.stored import MAX_NUMBER, text_of
from worker.dashboard.lane_cache import UNEXPECTED_ERROR
from worker.safety.supervisor import Loop, Supervisor

MAX_LETTERS = 200_000  # the newest dead letters, about 550 bytes each
READ_BATCH = 2000  # dead letters
SEGMENT_SIZE = 1000  # dead letters
POLL_SECONDS = 2.0
ACTIVE_SECONDS = 30.0  # after the last request the index is refreshed for this time
IDLE_SECONDS = 900.0  # and kept for this time
MAX_AGE_SECONDS = 0.5  # a page that is opened accepts an index of this age
MAX_WAIT_SECONDS = 0.3  # or else waits this long for a refresh


@dataclass(frozen=True, slots=True)
class IndexSnapshot:
    """The index at one moment: dead letters, the newest first, of `total` in Redis.

    `complete`: the first read is over. `truncated`: there are more than the index holds. `version` changes with
    `letters`. `age` is in seconds at the request; `error` is why the last read failed.
    """

    letters: Sequence[DeadLetterSummary] = ()
    total: int = 0
    complete: bool = False
    truncated: bool = False
    version: int = 0
    age: float = 0.0
    error: str | None = None


@dataclass(frozen=True, slots=True)
class Segment:
    """The number of dead letters from `first` to before `last`, microseconds since the epoch; None: no end."""

    first: int
    last: int | None
    count: int


def segments_of(times: Sequence[int], floor: int, size: int) -> list[Segment]:
    """Cut times, in order, into segments that cover all times from `floor` on. Equal times are in one segment."""
    cuts = sorted({floor, *(times[at] for at in range(size, len(times), size) if times[at] > floor)})
    starts = [bisect_left(times, cut) for cut in cuts]
    ends = [*starts[1:], len(times)]
    lasts: list[int | None] = [*cuts[1:], None]
    return [
        Segment(first, last, end - start) for first, last, start, end in zip(cuts, lasts, starts, ends, strict=True)
    ]


class DeadLetterIndex:
    """Follows the dead letters of a store in its own thread while it is used. Thread-safe.

    `on_dropped` is called when the index was unused for long and gave its memory back.
    """

    def __init__(
        self,
        store: LaneStore,
        max_letters: int = MAX_LETTERS,
        on_dropped: Callable[[], None] = lambda: None,
        supervisor: Supervisor | None = None,
    ) -> None:
        self._supervisor = supervisor or Supervisor()
        self._wake = threading.Event()
        self._store = store
        self._max_letters = max_letters
        self._on_dropped = on_dropped
        self._times: dict[str, int] = {}
        self._letters: dict[str, DeadLetterSummary] = {}
        self._order: list[tuple[int, str]] = []
        self._rotation = 0
        self._complete = False
        self._known = IndexSnapshot()
        self._refresh_lock = threading.Lock()
        self._changed = threading.Condition()
        # By `time.monotonic()`.
        self._used_at = self._fresh_at = self._asked_at = self._next_at = -IDLE_SECONDS
        self._read_at: float | None = None  # when the last successful read began
        self._started = False

    def current(self, wait: float = MAX_WAIT_SECONDS, age: float = MAX_AGE_SECONDS) -> IndexSnapshot:
        """Return the index; if it is older than `age` seconds, wait at most `wait` seconds for a refresh."""
        with self._changed:
            now = self._used_at = time.monotonic()
            if not self._started:
                self._supervisor.start(Loop("dead_letter_index", self._step, wake=self._wake))
                self._started = True
            if now - self._fresh_at > age:
                self._request(now)
            self._changed.wait_for(
                lambda: not self._refresh_pending or (self._known.letters and not self._complete), wait
            )
            age = 0.0 if self._read_at is None else time.monotonic() - self._read_at
            return replace(self._known, age=max(0.0, age))

    def request_refresh(self) -> None:
        """After a change: refresh, and let the next request wait for it."""
        with self._changed:
            self._request(time.monotonic())

    def _request(self, now: float) -> None:
        self._asked_at = now
        self._wake.set()

    @property
    def _refresh_pending(self) -> bool:
        return self._asked_at > self._fresh_at

    def _step(self) -> float | None:
        """Refresh while the index is used; drop it when it was unused for long."""
        with self._changed:
            now = time.monotonic()
            idle = now - self._used_at
            if idle > IDLE_SECONDS:
                self._drop_all()
                return None
            if not self._refresh_pending:
                if idle > ACTIVE_SECONDS:
                    return IDLE_SECONDS
                if now < self._next_at:
                    return self._next_at - now
        self.refresh()
        self._next_at = time.monotonic() + POLL_SECONDS
        return 0.0

    def _drop_all(self) -> None:
        """Give the memory back."""
        self._clear()
        self._known = IndexSnapshot(version=self._known.version + 1)
        self._read_at = None
        self._started = False
        self._on_dropped()

    def _clear(self) -> None:
        self._times, self._letters, self._order, self._complete = {}, {}, [], False

    def refresh(self) -> None:
        """Read what changed. After an error, `error` has the reason and the snapshot stays.

        After an unexpected error, the next read starts from the beginning.
        """
        failure: str | None = None
        begun = time.monotonic()
        with self._refresh_lock:
            try:
                if self._complete:
                    self._compare()
                else:
                    self._read_first()
            except LanesError as error:
                failure = str(error)
            except Exception:
                failure = UNEXPECTED_ERROR
                self._clear()
                raise
            finally:
                with self._changed:
                    self._known = replace(self._known, error=failure)
                    self._fresh_at = begun
                    if failure is None:
                        self._read_at = begun
                    self._changed.notify_all()

    def _total(self) -> int:
        return self._store.read_key(0, self._store.key("dead"), lambda client, key: client.zcard(key))

    def _read_first(self) -> None:
        """Read all from the newest on. Later comparisons correct what shifts meanwhile."""
        dead = self._store.key("dead")
        for start in range(0, self._max_letters, READ_BATCH):
            last = min(start + READ_BATCH, self._max_letters) - 1
            found = self._store.read(
                lambda client, first=start, last=last: client.zrevrange(  # type: ignore[misc]
                    dead, first, last, withscores=True
                )
            )
            self._add(dict(map(_time_of, found)))
            self._complete = len(found) < last + 1 - start or last + 1 == self._max_letters
            self._publish()
            if self._complete:
                return

    def _compare(self) -> None:
        """Count the segments; read those that changed, and the next one in rotation."""
        dead, total = self._store.key("dead"), self._total()
        floor = 0
        if total > self._max_letters:
            edge = self._store.read(
                lambda client: client.zrevrange(dead, self._max_letters - 1, self._max_letters - 1, withscores=True)
            )
            floor = _time_of(edge[0])[1] if edge else 0
        segments = segments_of([at for at, _ in self._order], floor, SEGMENT_SIZE)
        counts = self._store.read(lambda client: _count(client, dead, segments))
        self._rotation += 1
        rotated = self._rotation % len(segments)
        changed = self._remove(job_id for _, job_id in self._order[: bisect_left(self._order, (floor, ""))])
        for number, (segment, count) in enumerate(zip(segments, counts, strict=True)):
            if count != segment.count or number == rotated:
                changed |= self._read_segment(dead, segment)
        if changed or total != self._known.total:
            self._publish()

    def _read_segment(self, dead: str, segment: Segment) -> bool:
        last = "+inf" if segment.last is None else f"({segment.last}"
        there: dict[str, int] = {}
        while True:
            found = self._store.read(
                lambda client: client.zrangebyscore(
                    dead, segment.first, last, start=len(there), num=READ_BATCH, withscores=True
                )
            )
            there.update(map(_time_of, found))
            if len(found) < READ_BATCH:
                break
        start = bisect_left(self._order, (segment.first, ""))
        end = len(self._order) if segment.last is None else bisect_left(self._order, (segment.last, ""))
        gone = self._remove(
            job_id for at, job_id in self._order[start:end] if job_id not in there and self._times[job_id] == at
        )
        return self._add({job_id: at for job_id, at in there.items() if self._times.get(job_id) != at}) or gone

    def _add(self, times: dict[str, int]) -> bool:
        """Add dead letters; return whether any of them still is one."""
        ids, added = list(times), False
        for start in range(0, len(ids), STEP):
            for letter in self._store.summarize(ids[start : start + STEP]):
                if letter is not None:
                    self._letters[letter.id] = _interned(letter)
                    self._times[letter.id] = times[letter.id]
                    added = True
        return added

    def _remove(self, job_ids: Iterable[str]) -> bool:
        gone = [job_id for job_id in job_ids if self._letters.pop(job_id, None) is not None]
        for job_id in gone:
            del self._times[job_id]
        return bool(gone)

    def _publish(self) -> None:
        self._order = sorted((at, job_id) for job_id, at in self._times.items())
        letters = [self._letters[job_id] for _, job_id in reversed(self._order)]
        total = self._total()
        with self._changed:
            truncated = self._complete and total > len(letters) >= self._max_letters
            self._known = IndexSnapshot(letters, total, self._complete, truncated, self._known.version + 1)
            self._changed.notify_all()


def _count(client: "redis.Redis", dead: str, segments: Sequence[Segment]) -> list[int]:
    pipeline = client.pipeline(transaction=False)
    for segment in segments:
        pipeline.zcount(dead, segment.first, "+inf" if segment.last is None else f"({segment.last}")
    return list(pipeline.execute())


def _time_of(member: tuple[bytes, float]) -> tuple[str, int]:
    """Return id and time of a member of `dead`; a time without end is the last possible one."""
    job_id, score = member
    return text_of(job_id), int(max(-MAX_NUMBER, min(score, MAX_NUMBER)))


def _interned(letter: DeadLetterSummary) -> DeadLetterSummary:
    """Return it with interned texts, to save memory."""
    return replace(
        letter,
        location_id=sys.intern(letter.location_id),
        reason=sys.intern(letter.reason),
        code=sys.intern(letter.code),
        message=sys.intern(letter.message),
        service=letter.service and sys.intern(letter.service),
    )
