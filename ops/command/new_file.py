"""Files that a command writes: new ones, never over another, since it may hold rows that somebody is mending."""

import contextlib
from collections.abc import Iterator
from pathlib import Path
from typing import BinaryIO

import click


@contextlib.contextmanager
def new_file(path: Path) -> Iterator[BinaryIO]:
    """Make a file and open it for writing; it goes again when nothing was written."""
    try:
        path.touch(mode=0o600, exist_ok=False)
    except FileExistsError:
        raise click.UsageError(f"{path} exists already; name a new file") from None
    except OSError as error:
        raise click.UsageError(f"{path}: {error.strerror}") from None
    try:
        with path.open("wb") as out:
            yield out
    finally:
        if not path.stat().st_size:
            path.unlink()
