"""`python -m benchmarks`: run the benchmarks, print a table, keep the results."""

import json
import os
import platform
import tempfile
import time
from collections.abc import Callable, Sequence
from importlib.metadata import version
from pathlib import Path

import click

from benchmarks import (
    accuracy,
    dispatch,
    drain,
    enqueue,
    fleet,
    gateway,
    history,
    latency,
    memory,
    merge,
    neighbour,
    pages,
    scale,
    shared,
    transitions,
    watching,
)
from benchmarks.figures import BenchmarkError, Findings, table
from benchmarks.plan import Plan, progress
from benchmarks.results import Entry, Results, load, regressions, save
from lanes.errors import LanesError
from lanes.queue.connecting import connect
from ops.embedded.processes import end_on_signals
from ops.embedded.redis_server import RedisServer

BENCHMARKS: dict[str, Callable[[Plan], Findings]] = {
    "redis": transitions.measure,
    "memory": memory.measure,
    "history": history.measure,
    "enqueue": enqueue.measure,
    "gateway": gateway.measure,
    "drain": drain.measure,
    "fleet": fleet.measure,
    "latency": latency.measure,
    "dispatch": dispatch.measure,
    "neighbour": neighbour.measure,
    "accuracy": accuracy.measure,
    "shared": shared.measure,
    "merge": merge.measure,
    "scale": scale.measure,
    "pages": pages.measure,
    "watching": watching.measure,
}


@click.command()
@click.option("--runs", type=click.IntRange(1), default=3, show_default=True, help="Runs of each; medians are shown.")
@click.option("--only", type=click.Choice(list(BENCHMARKS)), multiple=True, help="Run this one; may be repeated.")
@click.option("--quick", is_flag=True, help="Small sizes, one run: shows that it works, measures nothing.")
@click.option("--json", "as_json", is_flag=True, help="Print JSON instead of a table.")
@click.option(
    "--into",
    type=click.Path(dir_okay=False, path_type=Path),
    metavar="FILE",
    help="Replace the results of each benchmark in this file when it ends, and say what became worse.",
)
@click.option(
    "--plots",
    type=click.Path(file_okay=False, path_type=Path),
    metavar="DIR",
    help="Draw each benchmark into a PNG in this folder.",
)
def main(*, runs: int, only: Sequence[str], quick: bool, as_json: bool, into: Path | None, plots: Path | None) -> None:
    """Measure the lanes, plain Celery and dramatiq, one after another, on the same machine."""
    end_on_signals()
    names = [name for name in BENCHMARKS if not only or name in only]
    try:
        before = {} if into is None else load(into)
        with tempfile.TemporaryDirectory(prefix="lanes-benchmarks-") as folder:
            plan = Plan.quick(Path(folder)) if quick else Plan.full(Path(folder), runs)
            machine = describe_machine(Path(folder))
            facts = ", ".join(f"{name} {value}" for name, value in machine.items())
            found: Results = {}
            for place, name in enumerate(names):
                progress(f"{name}: {place + 1} of {len(names)}{_time_left(names[place:], before)}")
                began = time.monotonic()
                findings = BENCHMARKS[name](plan)
                seconds = time.monotonic() - began
                found[name] = Entry(machine, quick, seconds, findings.figures, findings.counts)
                if into is not None:
                    save(into, {**load(into), name: found[name]})
                if plots is not None:
                    draw(name, findings, f"{facts}; {'quick, measures nothing' if quick else 'medians'}", plots)
    except (BenchmarkError, LanesError) as error:
        raise click.ClickException(str(error)) from None
    except KeyboardInterrupt:
        raise click.Abort from None
    if as_json:
        click.echo(json.dumps({name: entry.as_json() for name, entry in found.items()}, indent=2))
    else:
        figures = [figure for entry in found.values() for figure in entry.figures]
        click.echo(f"{facts}; medians of runs: {plan.runs}\n\n{table(figures)}")
    _compare(before, found)


def _time_left(names: Sequence[str], before: Results) -> str:
    """Return how long these took in the last results; nothing if one is not there."""
    if not all(name in before for name in names):
        return ""
    return f", about {sum(before[name].seconds for name in names) / 60:.0f} min left"


def _compare(before: Results, found: Results) -> None:
    """Say what is worse than in the results that were replaced. Quick runs are not compared."""
    full = {name: entry for name, entry in found.items() if not entry.quick}
    pairs = [(before[name], entry) for name, entry in full.items() if name in before and not before[name].quick]
    lines = [line for was, now in pairs for line in regressions(was, now)]
    for line in lines:
        click.echo(f"WORSE than before by more than noise: {line}", err=True)
    if pairs and not lines:
        click.echo("nothing is worse than before by more than noise", err=True)


def draw(name: str, findings: Findings, caption: str, folder: Path) -> None:
    """Draw a benchmark; matplotlib is loaded only for this."""
    from benchmarks import plots  # noqa: PLC0415 - it takes a second

    if path := plots.draw(name, findings, caption, folder):
        progress(f"drawn: {path}")


def describe_machine(folder: Path) -> dict[str, str]:
    """Return what the figures depend on."""
    with RedisServer(folder / "look") as server, connect(server.url) as client:
        info = client.info("server")
    return {
        "cores": str(os.cpu_count()),
        "Python": platform.python_version(),
        "Redis": f"Valkey {info['valkey_version']}" if "valkey_version" in info else str(info["redis_version"]),
        "Celery": version("celery"),
        "dramatiq": version("dramatiq"),
    }


if __name__ == "__main__":
    main(prog_name="python -m benchmarks")
