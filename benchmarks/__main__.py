"""`python -m benchmarks`: run the benchmarks, print a table."""

import json
import os
import platform
import tempfile
from collections.abc import Callable
from importlib.metadata import version
from pathlib import Path

import click

from benchmarks import drain, enqueue, memory
from benchmarks.figures import BenchmarkError, Findings, table
from benchmarks.plan import Plan
from lanes.errors import LanesError
from lanes.store import connect
from ops.processes import end_on_signals
from ops.redis_server import RedisServer

BENCHMARKS: dict[str, Callable[[Plan], Findings]] = {
    "enqueue": enqueue.measure,
    "memory": memory.measure,
    "drain": drain.measure,
}


@click.command()
@click.option("--runs", type=click.IntRange(1), default=5, show_default=True, help="Runs of each; medians are shown.")
@click.option("--only", type=click.Choice(list(BENCHMARKS)), help="Run one of them.")
@click.option("--quick", is_flag=True, help="Small sizes, one run: shows that it works, measures nothing.")
@click.option("--json", "as_json", is_flag=True, help="Print JSON instead of a table.")
def main(runs: int, only: str | None, quick: bool, as_json: bool) -> None:
    """Measure speed and size beside plain Celery, in turn, on the same Redis."""
    end_on_signals()
    chosen = [only] if only else list(BENCHMARKS)
    try:
        with tempfile.TemporaryDirectory(prefix="lanes-benchmarks-") as folder:
            plan = Plan.quick(Path(folder)) if quick else Plan.full(Path(folder), runs)
            machine = describe_machine(Path(folder))
            findings = {name: BENCHMARKS[name](plan) for name in chosen}
    except (BenchmarkError, LanesError) as error:
        raise click.ClickException(str(error)) from None
    except KeyboardInterrupt:
        raise click.Abort from None
    figures = [figure for found in findings.values() for figure in found.figures]
    if as_json:
        counts = {name: found.counts for name, found in findings.items()}
        answer = {"machine": machine, "runs": plan.runs, "quick": quick, "counts": counts}
        click.echo(json.dumps({**answer, "figures": [figure.as_json() for figure in figures]}, indent=2))
        return
    facts = ", ".join(f"{name} {value}" for name, value in machine.items())
    click.echo(f"{facts}; medians of runs: {plan.runs}\n\n{table(figures)}")


def describe_machine(folder: Path) -> dict[str, str]:
    """Return what the figures depend on."""
    with RedisServer(folder / "look") as server, connect(server.url) as client:
        redis_version = client.info("server")["redis_version"]
    return {
        "cores": str(os.cpu_count()),
        "Python": platform.python_version(),
        "Redis": redis_version,
        "Celery": version("celery"),
    }


if __name__ == "__main__":
    main(prog_name="python -m benchmarks")
