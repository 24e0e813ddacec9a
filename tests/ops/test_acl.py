"""Each process with a Redis user of its own, and only that user's rights: all goes its way, and nothing else does."""

import json
import stat
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path

import pytest
import redis
from redis.backoff import NoBackoff
from redis.retry import Retry

from lanes.settings import Settings
from ops.redis_acl import USERS, make, users_file
from ops.redis_server import RedisServer
from ops.stack import Stack
from producers import OpportunityProducer, State
from tests.end_to_end.conftest import row
from tests.redis_programs import PROGRAMS

PASSWORDS = {name: f"{name}-password" for name in (*USERS, "admin")}


@pytest.fixture(params=PROGRAMS)
def stack(request: pytest.FixtureRequest, tmp_path: Path) -> Iterator[Stack]:
    """A Redis with these users, and a sandbox; every part has the user that it is started with."""
    file = tmp_path / "users.acl"
    file.write_text(users_file(PASSWORDS, waitaof=request.param == "new"), encoding="utf-8")
    stack = Stack(tmp_path / "stack")
    stack.redis = RedisServer(tmp_path / "redis", options=["--aclfile", str(file)], program=PROGRAMS[request.param]())
    stack.start_redis()
    stack.start_sandbox()
    yield stack
    stack.stop()


def url(stack: Stack, user: str) -> str:
    return stack.redis.url.replace("redis://", f"redis://{user}:{PASSWORDS[user]}@")


def run(stack: Stack, user: str, *command: str) -> str:
    environ = {**stack.environ, "LANES_REDIS_URL": url(stack, user)}
    done = subprocess.run(
        [str(Path(sys.executable).with_name(command[0])), *command[1:]],
        env=environ,
        cwd=stack.folder,
        capture_output=True,
        text=True,
        check=False,
    )
    assert done.returncode == 0, done.stderr
    return done.stdout


def denials(stack: Stack) -> list[str]:
    """Return what Redis refused to somebody since it was last asked."""
    with redis.Redis.from_url(url(stack, "admin")) as client:
        found = [f"{entry['username']}: {entry['reason']} {entry['object']}" for entry in client.acl_log()]
        client.acl_log_reset()
    # A client introduces itself (CLIENT SETINFO and the like), and does without where it may not.
    return [line for line in found if ": command client" not in line.lower()]


def test_each_process_does_its_work_with_its_own_rights(stack: Stack) -> None:
    denials(stack)
    stack.settings["LANES_REDIS_URL"] = url(stack, "worker")
    stack.start_worker()
    settings = Settings(redis_url=url(stack, "producer"))
    with OpportunityProducer.from_settings(settings) as producer:
        first = producer.enqueue(row("loc", "a"), durability="fsync", idempotency_key="k", merge=True)
        producer.enqueue(row("loc", "a", name="n"), priority=3)
        later = producer.enqueue(row("loc", "b"), not_before="2100-01-01T00:00:00Z", expires_at="2101-01-01T00:00:00Z")
        assert producer.enqueue_many([row("loc", f"c{n}") for n in range(60)]).accepted == 60
        assert producer.cancel(later.job_id)
        assert producer.wait(first.job_id, 60).state is State.DELIVERED
    assert json.loads(run(stack, "command", "lanes", "status", "--json"))["accepted"] == 63
    run(stack, "command", "lanes", "hold", "loc", "--reason", "a test")
    run(stack, "command", "lanes", "resume", "loc")
    run(stack, "command", "lanes", "check")
    assert "pong" in run(stack, "dashboard", "celery", "-A", "worker", "inspect", "ping")
    assert denials(stack) == []


FORBIDDEN: dict[str, list[tuple[str, ...]]] = {
    "producer": [
        ("HGETALL", "lanes:tokens"),
        ("SET", "lanes:token_lock:loc", "x"),
        ("LPUSH", "lanes:celery:lanes", "x"),
        ("PUBLISH", "lanes:celery:/0.celery.pidbox", "x"),
        ("SUBSCRIBE", "lanes:celery:/0.celeryev"),
        ("XRANGE", "lanes:trail", "-", "+"),
        ("EVAL", "return redis.call('GET', 'other')", "0"),
        ("EVAL", "return redis.call('HGETALL', 'lanes:tokens')", "0"),
    ],
    "worker": [("GET", "other:key"), ("PUBLISH", "other", "x")],
    "dashboard": [("GET", "other:key")],
    "command": [("GET", "other:key")],
}
ANYBODY: list[tuple[str, ...]] = [
    ("FLUSHALL",),
    ("CONFIG", "SET", "dir", "/tmp"),
    ("SHUTDOWN", "NOSAVE"),
    ("REPLICAOF", "127.0.0.1", "1"),
    ("ACL", "SETUSER", "me", "on"),
    ("MONITOR",),
]


def test_nobody_may_do_more(stack: Stack) -> None:
    refused = pytest.raises(redis.ResponseError, match=r"(?i)permission|can't access|ACL failure")
    for user in USERS:
        with redis.Redis.from_url(url(stack, user), retry=Retry(NoBackoff(), 0)) as client:
            for command in FORBIDDEN[user] + ANYBODY:
                with refused:
                    client.execute_command(*command)
    anonymous = redis.Redis.from_url(stack.redis.url, retry=Retry(NoBackoff(), 0))
    with anonymous, pytest.raises(redis.AuthenticationError):
        anonymous.ping()


def test_the_files_are_for_their_owner_and_made_once(tmp_path: Path) -> None:
    folder = tmp_path / "secrets"
    assert len(list(make(folder))) == 6
    for path in folder.iterdir():
        assert stat.S_IMODE(path.stat().st_mode) == 0o600
    texts = {path.name: path.read_text() for path in folder.iterdir()}
    assert list(make(folder)) == [f"{folder / 'users.acl'}: kept as it is"]
    assert {path.name: path.read_text() for path in folder.iterdir()} == texts
    assert texts["redis_url_worker"].startswith("redis://worker:")
