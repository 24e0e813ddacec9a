"""The rows of the table in `docs/performance.md`: which figures, and how they are called there."""

from collections.abc import Sequence
from dataclasses import dataclass


@dataclass(frozen=True, slots=True)
class Row:
    """A line for the figure of a benchmark whose name begins with `measured`; `unit` follows its values."""

    label: str
    benchmark: str
    measured: str
    unit: str = ""


ROWS: Sequence[Row] = (
    Row("one worker, 200 locations, the API takes 300-500 ms", "fleet", "upserts/s, http", "/s"),
    Row("the same over TLS", "fleet", "upserts/s, https", "/s"),
    Row(
        "its CPU for an upsert over TLS, workers and Redis",
        "fleet",
        "CPU ms per upsert, workers and Redis, https",
        " ms",
    ),
    Row("400 jobs of one location ahead of 20 small ones: all done", "neighbour", "s until all is done", " s"),
    Row("wait of the small locations' jobs, p99", "neighbour", "s a small location's job waits, p99", " s"),
    Row("429s meanwhile", "neighbour", "429s"),
    Row("one hot location, 3 workers: pace relative to the safe rule", "accuracy", "% of the pace", " %"),
    Row("enqueue to arrival at the API, idle worker", "latency", "ms from enqueue to arrival, idle worker", " ms"),
    Row("the same, worker busy with other locations", "latency", "ms from enqueue to arrival, busy worker", " ms"),
    Row("an idle worker, of a core", "dispatch", "% of a core that a waiting worker uses", " %"),
    Row("drained, API without latency", "drain", "upserts/s", "/s"),
    Row("CPU for an upsert, workers and Redis", "drain", "CPU ms per upsert, workers and Redis", " ms"),
    Row("the workers' part of it", "drain", "CPU ms per upsert, workers", " ms"),
    Row("Redis' CPU to deliver a job and release the next", "redis", "us of Redis' CPU, deliver and release", " us"),
    Row("Redis' CPU for an upsert by a worker", "redis", "us of Redis' CPU, one upsert by a worker", " us"),
    Row("Redis' CPU for a row of `enqueue_many`", "redis", "us of Redis' CPU, enqueue_many, a row", " us"),
    Row(
        "Redis' CPU for an upsert of a service, enqueue to delivery",
        "redis",
        "us of Redis' CPU, an upsert of a service",
        " us",
    ),
    Row("enqueued in bulk", "enqueue", "jobs/s, enqueue_many", "/s"),
    Row("enqueued one by one", "enqueue", "jobs/s, enqueue", "/s"),
    Row("CPU of the gateway for a row, one by one", "gateway", "us of CPU for a row, one by one", " us"),
    Row("the same in bulk", "gateway", "us of CPU for a row, in bulk", " us"),
    Row("Redis memory of a pending job beside its body", "memory", "bytes per waiting job beside its body", " bytes"),
    Row("Redis memory of a delivered job", "history", "bytes kept of a delivered job", " bytes"),
    Row("of each more attempt", "history", "bytes kept of each more attempt", " bytes"),
    Row("new jobs refused while history fills Redis three times", "history", "jobs refused while"),
    Row("a row of `enqueue_many`, in a large backlog", "scale", "us for a row, enqueue_many", " us"),
    Row("one release and one delivery, in Redis", "scale", "us inside Redis to release and deliver a job", " us"),
    Row("`lanes status --json`", "scale", "s for lanes status --json", " s"),
    Row("4,000 updates of 200 records: requests", "merge", "requests sent"),
    Row("another client takes 30-60 % of the window: used", "shared", "% of the window in use", " %"),
    Row("429s of that location", "shared", "% of requests answered with 429", " %"),
    Row("CPU of a busy worker per job, dashboard open in a browser", "watching", "CPU ms of the worker per job", " ms"),
)
