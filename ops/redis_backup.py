"""Backups: one consistent picture of a whole Redis, taken over the wire while it works, and put back into an empty one.

A backup is what a replica gets when it first connects (an RDB file), which Redis makes in a forked process: nothing
stops meanwhile, nothing is written on its disk, and the picture is of one moment. Redis loads the same bytes as the
beginning of an append-only file, which is how a backup is put back: versions from 6.2 on do, and later ones turn it
into their own form as they start.
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
TRAILER_BYTES = 9  # the mark of the end, and a checksum
END_OF_DATA = 0xFF
CHUNK = 1 << 20
MAX_LENGTH_DIGITS = 19  # digits of a number of bytes
SILENT_SECONDS = 60.0  # Redis sends line ends while it prepares
STALE_SECONDS = 3600.0
NAME = re.compile(r"lanes-\d{8}T\d{6}Z\.rdb")
AOF = "appendonly.aof"
# What Redis has in its folder, of whatever version.
DATA = (AOF, "appendonlydir", "dump.rdb")


class BackupError(LanesError):
    """No backup could be taken, or put back; the message says why, and nothing was changed."""


def write_backup(client: "redis.Redis", path: Path, progress: Callable[[int], None] = lambda _: None) -> int:
    """Write a backup of all that this Redis holds to a new file, and return its size in bytes.

    The file is there whole, and on disk, or not at all. Jobs in it hold the content of opportunities: its group may
    read it, nobody else.

    Raises:
        SnapshotError: the file is there, or what came is no whole backup.
        RedisUnavailableError: Redis went away, or does not give its data to this user.
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
    """Write a backup named by its time into a folder; return it, and the older ones that were removed for it.

    `keep` is how many stay, this one among them. None is removed before the new one is whole.
    """
    path = folder / f"lanes-{datetime.now(UTC):%Y%m%dT%H%M%SZ}.rdb"
    write_backup(client, path, progress)
    for part in folder.glob(".lanes-*.part"):  # of one that was killed
        if time.time() - part.stat().st_mtime > STALE_SECONDS:
            part.unlink(missing_ok=True)
    ours = sorted(one for one in folder.iterdir() if NAME.fullmatch(one.name))
    old = [] if keep is None else ours[: max(0, len(ours) - keep)]
    for one in old:
        one.unlink()
    return path, old


def check(path: Path) -> None:
    """See that a file is a whole backup, by its beginning and its end.

    One cut-off file in 256 looks whole by that; Redis, which looks at the checksum inside as it loads, finds it.

    Raises:
        SnapshotError: it is not.
    """
    size = path.stat().st_size
    with path.open("rb") as file:
        begins = file.read(len(MAGIC))
        file.seek(max(0, size - TRAILER_BYTES))
        ends = file.read(1)
    if begins != MAGIC:
        raise BackupError(f"{path} is no backup of Redis: it does not begin as one")
    if size < len(MAGIC) + TRAILER_BYTES or ends[0] != END_OF_DATA:
        raise BackupError(f"{path} is cut off: its end is missing")


def check_restore(backup: Path, folder: Path) -> None:
    """See that a backup is whole, and a folder free for it.

    Raises:
        SnapshotError: the folder holds data, or the file is no whole backup.
    """
    check(backup)
    there = [name for name in DATA if (folder / name).exists()]
    if there:
        raise BackupError(
            f"{folder} holds the data of a Redis ({', '.join(there)}), which are not overwritten: "
            "stop that Redis and move them away first, if they are of no more use"
        )


def restore_backup(backup: Path, folder: Path) -> None:
    """Put a backup into the data folder of a Redis that does not run and has no data; it loads it as it starts.

    Raises:
        SnapshotError: the folder holds data (which is left alone), or the file is no whole backup.
    """
    check_restore(backup, folder)
    part = folder / f".{AOF}.part"
    with backup.open("rb") as source, part.open("wb") as out:
        while piece := source.read(CHUNK):
            out.write(piece)
        out.flush()
        os.fsync(out.fileno())
    # A hard link, not a rename: it fails where a Redis that was started meanwhile has made the file.
    try:
        os.link(part, folder / AOF)
    except FileExistsError:
        raise BackupError(f"{folder / AOF} has just been made: a Redis runs on this folder; stop it first") from None
    finally:
        part.unlink()
    sync_folder(folder)


def sync_folder(folder: Path) -> None:
    """Make sure that a new name in a folder survives a loss of power."""
    descriptor = os.open(folder, os.O_RDONLY)
    try:
        os.fsync(descriptor)
    finally:
        os.close(descriptor)


def _stream(client: "redis.Redis") -> Iterator[bytes]:
    """Yield what a new replica gets, piece by piece."""
    connection: Any = client.connection_pool.make_connection()
    try:
        with own_errors():
            connection.connect()
        # From here on the bytes are ours: they are no replies that the client would understand.
        raw = connection._sock  # noqa: SLF001 - there is no public way to them
        raw.settimeout(SILENT_SECONDS)
        with raw.makefile("rb") as replies:
            for capability in (b"capa eof", b"rdb-only 1"):
                raw.sendall(b"REPLCONF " + capability + b"\r\n")
                replies.readline()  # a Redis that does not know it says so, and does without
            raw.sendall(b"SYNC\r\n")
            yield from data_of(cast("BinaryIO", replies))
    except TimeoutError:
        raise RedisUnavailableError(f"Redis was silent for {SILENT_SECONDS:g} s") from None
    except OSError as error:
        raise RedisUnavailableError(f"Redis went away: {error}") from None
    finally:
        connection.disconnect()


def data_of(replies: BinaryIO) -> Iterator[bytes]:
    """Yield the data of what Redis answers to a replica, piece by piece.

    Raises:
        RedisUnavailableError: it refuses, or it breaks off, or it is no Redis.
    """
    header = replies.readline()
    while header == b"\n":
        header = replies.readline()
    if header.startswith(b"-"):
        said = header[1:].decode("utf-8", "replace").strip().rstrip(".")
        message = f"Redis refuses to give its data away: {said}"
        if said.startswith("NOPERM"):
            message += "; that is for its user `backup` (redis_url_backup) alone"
        raise RedisUnavailableError(message)
    if not header.startswith(b"$"):
        raise RedisUnavailableError("Redis ended the connection; is it shutting down, or does its log say why?")
    if header.startswith(b"$EOF:"):
        yield from _until(replies, header[5:].strip())
        return
    length = header[1:].strip()
    if not length.isdigit() or len(length) > MAX_LENGTH_DIGITS:
        raise RedisUnavailableError("Redis does not say how much it gives; is it a Redis?")
    left = int(length)
    while left:
        piece = replies.read(min(left, CHUNK))
        if not piece:
            raise RedisUnavailableError(_CUT)
        left -= len(piece)
        yield piece


_CUT = "Redis ended the connection in the middle of its data"


def _until(replies: BinaryIO, end_marker: bytes) -> Iterator[bytes]:
    """Yield all before the mark with which Redis ends what it streams."""
    held = b""
    while True:
        piece = replies.read1(CHUNK)  # type: ignore[attr-defined]
        if not piece:
            raise RedisUnavailableError(_CUT)
        held += piece
        if held.endswith(end_marker):
            yield held[: -len(end_marker)]
            return
        # A mark may be on its way in two pieces.
        yield held[: -len(end_marker)]
        held = held[-len(end_marker) :]
