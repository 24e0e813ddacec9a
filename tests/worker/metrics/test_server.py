"""The server answers at its paths, and no client can harm it."""

import socket
from collections.abc import Iterator

import pytest
import requests
from prometheus_client import CollectorRegistry, Gauge

from ops.embedded.redis_server import free_port
from worker.metrics import server as module
from worker.metrics.server import MetricsServer


@pytest.fixture
def port(monkeypatch: pytest.MonkeyPatch) -> Iterator[int]:
    """The port of a server that gives its clients little time."""
    monkeypatch.setattr(module._Handler, "timeout", 0.05)
    one, two = CollectorRegistry(), CollectorRegistry()
    Gauge("one", "the first", registry=one).set(1)
    Gauge("two", "the second", registry=two).set(2)
    port = free_port()
    server = MetricsServer("127.0.0.1", port, {"/one": one, "/two": two})
    yield port
    server.close()


def test_each_path_has_its_registry(port: int) -> None:
    for path, line, other in (("/one", "one 1.0", "two"), ("/two", "two 2.0", "one")):
        answer = requests.get(f"http://127.0.0.1:{port}{path}", timeout=30)
        assert answer.headers["content-type"].startswith("text/plain")
        assert line in answer.text
        assert other not in answer.text
    assert requests.get(f"http://127.0.0.1:{port}/", timeout=30).status_code == 404
    assert requests.post(f"http://127.0.0.1:{port}/one", data="x", timeout=30).status_code in (200, 405)


def test_a_silent_or_gone_client_keeps_no_thread_and_logs_nothing(port: int, capfd: pytest.CaptureFixture[str]) -> None:
    with socket.create_connection(("127.0.0.1", port)) as silent:
        assert silent.recv(1) == b""  # it was sent away
    with socket.create_connection(("127.0.0.1", port)) as rude:
        rude.sendall(b"GET /one HTTP/1.1\r\nHost: x\r\n")
    with socket.create_connection(("127.0.0.1", port)) as wild:
        wild.sendall(b"\x00\xff" * 100 + b"\r\n\r\n")
        wild.recv(1000)
    assert requests.get(f"http://127.0.0.1:{port}/one", timeout=30).status_code == 200
    assert "Traceback" not in "".join(capfd.readouterr())


def test_a_port_that_is_taken_or_no_address_is_an_error_at_once() -> None:
    with socket.socket() as taken:
        taken.bind(("127.0.0.1", 0))
        taken.listen()
        with pytest.raises(OSError, match="in use"):
            MetricsServer("127.0.0.1", taken.getsockname()[1], {})
    with pytest.raises(OSError):  # noqa: PT011 - what the system calls it differs
        MetricsServer("192.0.2.1", free_port(), {})


def test_it_is_gone_once_closed() -> None:
    port = free_port()
    MetricsServer("127.0.0.1", port, {}).close()
    with socket.socket() as probe:
        assert probe.connect_ex(("127.0.0.1", port)) != 0
    MetricsServer("127.0.0.1", port, {}).close()
