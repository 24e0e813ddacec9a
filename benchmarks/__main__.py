"""`python -m benchmarks`: run the benchmarks, print a table."""

import json
import os
import platform
import tempfile
from collections.abc import Callable, Sequence
from importlib.metadata import version
from pathlib import Path
from typing import Any

import click

from benchmarks import accuracy, dispatch, drain, enqueue, memory, merge, neighbour, pages, scale, shared, watching
from benchmarks.figures import BenchmarkError, Findings, table
from benchmarks.plan import Plan, progress
from lanes.errors import LanesError
from lanes.queue.store import connect
from ops.embedded.processes import end_on_signals
from ops.embedded.redis_server import RedisServer

BENCHMARKS: dict[str, Callable[[Plan], Findings]] = {
    "neighbour": neighbour.measure,
    "accuracy": accuracy.measure,
    "dispatch": dispatch.measure,
    "enqueue": enqueue.measure,
    "drain": drain.measure,
    "memory": memory.measure,
    "scale": scale.measure,
    "merge": merge.measure,
    "shared": shared.measure,
    "pages": pages.measure,
    "watching": watching.measure,
}
Found = dict[str, Findings]


@click.command()
@click.option("--runs", type=click.IntRange(1), default=5, show_default=True, help="Runs of each; medians are shown.")
@click.option("--only", type=click.Choice(list(BENCHMARKS)), multiple=True, help="Run this one; may be repeated.")
@click.option("--quick", is_flag=True, help="Small sizes, one run: shows that it works, measures nothing.")
@click.option("--json", "as_json", is_flag=True, help="Print JSON instead of a table.")
@click.option(
    "--plots",
    type=click.Path(file_okay=False, path_type=Path),
    metavar="DIR",
    help="Draw each benchmark into a PNG in this folder.",
)
def main(runs: int, only: Sequence[str], quick: bool, as_json: bool, plots: Path | None) -> None:
    """Measure the lanes, plain Celery and dramatiq, one after another, on the same machine."""
    end_on_signals()
    try:
        with tempfile.TemporaryDirectory(prefix="lanes-benchmarks-") as folder:
            plan = Plan.quick(Path(folder)) if quick else Plan.full(Path(folder), runs)
            machine = describe_machine(Path(folder))
            found = {name: BENCHMARKS[name](plan) for name in BENCHMARKS if not only or name in only}
    except (BenchmarkError, LanesError) as error:
        raise click.ClickException(str(error)) from None
    except KeyboardInterrupt:
        raise click.Abort from None
    facts = ", ".join(f"{name} {value}" for name, value in machine.items())
    if plots is not None:
        draw_all(found, f"{facts}; {'quick, measures nothing' if quick else 'medians'}", plots)
    if as_json:
        click.echo(json.dumps(_as_json(found, machine, plan, quick=quick), indent=2))
        return
    figures = [figure for findings in found.values() for figure in findings.figures]
    click.echo(f"{facts}; medians of runs: {plan.runs}, of long ones: {plan.long_runs}\n\n{table(figures)}")


def draw_all(found: Found, caption: str, folder: Path) -> None:
    """Draw every benchmark; matplotlib is loaded only for this."""
    from benchmarks.plots import draw  # noqa: PLC0415 - it takes a second

    for name, findings in found.items():
        if path := draw(name, findings, caption, folder):
            progress(f"drawn: {path}")


def _as_json(found: Found, machine: dict[str, str], plan: Plan, *, quick: bool) -> dict[str, Any]:
    return {
        "machine": machine,
        "runs": plan.runs,
        "long_runs": plan.long_runs,
        "quick": quick,
        "counts": {name: findings.counts for name, findings in found.items()},
        "figures": [figure.as_json() for findings in found.values() for figure in findings.figures],
    }


def describe_machine(folder: Path) -> dict[str, str]:
    """Return what the figures depend on."""
    with RedisServer(folder / "look") as server, connect(server.url) as client:
        redis_version = client.info("server")["redis_version"]
    return {
        "cores": str(os.cpu_count()),
        "Python": platform.python_version(),
        "Redis": redis_version,
        "Celery": version("celery"),
        "dramatiq": version("dramatiq"),
    }


if __name__ == "__main__":
    main(prog_name="python -m benchmarks")
