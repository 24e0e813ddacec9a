"""`lanes restore`: a backup becomes the data of a Redis that has none."""

from pathlib import Path

import click

from ops import redis_backup
from ops.command.console import examples, say

_FILE = click.Path(path_type=Path, exists=True, dir_okay=False)
_FOLDER = click.Path(path_type=Path, exists=True, file_okay=False)


@click.command(
    epilog=examples(
        "lanes restore lanes-20261125T030000Z.rdb /var/lib/redis --dry-run",
        "lanes restore lanes-20261125T030000Z.rdb /var/lib/redis",
    )
)
@click.argument("file", type=_FILE)
@click.argument("folder", type=_FOLDER)
@click.option("--dry-run", is_flag=True, help="Only look whether it could be done.")
def restore(file: Path, folder: Path, *, dry_run: bool) -> None:
    """Put the backup FILE into FOLDER, the data folder of a Redis that does not run; it loads it as it starts.

    A folder that holds data is left alone. The Redis needs `appendonly yes`, as in ops/redis.conf, and must be no older
    than the one that the backup is of.
    """
    if dry_run:
        redis_backup.check_restore(file, folder)
        say(f"{folder} is empty and {file} is whole: it can be restored")
        return
    redis_backup.restore_backup(file, folder)
    say(
        f"{folder} holds {file.name} now. Start Redis on it, then: lanes check\n"
        "What was accepted since the backup is not in it; what was delivered since is delivered again."
    )
