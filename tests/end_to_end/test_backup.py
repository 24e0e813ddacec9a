"""A backup under load, and its restore into an empty Redis."""

import json
import os
import stat
import subprocess
import sys
import threading
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from typing import Any

import pytest
import redis

from lanes.checks.consistency import check_consistency
from lanes.errors import RedisUnavailableError
from lanes.queue.connecting import connect
from lanes.queue.store import LaneStore
from ops.embedded.redis_server import NoRedisServerError, RedisServer
from ops.embedded.stack import Stack
from ops.redis_backup import (
    AOF,
    END_OF_DATA,
    TRAILER_BYTES,
    BackupError,
    check,
    restore_backup,
    write_backup,
    write_backup_into,
)
from ops.sandbox import SandboxControl
from tests.end_to_end.conftest import all_done, producer_of, store_of
from tests.helpers import row, until

LANES = str(Path(sys.executable).with_name("lanes"))


def lanes(stack: Stack, *words: object) -> "subprocess.CompletedProcess[str]":
    command = [LANES, *map(str, words)]
    return subprocess.run(
        command, env=stack.environ, cwd=stack.folder, capture_output=True, text=True, check=False, timeout=60
    )


def test_a_backup_while_jobs_flow_goes_on_where_it_was_taken(make_stack: Callable[..., Stack], tmp_path: Path) -> None:
    stack = make_stack("--latency", "0.05", http_timeout_seconds=4, lease_seconds=5)
    producer, store, control = producer_of(stack), store_of(stack), SandboxControl(stack.sandbox_url)
    store.hold("later", "goes out after the backup", "test")
    rows = [row(f"loc-{n % 20}", f"contact-{n}") for n in range(560)] + [row("later", f"c-{n}") for n in range(40)]
    ids = producer.enqueue_many(rows).job_ids
    worker = stack.start_worker()
    until(lambda: store.counts()["delivered"] > 50, "jobs to flow")
    backups = tmp_path / "backups"
    backups.mkdir()
    reported = lanes(stack, "backup", backups, "--json")
    assert reported.returncode == 0, reported.stderr
    made = json.loads(reported.stdout)
    file = Path(made["file"])
    assert file.parent == backups
    assert made["bytes"] == file.stat().st_size
    assert stat.S_IMODE(file.stat().st_mode) & 0o037 == 0
    assert [path.name for path in backups.iterdir()] == [file.name]
    late = producer.enqueue(row("loc-0", "late")).job_id
    store.resume("later")
    until(lambda: all_done(store), "every job delivered")
    assert worker.stop() == 0
    sent_before = control.summary()["requests"]

    # The machine is lost; another begins with the backup.
    stack.redis.kill()
    folder = tmp_path / "another"
    folder.mkdir()
    put = lanes(stack, "restore", file, folder)
    assert put.returncode == 0, put.stderr
    assert "delivered again" in put.stderr
    with RedisServer(folder, port=stack.redis.port) as restored, connect(restored.url) as client:
        again = LaneStore(client)
        assert list(check_consistency(again)) == []
        counts = again.counts()
        assert counts["accepted"] == 600
        assert 50 < counts["delivered"] <= 560
        assert again.job(late) is None
        assert again.resume("later") == "resumed"
        stack.start_worker("second")
        until(lambda: all_done(again), "the rest delivered, some of it again")
        checked = lanes(stack, "check", "--json")
        assert (checked.returncode, json.loads(checked.stdout)["consistent"]) == (0, True)
        jobs = [again.job(job_id) for job_id in ids]
        assert {job.state.value for job in jobs if job} == {"delivered"}
        assert control.summary()["requests"] == sent_before + 600 - counts["delivered"]
        stack.stop()


@pytest.fixture
def server(tmp_path: Path) -> Any:
    with RedisServer(tmp_path / "first") as made:
        yield made


@pytest.fixture
def backup(server: RedisServer, tmp_path: Path) -> Path:
    with redis.Redis.from_url(server.url) as client:
        client.mset({f"key{n}": "x" * 1000 for n in range(2000)})
        write_backup(client, tmp_path / "whole.rdb")
    return tmp_path / "whole.rdb"


def test_what_the_folder_of_a_redis_holds_is_never_overwritten(server: RedisServer, backup: Path) -> None:
    before = {path: path.read_bytes() for path in server.folder.rglob("*") if path.is_file()}
    with pytest.raises(BackupError, match="not overwritten"):
        restore_backup(backup, server.folder)
    server.stop()
    with pytest.raises(BackupError, match="not overwritten"):
        restore_backup(backup, server.folder)
    assert {path: path.read_bytes() for path in before if path.name != "redis.log"} == {
        path: data for path, data in before.items() if path.name != "redis.log"
    }


