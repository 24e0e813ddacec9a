"""`lanes backup`: a consistent snapshot of Redis, taken while it works."""

from pathlib import Path

import click

from ops import redis_backup
from ops.command.console import examples, print_json, say
from ops.command.progress import Steps
from ops.command.session import Session, connected


@click.command(epilog=examples("lanes backup lanes.rdb", "lanes backup /var/backups/lanes --keep 14"))
@click.argument("where", type=click.Path(path_type=Path))
@click.option("--keep", type=click.IntRange(min=1), metavar="N", help="Keep the newest N backups of the folder.")
@click.option("--json", "as_json", is_flag=True, help="Print the file, its size and the removed files as JSON.")
@connected
def backup(session: Session, where: Path, keep: int | None, *, as_json: bool) -> None:
    """Back up Redis to the new file WHERE, or to a file named by the time if WHERE is a folder.

    The backup holds jobs with their bodies, and encrypted tokens. It does not hold LANES_SECRET_KEY: keep that
    elsewhere. With --keep, older backups of the folder are removed once the new one is complete.
    """
    session.so_far = "no backup was made"
    into = where.is_dir()
    if keep is not None and not into:
        raise click.UsageError(f"--keep needs a folder ({where} is not one)")
    removed: list[Path] = []
    with Steps("writing", None, bytes_too=True) as progress:
        if into:
            where, removed = redis_backup.write_backup_into(where, session.client, keep, progress.update)
        else:
            redis_backup.write_backup(session.client, where, progress.update)
    size = where.stat().st_size
    if as_json:
        print_json({"file": str(where), "bytes": size, "removed": [str(path) for path in removed]})
        return
    say(f"{where}: {size:,} bytes" + "".join(f"\nremoved {path}" for path in removed))
