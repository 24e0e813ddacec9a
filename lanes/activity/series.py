"""Recent statistics, as `record_statistics.lua` writes them: growth of the counters, and durations from the workers."""

import math
from collections import Counter
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, field

from lanes.queue.job import Reason
from lanes.queue.store import LaneStore
from lanes.storage.stored import MICROSECONDS, StoredHash

EVENTS = ("accepted", "merged", "delivered", "retried", "throttled", "reclaimed", "dead", "expired", "cancelled")
BURIED = (Reason.REFUSED, Reason.EXHAUSTED, Reason.UNCONFIRMED, Reason.UNAUTHORIZED)

RECENT_SECONDS, HOUR = 10, 3600
HISTORY_SECONDS, DAY = 300, 86_400
LANE_HISTORY_SECONDS = 14_400

_WAITS, _ANSWERS = "w", "a"
BUCKETS = range(120)


@dataclass(frozen=True, slots=True)
class Histogram:
    """A histogram of durations: bucket `k` is from `2 ** (k / 4)` to `2 ** ((k + 1) / 4)` ms, bucket 0 also faster."""

    counts: Mapping[int, int] = field(default_factory=dict)

    @property
    def total(self) -> int:
        """Number of durations."""
        return sum(self.counts.values())

    @property
    def seconds(self) -> float:
        """Approximate sum of the durations."""
        return sum(count * _middle(bucket) for bucket, count in self.counts.items())

    def quantile(self, share: float) -> float | None:
        """Return approximately how many seconds this share took at most; None if it is empty."""
        rank, passed = share * self.total, 0
        for bucket in sorted(self.counts):
            passed += self.counts[bucket]
            if passed >= rank and self.counts[bucket]:
                return _middle(bucket)
        return None

    def at_most(self, seconds: float) -> int:
        """Return how many took at most this long: all buckets that end by then, with tolerance."""
        return sum(count for bucket, count in self.counts.items() if upper_bound(bucket) <= seconds * 1.0001)

    def __add__(self, other: "Histogram") -> "Histogram":
        return add_up((self, other))


def bucket_of_wait(seconds: float) -> str:
    """Return the field that counts a wait of this length."""
    return _bucket(_WAITS, seconds)


def bucket_of_answer(seconds: float) -> str:
    """Return the field that counts an answer after this time."""
    return _bucket(_ANSWERS, seconds)


def _bucket(kind: str, seconds: float) -> str:
    number = math.floor(4 * math.log2(seconds * 1000)) if seconds > 0.001 else 0
    return f"{kind}{min(number, BUCKETS[-1])}"


def upper_bound(bucket: int) -> float:
    """Return the seconds at which a bucket ends."""
    return float(2 ** ((bucket + 1) / 4)) / 1000


def _middle(bucket: int) -> float:
    return float(2 ** ((bucket + 0.5) / 4)) / 1000


@dataclass(frozen=True, slots=True)
class Point:
    """A step of a series. `at` is its start, seconds since the epoch; `counts` has every event of `EVENTS`.

    `waits` is the time from enqueue (or not-before, or replay) to delivery, `answers` from release to report.
    """

    at: float
    counts: Mapping[str, int]
    waits: Histogram = field(default_factory=Histogram)
    answers: Histogram = field(default_factory=Histogram)


