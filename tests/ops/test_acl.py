"""Each process with a Redis user of its own, and only that user's rights: all goes its way, and nothing else does."""

import json
import re
import subprocess
import sys
from collections.abc import Iterator
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from pathlib import Path
from urllib.parse import urlsplit

import pytest
import redis
import requests
from redis.backoff import NoBackoff
from redis.retry import Retry

from lanes.queue.connecting import connect
from lanes.queue.store import LaneStore
from lanes.services.service import Service
from lanes.services.store import ServiceStore
from lanes.settings import ProducerSettings
from ops.embedded.redis_server import RedisServer, free_port
from ops.embedded.stack import Stack
from ops.make_secrets import make
from ops.redis_acl import USERS, password_hash
from producers import OpportunityProducer, QuotaError, State
from tests.helpers import row
from tests.redis_programs import PROGRAMS, redis_program

Urls = dict[str, str]


@dataclass
class AclRun:
    """A Redis with the users of a deployment, a sandbox, and the address that each user has."""

    stack: Stack
    urls: Urls

    def here(self, text: str) -> str:
        """Return a URL of this deployment with the port of this Redis."""
        return text.strip().replace(":6379/", f":{self.stack.redis.port}/")

    def run(self, user: str, *command: str) -> str:
        """Run a command as this user, and return what it prints."""
        done = subprocess.run(
            [str(Path(sys.executable).with_name(command[0])), *command[1:]],
            env={**self.stack.environ, "LANES_REDIS_URL": self.urls[user]},
            cwd=self.stack.folder,
            capture_output=True,
            text=True,
            check=False,
        )
        assert done.returncode == 0, done.stdout + done.stderr
        return done.stdout

    def denials(self) -> list[str]:
        """Return the commands that Redis refused since the last call."""
        with redis.Redis.from_url(self.urls["admin"]) as client:
            found = [f"{entry['username']}: {entry['reason']} {entry['object']}" for entry in client.acl_log()]
            client.acl_log_reset()
        # A client introduces itself (CLIENT SETINFO and the like), and does without where it may not.
        return [line for line in found if ": command client" not in line.lower()]


@pytest.fixture(params=PROGRAMS)
def acl_run(request: pytest.FixtureRequest, tmp_path: Path) -> Iterator[AclRun]:
    """All that `make secrets` made, in use."""
    secrets = tmp_path / "secrets"
    make(secrets, "127.0.0.1")
    stack = Stack(tmp_path / "stack")
    options = ["--aclfile", str(secrets / "users.acl")]
    stack.redis = RedisServer(tmp_path / "redis", options=options, program=redis_program(request.param))
    stack.start_redis()
    texts = {user: (secrets / f"redis_url_{user}").read_text().strip() for user in USERS}
    acl_run = AclRun(stack, {})
    acl_run.urls |= {user: acl_run.here(text) for user, text in texts.items()}
    stack.start_sandbox()
    yield acl_run
    stack.stop()


def test_each_process_does_its_work_with_its_own_rights(acl_run: AclRun) -> None:
    stack = acl_run.stack
    acl_run.denials()
    stack.settings |= {"LANES_REDIS_URL": acl_run.urls["worker"], "LANES_METRICS_PORT": str(port := free_port())}
    stack.start_worker()
    settings = ProducerSettings(redis_url=acl_run.urls["producer"], service="shop")
    lanes = LaneStore(connect(acl_run.urls["command"]))
    ServiceStore(lanes).add(Service("shop"))
    lanes.close()
    with OpportunityProducer.from_settings(settings) as producer:
        first = producer.enqueue(row("loc", "a"), durability="fsync", idempotency_key="k", merge=True)
        acl_run.run("command", "lanes", "service", "add", "crm", "--max-pending", "1")
        producer.enqueue(row("loc", "a", name="n"), priority=3, service="crm")
        with pytest.raises(QuotaError):
            producer.enqueue(row("loc", "a"), service="crm")
        tomorrow = datetime.now(UTC) + timedelta(days=1)
        later = producer.enqueue(row("loc", "b"), not_before=tomorrow, expires_at="2101-01-01T00:00:00Z")
        assert producer.enqueue_many([row("loc", f"c{n}") for n in range(60)]).accepted == 60
        assert producer.cancel(later.job_id)
        assert producer.wait(first.job_id, 60).state is State.DELIVERED
        seen = {}
        for outcome in producer.outcomes("group", claim_seconds=0.001):
            outcome.ack()
            seen[outcome.job_id] = outcome.state
            if {first.job_id, later.job_id} <= seen.keys():
                break
        assert (seen[first.job_id], seen[later.job_id]) == (State.DELIVERED, State.CANCELLED)
        assert producer.read_outcomes().outcomes
    assert json.loads(acl_run.run("command", "lanes", "status", "--json"))["accepted"] == 63
    acl_run.run("command", "lanes", "hold", "loc", "--reason", "a test")
    acl_run.run("command", "lanes", "resume", "loc")
    acl_run.run("command", "lanes", "check")
    acl_run.run("backup", "lanes", "backup", "whole.rdb")
    assert "pong" in acl_run.run("dashboard", "celery", "-A", "worker", "inspect", "ping")
    assert "lanes_redis_memory_used_bytes" in requests.get(f"http://127.0.0.1:{port}/metrics", timeout=30).text
    stack.start_gateway(LANES_REDIS_URL=acl_run.urls["gateway"])
    call_gateway(stack.gateway_url, acl_run.urls["command"])
    stack.settings |= {"LANES_REDIS_URL": acl_run.urls["dashboard"], "LANES_METRICS_PORT": "0"}
    stack.start_dashboard()
    view_and_hold(stack.flower_url, first.job_id)
    with redis.Redis.from_url(acl_run.urls["command"]) as client:
        assert client.hget("lanes:lane:loc", "hold") == b"by page"
    assert acl_run.denials() == []


