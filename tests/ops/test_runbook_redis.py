"""What the runbook tells the administrator of Redis to type, typed into a real `redis-cli`."""

import os
import shlex
import shutil
import subprocess
import threading
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from urllib.parse import urlsplit

import pytest
import redis
from redis.backoff import NoBackoff
from redis.retry import Retry

from lanes.checks.consistency import check_consistency
from lanes.queue.connecting import connect
from lanes.queue.store import LaneStore
from ops.embedded.redis_server import RedisServer
from ops.make_secrets import make
from ops.redis_acl import password_hash
from producers import OpportunityProducer
from tests.helpers import row, until
from tests.ops.deployment import BIN
from tests.ops.test_runbook import LINES, PROSE
from tests.redis_programs import PROGRAMS, redis_program

CLI = shutil.which("redis-cli", path=f"{BIN}:{os.environ['PATH']}") or ""
CLI_LINES = [code.removeprefix("redis-cli ") for code in PROSE if code.startswith("redis-cli ")]
TYPED = sorted({line for line in CLI_LINES if "--" not in line})


@dataclass
class Administered:
    """A Redis with the users of a deployment."""

    server: RedisServer
    secrets: Path

    def url(self, user: str) -> str:
        url = (self.secrets / f"redis_url_{user}").read_text().strip()
        return url.replace(":6379/", f":{self.server.port}/")

    def cli(self, command: str) -> str:
        """Type a command as `admin`, with the password where the list of processes does not show it."""
        environ = {"PATH": os.environ["PATH"], "REDISCLI_AUTH": urlsplit(self.url("admin")).password or ""}
        words = [CLI, "-p", str(self.server.port), "--user", "admin", *shlex.split(command, comments=False)]
        done = subprocess.run(words, env=environ, capture_output=True, text=True, timeout=30, check=False)
        return done.stdout.strip() + done.stderr.strip()


@pytest.fixture(params=PROGRAMS)
def administered(request: pytest.FixtureRequest, tmp_path: Path) -> Iterator[Administered]:
    make(tmp_path / "secrets", "127.0.0.1")
    options = ["--aclfile", str(tmp_path / "secrets" / "users.acl"), "--lua-time-limit", "50"]
    with RedisServer(tmp_path / "redis", options=options, program=redis_program(request.param)) as server:
        yield Administered(server, tmp_path / "secrets")


def test_a_script_without_end(administered: Administered) -> None:
    server = administered.server
    with OpportunityProducer.from_url(administered.url("producer")) as producer:
        before = producer.enqueue(row("loc", "contact"))
    for writes, answer in (("", "OK"), ("redis.call('SET', 'lanes:durability_marker', 'half done') ", "UNKILLABLE")):
        thread = threading.Thread(target=run_for_ever, args=(administered.url("producer"), writes))
        thread.start()
        until(lambda: "BUSY" in administered.cli("ping"), "the script to run for long")
        assert administered.cli("script kill").startswith(answer)
        if answer == "OK":
            thread.join()
            assert administered.cli("ping") == "PONG"
    assert "BUSY" in administered.cli("ping")
    administered.cli("shutdown nosave")
    thread.join()
    until(lambda: not server.alive, "Redis to end")
    server.start()  # as Compose and systemd do
    store = LaneStore(connect(administered.url("command")))
    assert store.job(before.job_id) is not None
    assert store.client.get("lanes:durability_marker") is None
    assert list(check_consistency(store)) == []
    store.close()


def run_for_ever(url: str, writes: str) -> None:
    ended = pytest.raises((redis.ResponseError, redis.ConnectionError))
    with redis.Redis.from_url(url, retry=Retry(NoBackoff(), 0)) as client, ended:
        client.eval(f"{writes}while true do end", 0)


ANSWERS = {
    "acl setuser producer !OLDHASH": "OK",
    "acl setuser producer #NEWHASH": "OK",
    "config set appendonly yes": "OK",
    "config set maxmemory 2gb": "OK",
    "replicaof": "wrong number of arguments",  # the rest is the address
    "script kill": "NOTBUSY",
    "shutdown nosave": "",
}


def test_every_command_is_one_that_the_administrator_may_type(administered: Administered) -> None:
    assert list(ANSWERS) == TYPED
    old = password_hash(urlsplit(administered.url("producer")).password or "")
    for command, answer in ANSWERS.items():
        typed = command.replace("#NEWHASH", password_hash("new")).replace("!OLDHASH", old.replace("#", "!"))
        assert answer in administered.cli(typed), command
    until(lambda: not administered.server.alive, "Redis to end")


def test_the_password_of_the_administrator_is_not_in_the_list_of_processes(administered: Administered) -> None:
    (line,) = [line for line in LINES if "REDISCLI_AUTH" in line]
    line = line.removeprefix("sudo ").replace("/etc/lanes/secrets", str(administered.secrets))
    words = shlex.split(line.replace("redis-cli", f"{CLI} -p {administered.server.port}"))
    assert str(urlsplit(administered.url("admin")).password) not in " ".join(words)
    done = subprocess.run(words, capture_output=True, text=True, check=True)
    assert "used_memory:" in done.stdout
    assert not [line for line in CLI_LINES if "-a " in line or "-u " in line]