@dataclass(frozen=True, slots=True)
class Series:
    """Steps of `step` seconds, the oldest first, without a gap; the last one is not over at `now`."""

    step: float
    now: float
    points: tuple[Point, ...]

    def total(self, event: str) -> int:
        """Return the number of events in all steps."""
        return sum(point.counts[event] for point in self.points)

    def rate(self, event: str, seconds: float) -> float:
        """Return events per second over the steps of `last`."""
        steps = self.last(seconds)
        return sum(point.counts[event] for point in steps) / (self.step * len(steps)) if steps else 0.0

    def last(self, seconds: float) -> tuple[Point, ...]:
        """Return the steps that ended within the last `seconds`, at least one if there is one."""
        return self.points[:-1][-max(1, int(seconds // self.step)) :]

    @property
    def waits(self) -> Histogram:
        """The waits of all steps."""
        return add_up(point.waits for point in self.points)

    @property
    def answers(self) -> Histogram:
        """The answers of all steps."""
        return add_up(point.answers for point in self.points)


@dataclass(frozen=True, slots=True)
class LifetimeTotals:
    """Totals since the beginning; they never decrease.

    `buried` counts dead letters by reason, `refused_rows` the rows that enqueue tasks refused by service.
    """

    counts: Mapping[str, int]
    buried: Mapping[Reason, int]
    waits: Histogram
    answers: Histogram
    refused_rows: Mapping[str, int]


def add_up(histograms: Iterable[Histogram]) -> Histogram:
    """Return the sum of histograms."""
    counts: Counter[int] = Counter()
    for each in histograms:
        counts.update(each.counts)
    return Histogram(dict(counts))


def last_hour(store: LaneStore) -> Series:
    """Return the last hour in steps of ten seconds."""
    return _read(store, "recent", RECENT_SECONDS, HOUR)


def last_day(store: LaneStore) -> Series:
    """Return the last day in steps of five minutes."""
    return _read(store, "history", HISTORY_SECONDS, DAY)


def lane_day(store: LaneStore, location_id: str) -> Series:
    """Return the last day of a lane in steps of five minutes, without durations."""
    now = store.time()
    starts = _starts(now, HISTORY_SECONDS, DAY)
    keys = list(dict.fromkeys(at - at % LANE_HISTORY_SECONDS for at in starts))
    found = _read_all(store, [store.key("lane_history", location_id, str(at * MICROSECONDS)) for at in keys])
    stored = dict(zip(keys, found, strict=True))

    def counts(at: int) -> dict[str, int]:
        hours, step = stored[at - at % LANE_HISTORY_SECONDS], at % LANE_HISTORY_SECONDS // HISTORY_SECONDS
        return {event: hours.count(f"{event}:{step}") for event in EVENTS}

    return Series(HISTORY_SECONDS, now, tuple(Point(at, counts(at)) for at in starts))


def since_the_beginning(store: LaneStore) -> LifetimeTotals:
    """Return the totals since the beginning."""
    totals, counts, refused = _read_all(store, [store.key(name) for name in ("totals", "counts", "rejected_rows")])
    never_less = {event: totals.count(event) for event in ("dead", "expired", "cancelled")}
    counted = {event: counts.count(event) for event in EVENTS} | never_less
    buried = {reason: totals.count(f"dead:{reason}") for reason in BURIED}
    refused_rows = {service: refused.count(service) for service in refused}
    return LifetimeTotals(counted, buried, _histogram(totals, _WAITS), _histogram(totals, _ANSWERS), refused_rows)


def _read(store: LaneStore, name: str, step: int, seconds: int) -> Series:
    now = store.time()
    starts = _starts(now, step, seconds)
    found = _read_all(store, [store.key(name, str(at * MICROSECONDS)) for at in starts])
    return Series(step, now, tuple(_point(at, fields) for at, fields in zip(starts, found, strict=True)))


def _starts(now: float, step: int, seconds: int) -> list[int]:
    last = math.floor(now) // step * step
    return list(range(last - seconds, last + step, step))


def _read_all(store: LaneStore, keys: Sequence[str]) -> list[StoredHash]:
    missing: dict[bytes, bytes] = {}
    found = store.read_keys(missing, keys, lambda client, key: client.hgetall(key))
    names = (key.removeprefix(store.prefix) for key in keys)
    return [StoredHash(fields, name, store.unreadable) for name, fields in zip(names, found, strict=True)]


def _point(at: float, fields: StoredHash) -> Point:
    waits, answers = _histogram(fields, _WAITS), _histogram(fields, _ANSWERS)
    return Point(at, {event: fields.count(event) for event in EVENTS}, waits, answers)


def _histogram(fields: StoredHash, kind: str) -> Histogram:
    return Histogram({bucket: fields.count(f"{kind}{bucket}") for bucket in BUCKETS if f"{kind}{bucket}" in fields})
