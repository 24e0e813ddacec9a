"""The data that a Redis server left in a folder: may this server load them, and are they whole?"""

import re
import subprocess
from pathlib import Path

from lanes.errors import LanesError

AOF = "appendonly.aof"  # before version 7, one file
AOF_FOLDER = "appendonlydir"  # since version 7, a folder
NEWER_REDIS = 12  # the first format of Redis 7.4, which no Valkey reads


class UnreadableDataError(LanesError):
    """This server would not find the data in the folder, or could not read them."""


def server_version(program: str) -> tuple[str, int, int]:
    """Return whether a server program is `Redis` or `Valkey`, and its version: major and minor."""
    shown = subprocess.run([program, "--version"], capture_output=True, text=True, check=False).stdout
    found = re.match(r"(Redis|Valkey) server v=(\d+)\.(\d+)", shown)
    return (found[1], int(found[2]), int(found[3])) if found else ("Redis", 0, 0)


def check_readable(folder: Path, program: str) -> None:
    """Check that this server can load the data in the folder, if there are any. Changes nothing.

    A server before version 7 does not look into the folder of a newer one, and starts empty. A Redis takes the files
    of Valkey 9 for damaged, and recommends a repair that would remove jobs.

    Raises:
        UnreadableDataError: it cannot; the message says which server can.
    """
    made_by = written_by(folder)
    if made_by is None:
        return
    kind, major, minor = server_version(program)
    readable = {
        "Redis 7 or newer": major >= 7,
        "Redis 7.4 or newer": kind == "Redis" and (major, minor) >= (7, 4),
        "Valkey 9 or newer": kind == "Valkey" and major >= 9,
    }
    if not readable[made_by]:
        raise UnreadableDataError(
            f"{program} ({kind} {major}.{minor}) cannot read the data in {folder}, which {made_by} wrote; nothing was "
            f"changed. Start it with {made_by}, or choose another folder for new data: lanes up --data FOLDER"
        )


def written_by(folder: Path) -> str | None:
    """Return which servers can have written the data in the folder; None for those of an older one, or for no data."""
    start = b""
    for file in (folder / AOF, *(folder / AOF_FOLDER).glob("*.base.rdb")):
        if file.is_file():
            with file.open("rb") as opened:
                start = opened.read(9)
    if start.startswith(b"VALKEY"):
        return "Valkey 9 or newer"
    if start.startswith(b"REDIS") and start[5:9].isdigit() and int(start[5:9]) >= NEWER_REDIS:
        return "Redis 7.4 or newer"
    return "Redis 7 or newer" if (folder / AOF_FOLDER).exists() else None


def repair_append_only_file(folder: Path, program: str) -> None:
    """Remove an incomplete transaction from the end of an append-only file, if this server would not.

    After a crash, Redis (6.2 and 7.0 were tried) truncates the file after the last complete command, not before the
    transaction. It appends to the open transaction, and a later load executes half of it. Valkey 9 truncates before it.
    """
    file = folder / AOF
    if (folder / AOF_FOLDER).exists():
        file = folder / AOF_FOLDER / f"{AOF}.manifest"
        if server_version(program)[0] == "Valkey":
            return
    if file.exists():
        # The server program acts as the checker if it is called by this name.
        command = ["redis-check-aof", "--fix", str(file)]
        subprocess.run(command, executable=program, input=b"y\n", capture_output=True, check=False)
