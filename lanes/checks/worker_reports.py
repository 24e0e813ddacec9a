"""What each live worker last reported: its load, what bounds it, and which limits are too small for it."""

import json
from collections.abc import Callable, Mapping
from dataclasses import asdict, dataclass
from typing import Any

from lanes.queue.lane_reader import LaneReader
from lanes.storage.stored import json_object_of, text_of

REPORT_SECONDS = 5.0
LIVE_SECONDS = 20.0
CPU, SENDERS, NOTHING = "cpu", "senders", "nothing"  # what bounds a worker


@dataclass(frozen=True, slots=True)
class WorkerReport:
    """A worker's report.

    `threads` exist, `busy` ones have a job, `max_threads` are the maximum over all processes that send. `cpu` is the
    number of cores that its pool uses. `bound_by`: CPU, SENDERS, or NOTHING (it waits for jobs or the API's limit).
    `redis_connections` is the maximum. `shortages` has a line for each limit of its machine that is too small.
    """

    threads: int
    busy: int
    max_threads: int
    cpu: float
    bound_by: str
    redis_connections: int
    shortages: list[str]


def write_report(store: LaneReader, worker: str, report: WorkerReport) -> None:
    """Store the report of a worker, and remove those of workers that are gone.

    Raises:
        RedisUnavailableError: Redis cannot be reached.
    """
    key, now = store.key("workers"), store.time()
    value = json.dumps({"at": now, **asdict(report)}, separators=(",", ":"))
    store.read(lambda client: client.hset(key, worker, value))
    gone = [name for name, (at, _) in _stored(store).items() if now - at > LIVE_SECONDS]
    if gone:
        store.read(lambda client: client.hdel(key, *gone))


def live_reports(store: LaneReader) -> dict[str, WorkerReport]:
    """Return the reports of the live workers by name.

    Raises:
        RedisUnavailableError: Redis cannot be reached.
    """
    now = store.time()
    return {
        name: report
        for name, (at, report) in sorted(_stored(store).items())
        if report is not None and now - at <= LIVE_SECONDS
    }


def _stored(store: LaneReader) -> dict[str, tuple[float, WorkerReport | None]]:
    """Return time and report by name; what cannot be read is as old as can be."""
    found: dict[str, tuple[float, WorkerReport | None]] = {}
    for name, value in store.read_hash("workers").items():
        fields = json_object_of(value) or {}
        try:
            report = WorkerReport(**{each: kind(fields[each]) for each, kind in _KINDS.items()})
            found[text_of(name)] = float(fields["at"]), report
        except (KeyError, TypeError, ValueError):
            found[text_of(name)] = 0.0, None
    return found


def _texts(value: Any) -> list[str]:
    return [str(each) for each in value]


_KINDS: Mapping[str, Callable[[Any], Any]] = {
    **dict.fromkeys(("threads", "busy", "max_threads", "redis_connections"), int),
    "cpu": float,
    "bound_by": str,
    "shortages": _texts,
}
