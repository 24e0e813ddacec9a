"""The replies of Redis to a backup, whole, cut off and refused, from a server of our own."""

import io
import socket
import threading
from pathlib import Path
from typing import BinaryIO, cast

import pytest
import redis

from lanes.errors import RedisUnavailableError
from ops.redis_backup import BackupError, data_of, write_backup


class Impostor:
    """Answers as a Redis would up to a point, and then ends the connection."""

    def __init__(self, *answers: bytes) -> None:
        self._answers = answers
        self._socket = socket.create_server(("127.0.0.1", 0))
        self.port = self._socket.getsockname()[1]
        self._thread = threading.Thread(target=self._serve, daemon=True)
        self._thread.start()

    def _serve(self) -> None:
        with self._socket, self._socket.accept()[0] as line, line.makefile("rb") as asked:
            for command in asked:
                if command.startswith(b"*"):
                    line.sendall(b"+OK\r\n")
                elif command.startswith(b"REPLCONF"):
                    line.sendall(b"-ERR unknown\r\n")
                elif command.startswith(b"SYNC"):
                    for answer in self._answers:
                        line.sendall(answer)
                    return

    def write_backup(self, path: Path) -> None:
        pool = redis.ConnectionPool(host="127.0.0.1", port=self.port, protocol=2)
        with redis.Redis(connection_pool=pool) as client:
            write_backup(client, path)
        self._thread.join(10)


WHOLE = b"REDIS0009" + b"x" * 100 + b"\xff" + b"12345678"
MARK = b"m" * 40


@pytest.mark.parametrize(
    "answers",
    [
        (b"\n\n$%d\r\n" % len(WHOLE), WHOLE),
        (b"$EOF:" + MARK + b"\r\n", WHOLE[:50], WHOLE[50:] + MARK),
        (b"$EOF:" + MARK + b"\r\n", WHOLE + MARK[:7], MARK[7:]),
    ],
)
def test_both_ways_in_which_a_redis_gives_its_data(answers: tuple[bytes, ...], tmp_path: Path) -> None:
    Impostor(*answers).write_backup(tmp_path / "file.rdb")
    assert (tmp_path / "file.rdb").read_bytes() == WHOLE


@pytest.mark.parametrize(
    ("answers", "said"),
    [
        ((b"$%d\r\n" % len(WHOLE), WHOLE[:-1]), "before the end"),
        ((b"$EOF:" + MARK + b"\r\n", WHOLE, MARK[:-1]), "before the end"),
        ((b"-NOPERM this user has no permissions to run the 'sync' command\r\n",), "NOPERM"),
        ((b"-LOADING Redis is loading the dataset in memory\r\n",), "LOADING"),
        ((b"\n",), "closed the connection"),
        ((b"$many\r\n", WHOLE), "is it Redis"),
        ((b"$" + b"9" * 5000 + b"\r\n", WHOLE), "is it Redis"),
        ((b"$-1\r\n",), "is it Redis"),
        ((b"$\r\n",), "is it Redis"),
    ],
)
def test_half_a_backup_is_not_a_backup(answers: tuple[bytes, ...], said: str, tmp_path: Path) -> None:
    with pytest.raises(RedisUnavailableError, match=said):
        Impostor(*answers).write_backup(tmp_path / "file.rdb")
    assert list(tmp_path.iterdir()) == []


@pytest.mark.parametrize("data", [b"x" * len(WHOLE), WHOLE[:-9] + b"x" * 9], ids=["no beginning", "no end"])
def test_data_that_are_no_backup_leave_no_file(data: bytes, tmp_path: Path) -> None:
    with pytest.raises(BackupError):
        Impostor(b"$%d\r\n" % len(data), data).write_backup(tmp_path / "file.rdb")
    assert list(tmp_path.iterdir()) == []


class InPieces(io.BytesIO):
    """Data that arrive in two pieces."""

    def __init__(self, data: bytes, cut: int) -> None:
        super().__init__(data)
        self._cut = cut

    def read1(self, _: int | None = -1, /) -> bytes:
        return super().read1(max(0, self._cut - self.tell()) or -1)


@pytest.mark.parametrize("arrived", range(len(MARK) + 1))
def test_a_mark_that_is_cut_in_two_is_found(arrived: int) -> None:
    header = b"$EOF:" + MARK + b"\r\n"
    replies = InPieces(header + WHOLE + MARK, len(header) + len(WHOLE) + arrived)
    assert b"".join(data_of(cast("BinaryIO", replies))) == WHOLE
