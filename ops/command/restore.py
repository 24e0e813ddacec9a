"""`lanes restore`: puts a backup into the data folder of an empty Redis."""

from pathlib import Path

import click

from ops import redis_backup
from ops.command.console import examples, say


@click.command(
    epilog=examples(
        "lanes restore lanes-20261125T030000Z.rdb /var/lib/redis --dry-run",
        "lanes restore lanes-20261125T030000Z.rdb /var/lib/redis",
    )
)
@click.argument("file", type=click.Path(path_type=Path, exists=True, dir_okay=False))
@click.argument("folder", type=click.Path(path_type=Path, exists=True, file_okay=False))
@click.option("--dry-run", is_flag=True, help="Only check whether it can be restored.")
def restore(file: Path, folder: Path, *, dry_run: bool) -> None:
    """Put the backup FILE into FOLDER, the data folder of a stopped Redis, which loads it when it starts.

    A folder with data is refused. Redis needs `appendonly yes`, as in ops/redis.conf, and must not be older than the
    Redis of the backup.
    """
    if dry_run:
        redis_backup.check_restore(file, folder)
        say(f"{folder} is empty and {file} is complete: it can be restored")
        return
    redis_backup.restore_backup(file, folder)
    say(
        f"restored {file.name} into {folder}. Start Redis on it, then run: lanes check\n"
        "Jobs accepted since the backup are lost; jobs delivered since are delivered again."
    )
