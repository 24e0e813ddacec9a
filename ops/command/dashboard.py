"""`lanes dashboard`: Flower with our pages."""

from pathlib import Path

import click

from lanes.errors import RedisUnavailableError
from lanes.queue.connecting import connect
from lanes.queue.store import LaneStore
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
@click.option("--address", metavar="HOST", help="Address to listen on; without authentication only 127.0.0.1.")
@click.option("--port", type=click.IntRange(0, 65535), help="[default: 5555]")
@click.option(
    "--basic-auth-file",
    "users_file",
    type=click.Path(path_type=Path, exists=True, dir_okay=False),
    help="A file with user:password on each line: who may see and change everything.",
)
@click.argument("flower_options", nargs=-1, type=click.UNPROCESSED)
@connected
def dashboard(
    session: Session, address: str | None, port: int | None, users_file: Path | None, flower_options: tuple[str, ...]
) -> None:
    """Serve Flower with pages for throughput, lanes, dead letters and jobs.

    Without authentication it listens on this machine only. Put Flower's own options after `--`. Its environment
    variables (FLOWER_...) and its configuration file work as usual.
    """
    session.so_far = "the dashboard has ended"
    given = list(flower_options)
    if address is not None:
        given.append(f"--address={address}")
    if port is not None:
        given.append(f"--port={port}")
    try:
        credentials = read_credentials(users_file.read_bytes(), str(users_file)) if users_file else []
        access = options.access_policy(given, credentials)
        _serve(session.load(DashboardSettings), access)
    except AccessPolicyError as error:
        raise WrongUse(str(error)) from error


def _serve(settings: DashboardSettings, access: AccessPolicy) -> None:
    # The pages work without Redis until it is back. But an unfit server or schema will not change: refuse it.
    with connect(settings.redis_url) as client:
        store = LaneStore(client, settings.prefix)
        try:
            store.check_usable()
        except RedisUnavailableError as error:
            if error.trouble.is_permanent:
                raise
        options.run(load_dashboard_app(settings), store, settings, access)
