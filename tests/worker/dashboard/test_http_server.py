"""The limits of the HTTP server, with short times: connections, slow headers, slow bodies."""

import asyncio
import socket
import threading
from collections.abc import Iterator
from typing import Self

import pytest
from tornado.netutil import bind_sockets
from tornado.web import Application, RequestHandler

from worker.dashboard.http_server import BoundedServer

TIMEOUT_SECONDS = 60.0
CONNECTIONS = 8


class Answering(RequestHandler):
    """Answers with the client's address; `?login` counts as a login."""

    def prepare(self) -> None:
        """Note the login."""
        if self.request.query == "login":
            self.settings["server"].server.mark_logged_in(self.request)

    def get(self) -> None:
        """Answer."""
        self.write(f"got {self.request.remote_ip}")


class Serving:
    """A server in a thread."""

    def __init__(self, **limits: float) -> None:
        self._limits = limits
        self._began = threading.Event()
        self._thread = threading.Thread(target=lambda: asyncio.run(self._serve()))

    async def _serve(self) -> None:
        self.server = BoundedServer(Application([("/", Answering)], server=self), **self._limits)
        sockets = bind_sockets(0, "127.0.0.1")
        self.server.add_sockets(sockets)
        self.port = sockets[0].getsockname()[1]
        self._loop, self._end = asyncio.get_running_loop(), asyncio.Event()
        self._began.set()
        await self._end.wait()
        self.server.stop()
        await self.server.close_all_connections()

    def __enter__(self) -> Self:
        self._thread.start()
        assert self._began.wait(TIMEOUT_SECONDS)
        return self

    def __exit__(self, *_: object) -> None:
        self._loop.call_soon_threadsafe(self._end.set)
        self._thread.join(TIMEOUT_SECONDS)

    def connect(self, sent: bytes = b"") -> socket.socket:
        """Return a connection that has sent this."""
        client = socket.create_connection(("127.0.0.1", self.port), timeout=TIMEOUT_SECONDS)
        client.sendall(sent)
        return client


def request(query: str = "") -> bytes:
    return f"GET /{query} HTTP/1.1\r\nHost: x\r\n\r\n".encode()


@pytest.fixture(scope="module")
def impatient() -> Iterator[Serving]:
    with Serving(header_seconds=0.2, body_seconds=0.2) as serving:
        yield serving


@pytest.mark.parametrize(
    "sent",
    [b"", b"GET / HTTP/1.1\r\nHost: x\r\n", b"POST / HTTP/1.1\r\nHost: x\r\nContent-Length: 9\r\n\r\nab"],
    ids=["silent", "slow headers", "slow body"],
)
def test_a_slow_client_is_disconnected(impatient: Serving, sent: bytes) -> None:
    with impatient.connect(sent) as client:
        assert client.recv(100) == b""  # the end; without it, this waits for its timeout


def test_beyond_the_limit_the_oldest_connection_without_a_login_ends() -> None:
    with Serving(max_connections=CONNECTIONS) as serving, serving.connect(request("?login")) as operator:
        assert operator.recv(1000).endswith(b"got 127.0.0.1")
        idle = [serving.connect() for _ in range(3 * CONNECTIONS)]
        with serving.connect(request()) as late:
            assert late.recv(1000).endswith(b"got 127.0.0.1")  # a newcomer is served
        assert idle[0].recv(100) == b""
        operator.sendall(request("?login"))
        assert operator.recv(1000).endswith(b"got 127.0.0.1")
        for client in idle:
            client.close()


def test_if_all_have_a_login_a_newcomer_is_refused() -> None:
    with Serving(max_connections=2) as serving:
        people = [serving.connect(request("?login")) for _ in range(2)]
        assert all(client.recv(1000).endswith(b"got 127.0.0.1") for client in people)
        with serving.connect() as late:
            assert late.recv(1000) == b""
        for client in people:
            client.sendall(request("?login"))
            assert client.recv(1000).endswith(b"got 127.0.0.1")
            client.close()


@pytest.mark.parametrize(("trusted", "address"), [(False, b"127.0.0.1"), (True, b"10.1.2.3")])
@pytest.mark.parametrize("name", ["X-Real-Ip", "X-Forwarded-For"])
def test_the_address_in_a_header_counts_only_with_the_option(trusted: bool, address: bytes, name: str) -> None:
    sent = request().replace(b"Host: x", f"Host: x\r\n{name}: 10.1.2.3".encode())
    with Serving(xheaders=trusted) as serving, serving.connect(sent) as client:
        assert client.recv(1000).endswith(b"got " + address)
