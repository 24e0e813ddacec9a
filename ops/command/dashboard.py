"""`lanes dashboard`: Flower with our pages."""

from pathlib import Path

import click

from lanes.errors import RedisUnavailableError, Trouble
from lanes.queue.store import LaneStore, connect
from lanes.settings import DashboardSettings
from ops.command.console import examples
from ops.command.failures import WrongUse
from ops.command.session import Session, connected
from worker.app import load_dashboard_app
from worker.dashboard import options
from worker.dashboard.access import AccessPolicy, AccessPolicyError, read_credentials


@click.command(
    epilog=examples(
        "lanes dashboard",
        "lanes dashboard --address 0.0.0.0 --basic-auth-file /etc/lanes/people",
        "lanes dashboard -- --url_prefix=flower --read_only",
        "lanes dashboard -- --help            # Flower's own options",
    )
)
@click.option("--address", metavar="HOST", help="Where to listen; 127.0.0.1 unless there is authentication.")
@click.option("--port", type=click.IntRange(0, 65535), help="[default: 5555]")
@click.option(
    "--basic-auth-file",
    type=click.Path(path_type=Path, exists=True, dir_okay=False),
    help="A file with user:password on each line: who may look and change.",
)
@click.argument("flower_options", nargs=-1, type=click.UNPROCESSED)
@connected
def dashboard(
    session: Session,
    address: str | None,
    port: int | None,
    basic_auth_file: Path | None,
    flower_options: tuple[str, ...],
) -> None:
    """Serve Flower with pages for throughput, lanes, dead letters and jobs.

    Without authentication it listens on this machine only. Options of Flower itself go behind `--`; its environment
    variables (FLOWER_...) and its configuration file are read as Flower reads them.
    """
    session.so_far = "the dashboard has ended"
    given = list(flower_options)
    if address is not None:
        given.append(f"--address={address}")
    if port is not None:
        given.append(f"--port={port}")
    try:
        users = _read_users(basic_auth_file) if basic_auth_file else []
        access = options.access_policy(given, users)
        _serve(session.load(DashboardSettings), access)
    except AccessPolicyError as error:
        raise WrongUse(str(error)) from error


def _read_users(path: Path) -> list[str]:
    return read_credentials(path.read_text("utf-8", errors="replace"), str(path))


def _serve(settings: DashboardSettings, access: AccessPolicy) -> None:
    # Redis may be away: the pages say so until it is back. Data of another schema stay so.
    with connect(settings.redis_url) as client:
        store = LaneStore(client, settings.prefix)
        try:
            store.check_schema()
        except RedisUnavailableError as error:
            if error.trouble is Trouble.SCHEMA:
                raise
        options.run(load_dashboard_app(settings), store, settings, access)
