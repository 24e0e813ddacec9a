"""`make soak`, `python -m tests.chaos.soak --seconds 900`: a long run at full drain with faults; everything stays flat.

The faults are those that leave processes alive, so that what a process gathers over time can be seen: lines that break,
an API that fails, scripts flushed, clients killed, Redis restarted. Jobs are kept for a few seconds only, since what
Redis holds for a day by design would hide what it holds by mistake.
"""

import argparse
import json
import os
import statistics
import sys
import tempfile
import threading
import time
from collections.abc import Iterator, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, Self, cast

import redis

from benchmarks.charts import Chart, Curve
from benchmarks.figures import Findings
from benchmarks.plots import draw
from lanes.errors import LanesError
from lanes.queue.store import LaneStore
from ops.embedded.processes import Child, end_on_signals
from tests.chaos import journal
from tests.chaos.connection_faults import API_FAULTS, CONNECTION_FAULTS
from tests.chaos.environment import WORKERS, Environment
from tests.chaos.evidence import NotTried
from tests.chaos.fault import Fault
from tests.chaos.faults import Planned, rounds
from tests.chaos.overload import unaccounted
from tests.chaos.redis_faults import ClientsKilled, RedisRestarted, ScriptsFlushed
from tests.chaos.run import CALM_SECONDS, Run
from tests.chaos.samples import Flat, Verdict, descriptors, judge, megabytes, process_group

EVERY_SECONDS = 2.0
RETENTION_SECONDS, IDEMPOTENCY_SECONDS = 10, 30
MAX_PURGED = 500
RATE = 45.0  # rows a second of each of two producers: three quarters of what the limits let out
FLOWER_TASKS = 1000  # that it remembers: as many as it has seen long before the run is half over
MEMORY, DESCRIPTORS, LATENCY = Flat(0.05, 3.0), Flat(0.05, 6.0), Flat(0.25, 0.1)
LASTING: tuple[type[Fault], ...] = (*CONNECTION_FAULTS, *API_FAULTS, ScriptsFlushed, ClientsKilled, RedisRestarted)
FAULTS = [fault.name for fault in LASTING]


@dataclass
class Sampler:
    """Looks every few seconds while its block runs; `series` holds times and values by name."""

    environment: Environment
    flower: Child
    series: dict[str, tuple[list[float], list[float]]] = field(default_factory=dict)

    def __post_init__(self) -> None:
        self._began = time.monotonic()
        self._ended = threading.Event()
        self._thread = threading.Thread(target=self._run, name="sampler", daemon=True)

    def __enter__(self) -> Self:
        self._thread.start()
        return self

    def __exit__(self, *_: object) -> None:
        self._ended.set()
        self._thread.join()

    def _run(self) -> None:
        while not self._ended.wait(EVERY_SECONDS):
            at = time.monotonic() - self._began
            for name, value in self._sample():
                times, values = self.series.setdefault(name, ([], []))
                times.append(at)
                values.append(value)

    def _sample(self) -> Iterator[tuple[str, float]]:
        parts = {**self.environment.workers, "flower": self.flower}
        for name, child in parts.items():
            pids = process_group(child.pid)
            yield f"{name} memory (MB)", megabytes(pids)
            yield f"{name} descriptors", descriptors(pids)
        try:
            with self.environment.client as client:
                self._purge(LaneStore(client))
                yield "redis memory (MB)", client.info("memory")["used_memory"] / 1e6
                yield "redis descriptors", descriptors([self.environment.redis.pid])
                if latencies := self._latencies(LaneStore(client)):
                    yield "latency (s), median", statistics.median(latencies)
        except (LanesError, redis.RedisError, OSError):
            return  # away, for a moment

    def _purge(self, store: LaneStore) -> None:
        """Purge dead letters, as a person would: they are kept until then."""
        ids = cast("list[bytes]", store.client.zrange(store.key("dead"), 0, MAX_PURGED))
        for job_id in ids:
            store.purge(job_id.decode(), RETENTION_SECONDS)

    def _latencies(self, store: LaneStore) -> list[float]:
        """Return the seconds from acceptance to delivery of the newest jobs, as far as they are delivered."""
        ids = [job_id for path in self.environment.journals for job_id in journal.recent(path, 200)]
        return [
            job.ended_at - job.accepted_at
            for job in store.read_jobs(ids)
            if job and job.ended_at and job.state == "delivered"
        ]