def call_gateway(gateway: str, command_url: str) -> None:
    """Make every call of the gateway."""
    with redis.Redis.from_url(command_url) as client:
        services = ServiceStore(LaneStore(client))
        services.add(Service("billing", max_pending=1000))
        key = services.make_key("billing")
    with requests.Session() as session:
        session.headers["Authorization"] = f"Bearer {key}"
        options: dict[str, object] = {"merge": True, "idempotency_key": "k"}
        later = (datetime.now(UTC) + timedelta(days=1)).isoformat()
        jobs = [
            session.post(
                f"{gateway}/v1/upserts?job_id=own-{name}", json={**row("loc", "g", name=name), "_options": one}
            )
            for name, one in (("a", options), ("b", {"merge": True}), ("c", {"not_before": later}))
        ]
        assert [job.status_code for job in jobs] == [202, 202, 202], [job.text for job in jobs]
        done = session.post(f"{gateway}/v1/upserts", json=row("loc", "h"), headers={"Prefer": "wait=30"})
        assert done.status_code == 200
        batch = session.post(f"{gateway}/v1/upserts/batch", json=[row("loc", "i")] * 2)
        assert batch.json()["accepted"] == 2
        assert session.get(f"{gateway}/v1/jobs/own-a").status_code == 200
        assert session.delete(f"{gateway}/v1/jobs/own-c").status_code == 200
        assert session.get(f"{gateway}/v1/outcomes", params={"wait": 30}).json()["outcomes"]
        assert session.get(f"{gateway}/readyz").status_code == 200


def view_and_hold(site: str, job_id: str) -> None:
    """Look at every page, Flower's and ours, and at the metrics; then hold a lane."""
    pages = (
        "throughput",
        "lanes",
        "lane/loc",
        "dead-letters",
        "audit-log",
        f"job/{job_id}",
        "workers",
        "tasks",
        "broker",
    )
    data = ("throughput/data", "lanes/data", "lanes/lane/data?location=loc", "dead-letters/data", "audit-log/data")
    with requests.Session() as session:
        for path in (*pages, *data, f"jobs/data?id={job_id}"):
            assert session.get(f"{site}/{path}", timeout=30).status_code == 200, path
        assert "lanes_redis_memory_used_bytes" in session.get(f"{site}/metrics", timeout=30).text
        token = {"X-XSRFToken": session.cookies["_xsrf"]}
        held = session.post(
            f"{site}/lanes/hold", json={"location": "loc", "reason": "by page"}, headers=token, timeout=30
        )
        assert held.status_code == 200, held.text


def test_jobs_outlive_a_crash_of_a_redis_with_these_users(acl_run: AclRun) -> None:
    """Redis 7.0 loads its append-only file with the rights of `default`."""
    settings = ProducerSettings(redis_url=acl_run.urls["producer"])
    with OpportunityProducer.from_settings(settings) as producer:
        job_id = producer.enqueue(row("loc", "a")).job_id
        acl_run.stack.redis.kill()
        acl_run.stack.redis.start()
        assert producer.status(job_id).state is State.PENDING


def test_a_password_is_changed_without_a_break(acl_run: AclRun, tmp_path: Path) -> None:
    users = tmp_path / "secrets" / "users.acl"
    before = users.read_text()
    old = urlsplit(acl_run.urls["producer"]).password
    assert old is not None
    was, added = password_hash(old), password_hash("the-next")
    with redis.Redis.from_url(acl_run.urls["admin"]) as admin, redis.Redis.from_url(acl_run.urls["producer"]) as first:
        first.ping()
        users.write_text(before.replace(was, f"{added} {was}"))
        admin.acl_load()
        for password in (old, "the-next"):
            with redis.Redis.from_url(acl_run.urls["producer"].replace(old, password)) as client:
                assert client.ping()
        users.write_text(before.replace(was, added))
        admin.acl_load()
    with redis.Redis.from_url(acl_run.urls["producer"]) as client, pytest.raises(redis.AuthenticationError):
        client.ping()


