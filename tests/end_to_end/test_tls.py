"""Redis over TLS: workers, the dashboard, the command and producers verify the server, and all of it works."""

from collections.abc import Iterator
from pathlib import Path

import pytest
import redis
import requests

from lanes.settings import ProducerSettings
from ops.embedded.redis_server import RedisServer
from ops.embedded.stack import Stack
from producers import OpportunityProducer, State
from tests.certificates import make_certificate
from tests.helpers import row, until
from tests.proxy import Proxy

PASSWORD = "open-sesame-of-the-test"


@pytest.fixture
def stack(tmp_path: Path) -> Iterator[Stack]:
    stack = Stack(tmp_path / "stack")
    stack.redis = RedisServer(tmp_path / "redis", options=["--requirepass", PASSWORD])
    stack.start_redis()
    yield stack
    stack.stop()


def test_everything_works_over_tls(stack: Stack, tmp_path: Path) -> None:
    certificate = make_certificate(tmp_path / "redis.pem")
    with Proxy(stack.redis.port, certificate) as line:
        url = f"rediss://:{PASSWORD}@127.0.0.1:{line.port}/0?ssl_ca_certs={certificate}"
        stack.settings["LANES_REDIS_URL"] = url
        stack.start_sandbox()
        worker = stack.start_worker()
        stack.start_dashboard()
        with OpportunityProducer.from_settings(ProducerSettings(redis_url=url)) as producer:
            receipt = producer.enqueue(row("loc", "a"))
            assert producer.wait(receipt.job_id, 60).state is State.DELIVERED
        assert stack.start("status", ["ops.command", "status"]).wait(60) == 0
        until(lambda: "worker@" in requests.get(f"{stack.flower_url}/workers", timeout=10).text, "Flower to see it")
        assert requests.get(f"{stack.flower_url}/throughput/data", timeout=10).status_code == 200
        assert requests.get(f"{stack.flower_url}/broker", timeout=10).status_code == 200
        line.cut()  # and it comes back, over TLS again
        with OpportunityProducer.from_settings(ProducerSettings(redis_url=url)) as producer:
            assert producer.wait(producer.enqueue(row("loc", "b")).job_id, 60).state is State.DELIVERED
        assert PASSWORD not in worker.output


IMPOSTORS = {"of another name": ("127.0.0.2", True), "of an unknown authority": ("127.0.0.1", False)}


@pytest.mark.parametrize("which", IMPOSTORS)
def test_no_process_sends_an_impostor_the_password(stack: Stack, tmp_path: Path, which: str) -> None:
    name, trusted = IMPOSTORS[which]
    certificate = make_certificate(tmp_path / "redis.pem", name)
    with Proxy(stack.redis.port, certificate) as line:
        options = f"?ssl_ca_certs={certificate}" if trusted else ""
        stack.settings["LANES_REDIS_URL"] = f"rediss://:{PASSWORD}@127.0.0.1:{line.port}/0{options}"
        with redis.Redis.from_url(stack.redis.url, password=PASSWORD) as beside:
            before = beside.info("stats")["total_connections_received"]
            arguments = ["celery", "-A", "worker", "worker", "--loglevel", "info", "--hostname", "worker@%h"]
            worker = stack.start("worker", arguments)
            dashboard = stack.start("dashboard", ["ops.command", "dashboard", f"--port={stack.flower_port}"])
            status = stack.start("status", ["ops.command", "status"])
            assert status.wait(60) == 3
            assert "certificate verify failed" in status.output
            for child in (worker, dashboard):
                until(lambda child=child: "certificate verify failed" in child.output, f"{child.name} to say why")  # type: ignore[misc]
            assert beside.info("stats")["total_connections_received"] == before
        assert " ready." not in worker.output
        assert all(PASSWORD not in child.output for child in (worker, dashboard, status))


def test_a_socket_of_this_machine_serves_as_well(tmp_path: Path) -> None:
    stack = Stack(tmp_path / "stack")
    socket = tmp_path / "redis.sock"
    stack.redis = RedisServer(tmp_path / "redis", options=["--unixsocket", str(socket), "--requirepass", PASSWORD])
    with stack:
        stack.start_redis()
        url = f"unix://:{PASSWORD}@{socket}?db=1"
        stack.settings["LANES_REDIS_URL"] = url
        stack.start_sandbox()
        stack.start_worker()
        with OpportunityProducer.from_settings(ProducerSettings(redis_url=url)) as producer:
            assert producer.wait(producer.enqueue(row("loc", "a")).job_id, 60).state is State.DELIVERED
