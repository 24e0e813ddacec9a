"""`lanes up`: runs everything on this machine, with data that survive a restart."""

import shlex
import socket
import time
from pathlib import Path

import click

from ops.command.console import examples
from ops.command.typeable import typeable
from ops.embedded.processes import end_on_signals
from ops.embedded.redis_server import free_port
from ops.embedded.sample import PIPELINE, write_sample
from ops.embedded.stack import Stack

PORTS = (6390, 8090, 5555, 8000)  # of Redis, the sandbox, Flower and the gateway, if they are free
POLL_SECONDS = 0.5


@click.command(epilog=examples("lanes up", "lanes up --data /srv/lanes --workers 2"))
@click.option("--data", type=click.Path(path_type=Path, file_okay=False), default="data", help="Folder of the data.")
@click.option("--workers", type=click.IntRange(1, 16), default=1, show_default=True, help="Number of Celery workers.")
def up(data: Path, workers: int) -> None:
    """Run Redis, the sandbox, workers, the dashboard and the gateway on this machine until Ctrl-C.

    The data stay in the folder (./data by default) for the next start. Nothing is sent to the real API.
    """
    end_on_signals()
    try:
        with Stack(data.absolute(), {}, *map(_free_or_other, PORTS)) as stack:
            _start(stack, workers)
            while True:
                stack.check()
                time.sleep(POLL_SECONDS)
    except KeyboardInterrupt:
        click.echo("stopped; the data are kept")


def _start(stack: Stack, workers: int) -> None:
    stack.start_redis()
    stack.start_sandbox("--latency", "0.15-0.25", "--known-pipeline", PIPELINE)
    stack.start_dashboard("--", "--persistent=True", f"--db={stack.folder / 'flower'}", "--state_save_interval=5000")
    stack.start_gateway()
    for number in range(1, workers + 1):
        stack.start_worker(f"worker{number}")
    sample = stack.folder / "sample.jsonl"
    write_sample(sample, 250)
    click.echo(typeable(_instructions(stack, sample)))


def _instructions(stack: Stack, sample: Path) -> str:
    return f"""Everything is up; stop it with Ctrl-C. Data and log files: {stack.folder}

Open
  {stack.flower_url}/throughput     throughput, stopped lanes, failures
  {stack.flower_url}/tasks          Flower: every job by its id
  {stack.sandbox_url}/_sandbox/summary   the requests that the sandbox received
  {stack.gateway_url}/docs           the HTTP API for services in any language

Type in another terminal
  export LANES_REDIS_URL={stack.redis.url}
  lanes enqueue {shlex.quote(str(sample))}
  lanes status --watch
  lanes dead list
  lanes service add demo && KEY=$(lanes service key demo)
  curl {stack.gateway_url}/v1/upserts -H "Authorization: Bearer $KEY" --json \
    '{{"pipelineId": "{PIPELINE}", "locationId": "demo", "contactId": "curl"}}'
The sandbox knows the pipeline {PIPELINE} only: jobs with another one are refused and become dead letters.
"""


def _free_or_other(port: int) -> int:
    """Return the port, or another one if it is in use."""
    with socket.socket() as probe:
        probe.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        try:
            probe.bind(("127.0.0.1", port))
        except OSError:
            return free_port()
        return port
