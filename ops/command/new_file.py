"""Files that commands write: always new, because an existing one may hold rows that a person is fixing."""

import contextlib
from collections.abc import Iterator
from pathlib import Path
from typing import BinaryIO

import click


@contextlib.contextmanager
def new_file(path: Path) -> Iterator[BinaryIO]:
    """Create a file and open it for writing; it is removed if nothing was written."""
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