@dataclass(frozen=True)
class Soak:
    """The result of a run."""

    seed: int
    seconds: float
    verdicts: tuple[Verdict, ...]
    counts: dict[str, Any]
    wrong: tuple[str, ...]
    series: dict[str, tuple[list[float], list[float]]]
    not_tried: tuple[NotTried, ...] = ()

    @property
    def good(self) -> bool:
        """Whether all stayed flat and nothing went wrong."""
        return not self.wrong and all(verdict.flat for verdict in self.verdicts)


def soak(
    folder: Path,
    seed: int,
    seconds: float,
    *,
    workers: Sequence[str] = WORKERS,
    rate: float = RATE,
    calm: float = CALM_SECONDS,
) -> Soak:
    """Run, with a fault every few seconds and calm in between, and judge."""
    made = Environment(
        folder,
        seed,
        workers,
        rate=rate,
        retention_seconds=RETENTION_SECONDS,
        outcome_retention_seconds=RETENTION_SECONDS,
        idempotency_seconds=IDEMPOTENCY_SECONDS,
    )
    with made as environment:
        flower = environment.stack.start_flower(f"--max_tasks={FLOWER_TASKS}")
        run = Run(environment, log=lambda line: print(line, file=sys.stderr, flush=True), calm=calm)
        with Sampler(environment, flower) as sampler:
            run.inject_faults(_plan(seed), seconds)
        environment.stop_producers()
        run.wait_dry()
        recorded = journal.read(environment.journals)
        seen = environment.control.requests()
        with environment.client as client:
            counts = LaneStore(client).counts()
    applied = {one["body"].get("name") for one in seen if one["applied"] is not None}
    wrong = [*environment.unexpected_exits(), *run.stuck, *recorded.unexpected, *unaccounted(recorded, counts, applied)]
    verdicts = tuple(judge(name, *series, _flat(name)) for name, series in sorted(sampler.series.items()))
    return Soak(seed, seconds, verdicts, counts, tuple(wrong), sampler.series, tuple(run.not_tried))


def _plan(seed: int) -> Iterator[list[Planned]]:
    yield from rounds(seed, FAULTS, together=0.1)


def _flat(name: str) -> Flat:
    if "memory" in name:
        return MEMORY
    return LATENCY if "latency" in name else DESCRIPTORS


def plot(came: Soak, folder: Path) -> Path | None:
    """Draw the curves into `soak.png`."""
    charts = []
    for word, label in (("memory", "MB"), ("descriptors", "open"), ("latency", "seconds")):
        curves = [
            Curve(name.removesuffix(" (MB)"), [x / 60 for x in xs], ys)
            for name, (xs, ys) in sorted(came.series.items())
            if word in name
        ]
        charts.append(Chart(f"{word} while it soaks", "minutes", label, curves))
    caption = f"{came.seconds / 60:.0f} minutes at full drain with a fault every few seconds, seed {came.seed}"
    return draw("soak", Findings([], charts=charts), caption, folder)


def main(arguments: Sequence[str] | None = None) -> int:
    """Run, report, and return the exit status: 1 when something grew or went wrong."""
    reader = argparse.ArgumentParser(prog="python -m tests.chaos.soak", description=__doc__.partition("\n")[0])
    reader.add_argument("--seconds", type=float, default=900, help="(default: %(default)s)")
    reader.add_argument("--seed", type=int, default=1, help="of traffic and faults (default: %(default)s)")
    reader.add_argument("--plots", type=Path, help="draw the curves into this folder")
    reader.add_argument("--json", dest="as_json", action="store_true", help="print it as JSON")
    given = reader.parse_args(arguments)
    end_on_signals()
    os.nice(5)
    with tempfile.TemporaryDirectory(prefix="soak-", ignore_cleanup_errors=True) as folder:
        came = soak(Path(folder), given.seed, given.seconds)
    if given.plots:
        plot(came, given.plots)
    if given.as_json:
        verdicts = {one.name: {"median": one.median, "growth": one.growth, "flat": one.flat} for one in came.verdicts}
        not_tried = [{"fault": one.name, "why": one.why} for one in came.not_tried]
        shown = {"seed": came.seed, "series": verdicts, "counts": came.counts, "wrong": came.wrong}
        print(json.dumps({**shown, "not_tried": not_tried}, indent=2))
    else:
        lines = [f"not tried: {one.name} ({one.why})" for one in came.not_tried]
        print(*came.verdicts, *came.wrong, *lines, f"counts: {came.counts}", sep="\n")
    return 0 if came.good else 1


if __name__ == "__main__":
    sys.exit(main())
