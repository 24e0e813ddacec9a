"""`lanes demo`: runs everything on this machine with sample data that shows what the lanes do."""

import shutil
import sys
import tempfile
import time
from pathlib import Path

import click
from rich.console import Console, Group
from rich.live import Live
from rich.text import Text

from lanes.checks.consistency import check_consistency
from lanes.queue.connecting import connect
from lanes.queue.lane import Lane
from lanes.queue.store import LaneStore
from ops.command.console import examples, print_json
from ops.command.session import Session
from ops.command.table import Column, draw, print_table
from ops.embedded.processes import end_on_signals
from ops.embedded.sample import FAILS_AT_FIRST, HOT, PIPELINE, write_sample
from ops.embedded.stack import Stack
from ops.sandbox import Fault, SandboxControl
from producers import EnqueueReport, OpportunityProducer
from producers.files.rows import read_rows

POLL_SECONDS = 0.25
LINE_EVERY_SECONDS = 3.0
LIMIT, WINDOW = 100, 10.0
COUNTS = ("pending", "in_flight", "delivered", "dead", "retried", "throttled")
COLUMNS = (
    Column("location"),
    *(Column(name.replace("_", " "), right=True) for name in COUNTS),
    Column("window", right=True),
)


@click.command(epilog=examples("lanes demo", "lanes demo --rows 250 --keep"))
@click.option("--rows", type=click.IntRange(101), default=400, show_default=True, help="Rows of the busiest location.")
@click.option("--keep", is_flag=True, help="Keep the folder with the data and the output of every process.")
@click.make_pass_decorator(Session, ensure=True)
def demo(session: Session, rows: int, *, keep: bool) -> None:
    """Run Redis, the sandbox, a worker and Flower on this machine with sample data, then stop them.

    In the sample one location has more jobs than its rate window allows (100 in 10 seconds), the API refuses some rows,
    some fail once and are retried, and two are invalid. The last line of output is JSON.
    """
    session.so_far = "everything that was started has ended"
    end_on_signals()
    folder = Path(tempfile.mkdtemp(prefix="lanes-demo-"))
    try:
        with Stack(folder) as stack:
            sys.exit(Demo(stack, rows).run())
    finally:
        if keep:
            click.echo(f"kept: {folder}", err=True)
        else:
            shutil.rmtree(folder, ignore_errors=True)


class Demo:
    """One run of the demo on its own stack."""

    def __init__(self, stack: Stack, rows_of_hot: int) -> None:
        self._stack = stack
        self._rows_of_hot = rows_of_hot
        self._console = Console(stderr=True, soft_wrap=True)

    def run(self) -> int:
        """Return the exit status: 0 if every check passed."""
        self._start()
        report = self._enqueue()
        self._watch()
        return self._conclude(report)

    def _start(self) -> None:
        stack, say = self._stack, self._console.print
        stack.start_redis()
        say(f"Redis    {stack.redis.url}  (append-only file on)")
        stack.start_sandbox("--latency", "0.15-0.25", "--known-pipeline", PIPELINE)
        self._control = SandboxControl(stack.sandbox_url)
        self._control.inject(Fault(kind="status", status=503, first=2, contact_prefix=FAILS_AT_FIRST))
        say(f"sandbox  {stack.sandbox_url}  (behaves like HighLevel: {LIMIT} requests per {WINDOW:g} s and location)")
        stack.start_dashboard()
        say(f"Flower   {stack.flower_url}/throughput")
        stack.start_worker()
        say("worker   ready")
        settings = stack.load_settings()
        self._store = LaneStore(connect(settings.redis_url), settings.prefix)
        self._producer = OpportunityProducer(self._store, settings)

    def _enqueue(self) -> EnqueueReport:
        sample = self._stack.folder / "sample.jsonl"
        write_sample(sample, self._rows_of_hot)
        with sample.open("rb") as file:
            report = self._producer.enqueue_rows(read_rows(file, "jsonl"), service="demo")
        for rejected in report.refused:
            self._console.print(Text(f"sample.jsonl: {rejected}", style="yellow"))
        self._console.print(f"accepted {report.accepted} of {report.rows} rows")
        return report

    def _watch(self) -> None:
        """Show the lanes until every job is done."""
        started = time.monotonic()
        line_at = started
        with Live(console=self._console, refresh_per_second=8, transient=True) as live:
            while True:
                self._stack.check()
                lanes = self._store.lanes()
                waiting = sum(lane.counts["pending"] + lane.counts["in_flight"] for lane in lanes)
                done = sum(lane.counts["delivered"] + lane.counts["dead"] for lane in lanes)
                line = f"{time.monotonic() - started:5.1f} s  {done} done, {waiting} to go"
                if self._console.is_terminal:
                    live.update(Group(draw(COLUMNS, rows_of(lanes)), line))
                elif time.monotonic() >= line_at or not waiting:
                    line_at = time.monotonic() + LINE_EVERY_SECONDS
                    self._console.print(line)
                if not waiting:
                    return
                time.sleep(POLL_SECONDS)

    def _conclude(self, report: EnqueueReport) -> int:
        summary = self._control.summary()
        counts = self._store.counts()
        hot = summary["locations"][HOT]
        used = utilisation(self._control.arrivals(HOT), LIMIT, WINDOW)
        print_table(COLUMNS, rows_of(self._store.lanes()))
        click.echo(
            f"{HOT}: {hot['requests']} requests, at most {hot['max_in_window']} in any {WINDOW:g} s "
            f"({LIMIT} are allowed), {used:.1%} of the allowed rate; 429s: {summary['throttled']}"
        )
        findings = list(check_consistency(self._store))
        for finding in findings:
            self._console.print(f"consistency check: {finding}")
        result = {
            **{name: counts[name] for name in ("accepted", "delivered", "dead", "pending")},
            "throttled": summary["throttled"],
            "refused_rows": len(report.refused),
            "retried": counts["retried"],
            "max_in_window": hot["max_in_window"],
            "window_used": round(used, 4),
        }
        passed = (
            not findings
            and counts["accepted"] == report.accepted == counts["delivered"] + counts["dead"]
            and summary["throttled"] == 0
            and hot["max_in_window"] <= LIMIT
        )
        print_json(result)
        return 0 if passed else 1


def utilisation(arrivals: list[float], limit: int, window: float) -> float:
    """Return the share of the allowed rate that a saturated location reached, from its arrival times in seconds.

    A rate slot is free again one `window` after its request. The request `limit` places later takes the same slot, at
    best one window later. The share is the window divided by the mean time between these two.
    """
    arrivals = sorted(arrivals)
    gaps = [later - earlier for earlier, later in zip(arrivals, arrivals[limit:], strict=False)]
    return window * len(gaps) / sum(gaps) if gaps else 1.0


def rows_of(lanes: list[Lane]) -> list[tuple[object, ...]]:
    """Return the rows of the table of lanes."""
    return [
        (lane.location_id, *(lane.counts[name] for name in COUNTS), f"{lane.window_used}/{LIMIT}") for lane in lanes
    ]