def test_a_password_is_changed_as_the_runbook_says(acl_run: AclRun, tmp_path: Path) -> None:
    """Redis reads a copy of `users.acl` at its start, so each change is made in the file and in Redis."""
    secrets = tmp_path / "secrets"
    users, url = secrets / "users.acl", secrets / "redis_url_producer"
    old = url.read_text()
    url.rename(secrets / "redis_url_producer.old")
    (told,) = [line for line in make(secrets, "127.0.0.1") if "acl setuser" in line]
    first, second = re.findall(r"user producer on (#\w+) (#\w+) ", users.read_text())[0]
    with redis.Redis.from_url(acl_run.urls["admin"]) as admin:
        admin.execute_command(*told.partition("a running Redis: ")[2].split())
        for text in (old, url.read_text()):
            with redis.Redis.from_url(acl_run.here(text)) as client:
                assert client.ping()
        users.write_text(users.read_text().replace(f" {second}", ""))
        admin.execute_command("ACL", "SETUSER", "producer", second.replace("#", "!"))
    assert first in told
    for _ in range(2):  # now, and after the next start
        with redis.Redis.from_url(acl_run.here(old)) as client, pytest.raises(redis.AuthenticationError):
            client.ping()
        with redis.Redis.from_url(acl_run.here(url.read_text())) as client:
            assert client.ping()
        acl_run.stack.redis.stop()
        acl_run.stack.redis.start()


FORBIDDEN: dict[str, list[tuple[str, ...]]] = {
    "producer": [
        ("CONFIG", "GET", "appendfsync"),
        ("CLIENT", "TRACKING", "ON", "BCAST"),
        ("CLIENT", "ID"),
        ("HGETALL", "lanes:tokens"),
        ("HSET", "lanes:service_keys", "digest", "crm"),
        ("SET", "lanes:token_lock:loc", "x"),
        ("LPUSH", "lanes:celery:lanes", "x"),
        ("PUBLISH", "lanes:celery:/0.celery.pidbox", "x"),
        ("SUBSCRIBE", "lanes:celery:/0.celeryev"),
        ("XRANGE", "lanes:trail", "-", "+"),
        ("EVAL", "return redis.call('GET', 'other')", "0"),
        ("EVAL", "return redis.call('HGETALL', 'lanes:tokens')", "0"),
    ],
    "gateway": [
        ("CONFIG", "GET", "appendfsync"),
        ("CLIENT", "TRACKING", "ON", "BCAST"),
        ("HGETALL", "lanes:tokens"),
        ("LPUSH", "lanes:celery:lanes", "x"),
        ("PUBLISH", "lanes:celery:/0.celery.pidbox", "x"),
        ("XRANGE", "lanes:audit_log", "-", "+"),
        ("EVAL", "return redis.call('HGETALL', 'lanes:tokens')", "0"),
    ],
    "worker": [("GET", "other:key"), ("PUBLISH", "other", "x")],
    "dashboard": [("GET", "other:key")],
    "command": [("GET", "other:key")],
    "backup": [
        ("CLIENT", "TRACKING", "ON"),
        ("GET", "lanes:counts"),
        ("HGETALL", "lanes:tokens"),
        ("KEYS", "*"),
        ("DEL", "lanes:counts"),
    ],
    "health": [("GET", "lanes:counts"), ("INFO",), ("CLIENT", "LIST")],
}
ANYBODY: list[tuple[str, ...]] = [
    ("FLUSHALL",),
    ("CONFIG", "SET", "dir", "/tmp"),
    ("SHUTDOWN", "NOSAVE"),
    ("REPLICAOF", "127.0.0.1", "1"),
    ("ACL", "SETUSER", "me", "on"),
    ("MONITOR",),
    ("CLIENT", "KILL", "TYPE", "normal"),
    ("SLAVEOF", "NO", "ONE"),
]


def test_no_user_may_do_more(acl_run: AclRun) -> None:
    health = f"redis://health:none@127.0.0.1:{acl_run.stack.redis.port}/0"
    refused = pytest.raises(redis.ResponseError, match=r"(?i)permission|can't access|ACL failure")
    for user, commands in FORBIDDEN.items():
        address = acl_run.urls.get(user, health)
        with redis.Redis.from_url(address, retry=Retry(NoBackoff(), 0)) as client:
            assert client.ping()
            for command in (*commands, *ANYBODY):
                with refused:
                    client.execute_command(*command)
    anonymous = redis.Redis.from_url(acl_run.stack.redis.url, retry=Retry(NoBackoff(), 0))
    with anonymous, pytest.raises(redis.AuthenticationError):
        anonymous.ping()
    for password in ("", "any"):
        default = redis.Redis(
            port=acl_run.stack.redis.port, username="default", password=password, retry=Retry(NoBackoff(), 0)
        )
        with default, pytest.raises(redis.AuthenticationError):
            default.ping()
    assert FORBIDDEN.keys() | {"admin"} == {*USERS, "health"}