@pytest.mark.parametrize("name", ["appendonly.aof", "appendonlydir", "dump.rdb"])
def test_any_data_of_any_version_are_in_its_way(backup: Path, tmp_path: Path, name: str) -> None:
    folder = tmp_path / "folder"
    (folder / name).mkdir(parents=True)
    with pytest.raises(BackupError, match=name):
        restore_backup(backup, folder)
    assert [path.name for path in folder.iterdir()] == [name]


def test_a_redis_that_starts_during_the_restore_keeps_its_file(tmp_path: Path) -> None:
    backup, folder = tmp_path / "large.rdb", tmp_path / "folder"
    folder.mkdir()
    with backup.open("wb") as out:
        out.write(b"REDIS0009")
        out.seek(64 << 20)
        out.write(bytes([END_OF_DATA]) + bytes(TRAILER_BYTES - 1))

    def start() -> None:
        while not any(folder.iterdir()):
            assert not restored.is_set()
        (folder / AOF).write_bytes(b"its own")

    restored = threading.Event()
    with ThreadPoolExecutor(1) as pool:
        started = pool.submit(start)
        try:
            with pytest.raises(BackupError, match="was just created"):
                restore_backup(backup, folder)
        finally:
            restored.set()
        started.result()
    assert [(path.name, path.read_bytes()) for path in folder.iterdir()] == [(AOF, b"its own")]


def test_a_backup_that_was_cut_off_is_refused_before_anything_is_written(backup: Path, tmp_path: Path) -> None:
    folder = tmp_path / "folder"
    folder.mkdir()
    whole = backup.read_bytes()

    def cut(at: int) -> bytes:
        """Cut it off there, or a little before where what is left looks whole: that one Redis would find."""
        while whole[at - TRAILER_BYTES] == END_OF_DATA:
            at -= 1
        return whole[:at]

    for data, said in (
        (cut(len(whole) - 1), "truncated"),
        (cut(len(whole) // 2), "truncated"),
        (b"", "not a backup"),
        (b"x", "no"),
    ):
        backup.write_bytes(data)
        with pytest.raises(BackupError, match=said):
            restore_backup(backup, folder)
    assert list(folder.iterdir()) == []


def test_redis_finds_what_is_wrong_inside(backup: Path, tmp_path: Path) -> None:
    data = bytearray(backup.read_bytes())
    data[len(data) // 2] ^= 0x40
    backup.write_bytes(data)
    folder = tmp_path / "folder"
    folder.mkdir()
    restore_backup(backup, folder)
    with pytest.raises(NoRedisServerError):
        RedisServer(folder).start()


def test_an_old_backup_goes_when_the_new_one_is_whole(server: RedisServer, tmp_path: Path) -> None:
    folder = tmp_path / "backups"
    folder.mkdir()
    for name in ("lanes-20250101T000000Z.rdb", "lanes-20250102T000000Z.rdb", "other.rdb"):
        (folder / name).touch()
    with redis.Redis.from_url(server.url) as client:
        made, removed = write_backup_into(folder, client, keep=2)
        assert [path.name for path in removed] == ["lanes-20250101T000000Z.rdb"]
        assert {path.name for path in folder.iterdir()} == {"lanes-20250102T000000Z.rdb", "other.rdb", made.name}
        check(made)
        with pytest.raises(BackupError, match="exists already"):
            write_backup(client, made)
        made.rename(folder / "lanes-20250103T000000Z.rdb")  # the next may be made within the same second
        server.stop()
        with pytest.raises(RedisUnavailableError):
            write_backup_into(folder, client, keep=1)
    assert (folder / "lanes-20250102T000000Z.rdb").exists()
    assert not list(folder.glob("*.part"))


def test_what_a_killed_backup_left_goes_with_the_next(server: RedisServer, tmp_path: Path) -> None:
    left, fresh = (tmp_path / f".lanes-20250101T000000Z.rdb.{number}.part" for number in (1, 2))
    left.touch()
    fresh.touch()
    os.utime(left, (0, 0))
    with redis.Redis.from_url(server.url) as client:
        write_backup_into(tmp_path, client)
    assert not left.exists()
    assert fresh.exists()  # of one that may be at work


def test_commands_that_cannot_be_done_are_one_line(make_stack: Callable[..., Stack], backup: Path) -> None:
    stack = make_stack()
    for words, status, said in (
        (("backup", "file.rdb", "--keep", "3"), 2, "--keep needs a folder"),
        (("backup", backup), 1, "exists already"),
        (("restore", backup, stack.redis.folder), 1, "not overwritten"),
        (("restore", stack.redis.folder / "redis.log", stack.folder), 1, "not a backup"),
        (("restore", backup, stack.folder, "--dry-run"), 0, "can be restored"),
    ):
        done = lanes(stack, *words)
        assert (done.returncode, done.stdout) == (status, ""), done.stderr
        assert said in done.stderr
    assert not (stack.folder / AOF).exists()
    stack.redis.kill()
    assert lanes(stack, "backup", "file.rdb").returncode == 3
    assert not list(stack.folder.glob("*file.rdb*"))
