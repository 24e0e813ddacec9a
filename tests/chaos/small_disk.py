"""A disk that can be filled: a file system in memory, if this machine allows mounting one."""

import subprocess
import tempfile
from collections.abc import Iterator
from contextlib import contextmanager
from functools import cache
from pathlib import Path

MEGABYTES = 96


@contextmanager
def mounted(folder: Path) -> Iterator[None]:
    """Make `folder` a disk of its own, until the block ends."""
    folder.mkdir(parents=True, exist_ok=True)
    command = ["mount", "-t", "tmpfs", "-o", f"size={MEGABYTES}m", "tmpfs", str(folder)]
    subprocess.run(command, check=True, capture_output=True)
    try:
        yield
    finally:
        subprocess.run(["umount", "--lazy", str(folder)], check=True, capture_output=True)


@cache
def no_small_disk() -> str | None:
    """Return why no file system can be mounted here, None when it can."""
    with tempfile.TemporaryDirectory() as folder:
        try:
            with mounted(Path(folder)):
                return None
        except FileNotFoundError:
            return "there is no `mount` here"
        except subprocess.CalledProcessError as error:
            return f"no file system may be mounted here: {error.stderr.decode().strip()}"
