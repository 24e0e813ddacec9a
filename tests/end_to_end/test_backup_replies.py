"""The replies of Redis to a backup, whole, cut off and refused, from a server of our own."""

import socket
import threading
from pathlib import Path

import pytest
import redis

from lanes.errors import RedisUnavailableError
from ops.redis_backup import (
    write_backup,
)


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
