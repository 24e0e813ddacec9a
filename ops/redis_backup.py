"""Backups: a consistent snapshot of Redis, taken over the network while it works, and its restore into an empty Redis.

A backup is the RDB file that a new replica gets. Redis creates it in a forked process, without a pause and without
writing to its disk. For a restore, the file becomes the start of an append-only file, which Redis loads from version
6.2 on; newer versions convert it when they start.
"""

import os
import re
import time
from collections.abc import Callable, Iterator
from datetime import UTC, datetime
from pathlib import Path
from typing import Any, BinaryIO, cast

import redis

from lanes.errors import LanesError, RedisUnavailableError
from lanes.storage.redis_errors import own_errors

MAGIC = b"REDIS"
TRAILER_BYTES = 9  # an end marker, and a checksum
END_OF_DATA = 0xFF
CHUNK = 1 << 20
MAX_LENGTH_DIGITS = 19  # digits of a number of bytes
SILENT_SECONDS = 60.0  # Redis sends line ends while it prepares the snapshot
STALE_SECONDS = 3600.0
NAME = re.compile(r"lanes-\d{8}T\d{6}Z\.rdb")
AOF = "appendonly.aof"
DATA = (AOF, "appendonlydir", "dump.rdb")  # the data files of all versions of Redis


class BackupError(LanesError):
    """A backup or a restore failed; nothing was changed."""


def write_backup(client: "redis.Redis", path: Path, progress: Callable[[int], None] = lambda _: None) -> int:
    """Write a backup of Redis to a new file and return its size in bytes.

    The file appears only once it is complete and on disk. It contains the bodies of jobs: only the owner and the group
    may read it.

    Raises:
        BackupError: the file exists, or the received data are not a complete backup.
        RedisUnavailableError: the connection failed, or this user has no right to the data.
    """
    if path.exists():
        raise BackupError(f"{path} exists already; name a new file")
    part = path.with_name(f".{path.name}.{os.getpid()}.part")
    descriptor = os.open(part, os.O_CREAT | os.O_EXCL | os.O_WRONLY, 0o640)
    try:
        with os.fdopen(descriptor, "wb") as out:
            for piece in _stream(client):
                out.write(piece)
                progress(out.tell())
            out.flush()
            os.fsync(out.fileno())
        check(part)
        part.rename(path)
        sync_folder(path.parent)
    finally:
        part.unlink(missing_ok=True)
    return path.stat().st_size


def write_backup_into(
    folder: Path, client: "redis.Redis", keep: int | None = None, progress: Callable[[int], None] = lambda _: None
) -> tuple[Path, list[Path]]:
    """Write a backup named by the time into a folder; return its path and those of the older backups it removed.

    `keep` is how many stay, with this one. The others are removed once this one is complete.
    """
    path = folder / f"lanes-{datetime.now(UTC):%Y%m%dT%H%M%SZ}.rdb"
    write_backup(client, path, progress)
    for part in folder.glob(".lanes-*.part"):  # of a killed process
        if time.time() - part.stat().st_mtime > STALE_SECONDS:
            part.unlink(missing_ok=True)
    ours = sorted(one for one in folder.iterdir() if NAME.fullmatch(one.name))
    old = [] if keep is None else ours[: max(0, len(ours) - keep)]
    for one in old:
        one.unlink()
    return path, old


def check(path: Path) -> None:
    """Check the start and the end of a backup file.

    One truncated file in 256 passes; Redis detects it by the checksum when it loads the file.

    Raises:
        BackupError: the file is not a complete backup.
    """
    size = path.stat().st_size
    with path.open("rb") as file:
        begins = file.read(len(MAGIC))
        file.seek(max(0, size - TRAILER_BYTES))
        ends = file.read(1)
    if begins != MAGIC:
        raise BackupError(f"{path} is not a backup of Redis: it must begin with {MAGIC.decode()}")
    if size < len(MAGIC) + TRAILER_BYTES or ends[0] != END_OF_DATA:
        raise BackupError(f"{path} is truncated: take another backup")


