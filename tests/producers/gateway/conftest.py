"""A running gateway: a process of its own on a Redis of its own, with two services."""

import contextlib
import json
import os
import sys
from collections.abc import Iterator
from dataclasses import dataclass, field, replace
from itertools import count
from pathlib import Path
from typing import Any

import pytest
import requests

from lanes.queue.connecting import connect
from lanes.queue.results import Released
from lanes.queue.store import LaneStore
from lanes.queue.transitions import AttemptReport
from lanes.services.service import Service
from lanes.services.store import ServiceStore
from lanes.settings.environment import PREFIX
from ops.embedded.processes import Child
from ops.embedded.redis_server import RedisServer, free_port
from tests.helpers import until
from tests.producers.conftest import CONSUMER

SERVICES = ("billing", "crm")
LINES = "application/x-ndjson"


@dataclass
class RunningGateway:
    """A gateway, and what talks to it as a service would."""

    redis: RedisServer
    folder: Path
    options: tuple[str, ...] = ()
    environ: dict[str, str] = field(default_factory=dict)
    keys: dict[str, str] = field(default_factory=dict)

    def __post_init__(self) -> None:
        self.port = free_port()
        self.session = requests.Session()
        self.store = LaneStore(connect(self.redis.url))
        self.services = ServiceStore(self.store)

    @property
    def url(self) -> str:
        return f"http://127.0.0.1:{self.port}"

    def add_services(self) -> None:
        for name in SERVICES:
            self.services.add(Service(name))
            self.keys[name] = self.services.make_key(name)

    def start(self) -> None:
        environ = {name: value for name, value in os.environ.items() if not name.startswith(PREFIX)}
        environ |= {"LANES_REDIS_URL": self.redis.url, **self.environ}
        command = [sys.executable, "-m", "ops.command", "gateway", "--port", str(self.port), *self.options]
        self.child = Child("gateway", command, self.folder / "gateway.log", environ=environ, folder=self.folder)
        until(self._answers, "the gateway answers")

    def _answers(self) -> bool:
        assert self.child.status is None, self.child.tail()
        try:
            return requests.get(f"{self.url}/healthz", timeout=5).status_code == 200
        except requests.ConnectionError:
            return False

    def send(self, method: str, path: str, service: str | None = "billing", **options: Any) -> requests.Response:
        headers = options.pop("headers", {})
        if service is not None:
            headers = {"Authorization": f"Bearer {self.keys[service]}", **headers}
        return self.session.request(method, self.url + path, headers=headers, timeout=60, **options)

    def enqueue(self, row: object, service: str | None = "billing", **headers: str) -> requests.Response:
        """Enqueue a row; `idempotency_key` becomes the header of that name."""
        named = {name.replace("_", "-"): value for name, value in headers.items()}
        return self.send("POST", "/v1/upserts", service, json=row, headers=named)

    def enqueue_lines(self, rows: list[Any], service: str = "billing") -> requests.Response:
        lines = "\n".join(json.dumps(each) for each in rows)
        return self.send("POST", "/v1/upserts/batch", service, data=lines, headers={"Content-Type": LINES})

    def stop(self) -> int:
        self.session.close()
        self.store.close()
        return self.child.stop()


def release_job(gateway: RunningGateway, job_id: str) -> int:
    """Let a worker take this job, whatever else is pending; return the number of its attempt."""
    for number in count():
        released = gateway.store.release(replace(CONSUMER, worker=f"{job_id}-{number}")).next
        assert isinstance(released, Released)
        if released.id == job_id:
            return released.attempt
    raise AssertionError


def deliver_job(gateway: RunningGateway, job_id: str) -> None:
    """Let a worker deliver this job."""
    report = AttemptReport(job_id, release_job(gateway, job_id), '{"opportunity_id":"opp","new":true}', CONSUMER.limits)
    assert gateway.store.deliver(report, retention=3600).code == "delivered"


def problem(answer: requests.Response, status: int, kind: str) -> dict[str, Any]:
    """Return the problem of an answer, which must have this status and type."""
    assert answer.status_code == status, answer.text
    assert answer.headers["Content-Type"] == "application/problem+json"
    found: dict[str, Any] = answer.json()
    assert (found["status"], found["type"]) == (status, f"/docs#{kind}")
    assert found["title"]
    assert found["detail"]
    return found


@contextlib.contextmanager
def running_gateway(folder: Path, **environ: str) -> Iterator[RunningGateway]:
    """Run a gateway with a Redis of its own and two services while the block runs."""
    with RedisServer(folder / "redis") as server:
        running = RunningGateway(server, folder, environ=environ)
        running.add_services()
        running.start()
        yield running
        running.stop()


@pytest.fixture(scope="session")
def gateway(tmp_path_factory: pytest.TempPathFactory) -> Iterator[RunningGateway]:
    """A gateway that all tests share; each uses locations of its own."""
    with running_gateway(tmp_path_factory.mktemp("gateway")) as running:
        yield running
