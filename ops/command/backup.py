"""`lanes backup`: a picture of the whole Redis, of one moment, while everything goes on."""

from pathlib import Path

import click

from ops import redis_backup
from ops.command.console import examples, print_json, say
from ops.command.progress import Steps
from ops.command.session import Session, connected


@click.command(epilog=examples("lanes backup lanes.rdb", "lanes backup /var/backups/lanes --keep 14"))
@click.argument("where", type=click.Path(path_type=Path))
@click.option("--keep", type=click.IntRange(min=1), metavar="N", help="In a folder: how many backups stay.")
@click.option("--json", "as_json", is_flag=True, help="Print the file, its size and what was removed as JSON.")
@connected
def backup(session: Session, where: Path, keep: int | None, *, as_json: bool) -> None:
    """Write all that Redis holds to a new file, or, if WHERE is a folder, to a file in it that is named by the time.

    It holds jobs with their content, and tokens as they are stored: encrypted. LANES_SECRET_KEY is not in it; keep it
    elsewhere. With --keep the oldest backups of the folder are removed once the new one is whole.
    """
    session.so_far = "no backup was made"
    into = where.is_dir()
    if keep is not None and not into:
        raise click.UsageError(f"--keep is for a folder, and {where} is none")
    client = session.client
    removed: list[Path] = []
    with Steps("writing", None, bytes_too=True) as progress:
        if into:
            where, removed = redis_backup.write_backup_into(where, client, keep, progress.update)
        else:
            redis_backup.write_backup(client, where, progress.update)
    size = where.stat().st_size
    if as_json:
        print_json({"file": str(where), "bytes": size, "removed": [str(path) for path in removed]})
        return
    say(f"{where}: {size:,} bytes" + "".join(f"\nremoved {path}" for path in removed))