def check_restore(backup: Path, folder: Path) -> None:
    """Check that a backup is complete and the folder has no data.

    Raises:
        BackupError: one of them is not so.
    """
    check(backup)
    if found := [name for name in DATA if (folder / name).exists()]:
        raise BackupError(
            f"{folder} has data of Redis ({', '.join(found)}), which are not overwritten: stop that Redis and move "
            "these files away first"
        )


def restore_backup(backup: Path, folder: Path) -> None:
    """Put a backup into the data folder of a stopped, empty Redis, which loads it when it starts.

    Raises:
        BackupError: the folder has data, which stay unchanged, or the file is not a complete backup.
    """
    check_restore(backup, folder)
    part = folder / f".{AOF}.part"
    with backup.open("rb") as source, part.open("wb") as out:
        while piece := source.read(CHUNK):
            out.write(piece)
        out.flush()
        os.fsync(out.fileno())
    # A hard link, not a rename: it fails if a Redis was started meanwhile and has created the file.
    try:
        os.link(part, folder / AOF)
    except FileExistsError:
        raise BackupError(f"{folder / AOF} was just created: a Redis runs on this folder; stop it first") from None
    finally:
        part.unlink()
    sync_folder(folder)


def sync_folder(folder: Path) -> None:
    """Sync a folder, so that new file names survive a power failure."""
    descriptor = os.open(folder, os.O_RDONLY)
    try:
        os.fsync(descriptor)
    finally:
        os.close(descriptor)


def _stream(client: "redis.Redis") -> Iterator[bytes]:
    """Yield the data that a new replica gets."""
    connection: Any = client.connection_pool.make_connection()
    try:
        with own_errors():
            connection.connect()
        # Read from the socket: redis-py cannot parse these replies.
        raw = connection._sock  # noqa: SLF001 - there is no public way
        raw.settimeout(SILENT_SECONDS)
        with raw.makefile("rb") as replies:
            for capability in (b"capa eof", b"rdb-only 1"):
                raw.sendall(b"REPLCONF " + capability + b"\r\n")
                replies.readline()  # an error of an older Redis does not matter
            raw.sendall(b"SYNC\r\n")
            yield from data_of(cast("BinaryIO", replies))
    except TimeoutError:
        raise RedisUnavailableError(f"Redis sent nothing for {SILENT_SECONDS:g} s") from None
    except OSError as error:
        raise RedisUnavailableError(f"the connection to Redis failed: {error}") from None
    finally:
        connection.disconnect()


def data_of(replies: BinaryIO) -> Iterator[bytes]:
    """Yield the data of the answer to a replica.

    Raises:
        RedisUnavailableError: Redis refuses, the connection ends early, or the server is not Redis.
    """
    header = replies.readline()
    while header == b"\n":
        header = replies.readline()
    if header.startswith(b"-"):
        error = header[1:].decode("utf-8", "replace").strip().rstrip(".")
        hint = "; use its user `backup` (redis_url_backup)" if error.startswith("NOPERM") else ""
        raise RedisUnavailableError(f"Redis refuses the backup: {error}{hint}")
    if not header.startswith(b"$"):
        raise RedisUnavailableError("Redis closed the connection: see its log")
    if header.startswith(b"$EOF:"):
        yield from _until(replies, header[5:].strip())
        return
    length = header[1:].strip()
    if not length.isdigit() or len(length) > MAX_LENGTH_DIGITS:
        raise RedisUnavailableError("the server did not send a length: is it Redis?")
    left = int(length)
    while left:
        piece = replies.read(min(left, CHUNK))
        if not piece:
            raise RedisUnavailableError(_CUT)
        left -= len(piece)
        yield piece


_CUT = "Redis closed the connection before the end of its data"


def _until(replies: BinaryIO, end_marker: bytes) -> Iterator[bytes]:
    """Yield the data up to the end marker of the stream."""
    held = b""
    while True:
        piece = replies.read1(CHUNK)  # type: ignore[attr-defined]
        if not piece:
            raise RedisUnavailableError(_CUT)
        held += piece
        if held.endswith(end_marker):
            yield held[: -len(end_marker)]
            return
        # The marker may arrive in two pieces.
        yield held[: -len(end_marker)]
        held = held[-len(end_marker) :]
