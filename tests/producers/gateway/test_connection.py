"""Hostile and slow clients: what they can make the gateway keep, and for how long."""

import json
import socket
import threading
from collections.abc import Iterator
from contextlib import ExitStack, contextmanager, suppress
from typing import Any, Literal

import pytest
from uvicorn import Config, Server

from lanes.services.service import Service
from lanes.settings import ProducerSettings
from ops.embedded.redis_server import free_port
from producers.gateway import connection
from producers.gateway.app import make_app
from producers.gateway.connection import MAX_HEAD_BYTES, BoundedConnection
from tests.helpers import until
from tests.producers.gateway.conftest import RunningGateway

IDLE = 0.3
MAX = 4


async def app(scope: Any, receive: Any, send: Any) -> None:
    """Read the body and answer.

    /key counts as a request with a key, /early reads no body, /wait waits until its connection ends.
    """
    here = scope["lanes.connection"]
    here.authenticated = here.authenticated or scope["path"] == "/key"
    while scope["path"] != "/early" and (await receive()).get("more_body"):
        pass
    if scope["path"] == "/wait":
        await here.ending.wait()
    await send({"type": "http.response.start", "status": 200, "headers": [(b"content-length", b"2")]})
    await send({"type": "http.response.body", "body": b"ok"})


@contextmanager
def serving(app: Any, lifespan: Literal["on", "off"] = "off") -> Iterator[Server]:
    """Serve an app in a thread."""
    config = Config(app, port=free_port(), http=BoundedConnection, ws="none", lifespan=lifespan, log_config=None)
    server = Server(config)
    thread = threading.Thread(target=server.run)
    thread.start()
    until(lambda: server.started)
    yield server
    server.should_exit = True
    thread.join()


@pytest.fixture
def server(monkeypatch: pytest.MonkeyPatch) -> Iterator[Server]:
    monkeypatch.setattr(connection, "IDLE_SECONDS", IDLE)
    monkeypatch.setattr(connection, "MAX_CONNECTIONS", MAX)
    with serving(app) as server:
        yield server


@pytest.fixture
def port(server: Server) -> int:
    return server.config.port


def connect(port: int, sent: bytes = b"") -> socket.socket:
    client = socket.create_connection(("127.0.0.1", port), timeout=30)
    client.sendall(sent)
    return client


def request(path: str = "/", more: str = "") -> bytes:
    return f"GET {path} HTTP/1.1\r\nHost: gateway\r\n{more}\r\n".encode()


def rest(client: socket.socket) -> bytes:
    """Return all that comes until the connection ends."""
    found = bytearray()
    with suppress(ConnectionError):
        while piece := client.recv(65536):
            found += piece
    return bytes(found)


def problem_of(answer: bytes, status: int, kind: str) -> None:
    """Check that an answer that no app made is a problem, too."""
    head, _, body = answer.partition(b"\r\n\r\n")
    assert head.startswith(f"HTTP/1.1 {status} ".encode())
    assert b"\r\ncontent-type: application/problem+json\r\n" in head
    assert f"\r\ncontent-length: {len(body)}\r\n".encode() in head
    found = json.loads(body)
    assert (found["status"], found["type"]) == (status, f"/docs#{kind}")
    assert found["detail"]


def ask(client: socket.socket, path: str = "/") -> bytes:
    """Send a request on an open connection; return its answer."""
    client.sendall(request(path))
    return client.recv(65536)


UNFINISHED = {
    "nothing": b"",
    "a part of a head": request()[:-2],
    "a part of a body": b"POST / HTTP/1.1\r\nHost: g\r\nContent-Length: 10\r\n\r\nabc",
    "a part of a chunk": b"POST / HTTP/1.1\r\nHost: g\r\nTransfer-Encoding: chunked\r\n\r\n5\r\nab",
    "a body that nobody wants, after its answer": b"GET /key HTTP/1.1\r\nHost: g\r\nContent-Length: 10\r\n\r\nab",
}


@pytest.mark.parametrize("name", UNFINISHED)
def test_a_client_that_does_not_go_on_is_disconnected(port: int, name: str) -> None:
    with connect(port, UNFINISHED[name]) as client:
        assert b" 200 " not in rest(client)


def test_blank_lines_between_requests_keep_no_connection(port: int) -> None:
    with connect(port) as client:
        assert b" 200 " in ask(client)
        client.sendall(b"\r\n")
        assert rest(client) == b""


def test_the_rest_of_a_body_that_was_answered_is_dropped(port: int) -> None:
    size = 8 * MAX_HEAD_BYTES
    with connect(port, f"POST /early HTTP/1.1\r\nHost: g\r\nContent-Length: {size}\r\n\r\n".encode()) as client:
        assert b" 200 " in client.recv(65536)
        client.sendall(b"x" * size)
        assert b" 200 " in ask(client)


def endless(name: str) -> Iterator[bytes]:
    """Yield the beginning of a request that never ends, and then the same piece again and again."""
    piece = b"x" * 4096
    if name == "the path":
        yield b"GET /"
    elif name == "a header":
        yield b"GET / HTTP/1.1\r\nHost: "
    elif name == "headers":
        yield b"GET / HTTP/1.1\r\n"
        piece = b"Header: value\r\n" * 250
    elif name == "trailers":
        yield b"POST / HTTP/1.1\r\nHost: g\r\nTransfer-Encoding: chunked\r\n\r\n1\r\na\r\n0\r\n"
        piece = b"Header: value\r\n" * 250
    else:
        yield b"POST / HTTP/1.1\r\nHost: g\r\nTransfer-Encoding: chunked\r\n\r\n1;"
    while True:
        yield piece


@pytest.mark.parametrize("name", ["the path", "a header", "headers", "trailers", "a chunk's extension"])
def test_an_endless_head_is_cut_off(port: int, name: str) -> None:
    sent = 0
    with connect(port) as client, suppress(ConnectionError):
        for piece in endless(name):
            client.sendall(piece)
            sent += len(piece)
            assert sent < 16 << 20  # what the system keeps between the two
    with connect(port) as another:
        assert b" 200 " in ask(another)


def test_a_head_up_to_the_limit_is_read_and_a_longer_one_refused(port: int) -> None:
    with connect(port, request(more=f"Long: {'x' * (MAX_HEAD_BYTES - 200)}\r\n")) as client:
        assert b" 200 " in client.recv(65536)
    with connect(port, request(more=f"Long: {'x' * MAX_HEAD_BYTES}\r\n")) as client:
        problem_of(rest(client), 431, "headers")


def test_at_the_limit_the_oldest_connection_without_a_key_gives_way(port: int) -> None:
    with_key = connect(port)
    assert b" 200 " in ask(with_key, "/key")
    waiting = [connect(port, request("/wait")) for _ in range(MAX - 1)]
    with connect(port) as another:
        assert b" 200 " in ask(another)
        assert rest(waiting[0]) == b""
        assert b" 200 " in ask(with_key)
    for client in (with_key, *waiting):
        client.close()


def test_when_all_have_a_key_the_oldest_idle_connection_gives_way(port: int) -> None:
    with ExitStack() as stack:
        clients = [stack.enter_context(connect(port)) for _ in range(MAX)]
        for client in clients:
            assert b" 200 " in ask(client, "/key")
        clients[0].sendall(request("/wait"))
        another = stack.enter_context(connect(port))
        assert b" 200 " in ask(another, "/key")
        assert rest(clients[1]) == b""
        for client in (*clients[2:], another):
            client.sendall(request("/wait"))
        assert rest(stack.enter_context(connect(port))) == b""


def test_a_connection_is_kept_as_long_as_its_key_is_valid(
    gateway: RunningGateway, monkeypatch: pytest.MonkeyPatch
) -> None:
    def ask_with(client: socket.socket, key: str, path: str = "/v1/jobs/a") -> bytes:
        client.sendall(request(path, f"Authorization: Bearer {key}\r\n"))
        return client.recv(65536)

    monkeypatch.setattr(connection, "MAX_CONNECTIONS", MAX)
    monkeypatch.setattr("lanes.services.store.CACHE_SECONDS", 0)
    gateway.services.add(Service("connected"))
    key = gateway.services.make_key("connected")
    with serving(make_app(ProducerSettings(redis_url=gateway.redis.url)), "on") as server, ExitStack() as clients:
        kept, *others = [clients.enter_context(connect(server.config.port)) for _ in range(MAX)]
        assert b" 404 " in ask_with(kept, key)
        for client in others:
            assert b" 401 " in ask_with(client, "lanes_wrong")
        new = clients.enter_context(connect(server.config.port))
        assert rest(others[0]) == b""
        assert b" 404 " in ask_with(kept, key)
        gateway.services.remove("connected")
        assert b" 401 " in ask_with(kept, key)
        assert b" 401 " in ask_with(new, "lanes_wrong")
        clients.enter_context(connect(server.config.port))
        assert rest(kept) == b""
        assert b" 401 " in ask_with(others[1], "lanes_wrong")


def test_requests_in_a_row_are_answered_in_order(port: int) -> None:
    with connect(port, request() * 3) as client:
        found = b""
        while found.count(b" 200 ") < 3:
            found += client.recv(65536)


def test_garbage_is_400(port: int) -> None:
    with connect(port, b"\x16\x03\x01\x02\x00\x01\x00\x01\xfc\x03\x03") as client:
        problem_of(rest(client), 400, "unreadable")


HEAD = "POST / HTTP/1.1\r\nHost: g\r\n"
CHUNKED = f"{HEAD}Transfer-Encoding: chunked\r\n"
SMUGGLED = {
    "two lengths": f"{HEAD}Content-Length: 1\r\nContent-Length: 2\r\n\r\nab",
    "a length and chunks": f"{CHUNKED}Content-Length: 5\r\n\r\n0\r\n\r\n",
    "chunks that are not the last coding": f"{HEAD}Transfer-Encoding: chunked, identity\r\n\r\n0\r\n\r\n",
    "a coding that is none": f"{HEAD}Transfer-Encoding: xchunked\r\n\r\n0\r\n\r\n",
    "a chunk of no size": f"{CHUNKED}\r\nzz\r\n\r\n",
    "a chunk of a negative size": f"{CHUNKED}\r\n-5\r\n\r\n",
    "a chunk of an endless size": f"{CHUNKED}\r\n{'f' * 20}\r\n\r\n",
    "a chunk that ends with a line feed": f"{CHUNKED}\r\n1\na\n0\n\n",
    "a folded header": f"{HEAD}Header: a\r\n b\r\n\r\n",
    "a space before the colon": f"{HEAD}Content-Length : 1\r\n\r\na",
    "a signed length": f"{HEAD}Content-Length: +1\r\n\r\na",
    "NUL in a header": f"{HEAD}Header: a\0b\r\n\r\n",
}


@pytest.mark.parametrize("name", SMUGGLED)
def test_no_second_request_is_smuggled(port: int, name: str) -> None:
    smuggled = "GET /smuggled HTTP/1.1\r\nHost: g\r\n\r\n"
    with connect(port, f"{SMUGGLED[name]}{smuggled}".encode()) as client:
        found = rest(client)
    assert found.count(b"HTTP/1.1 ") == 1
    problem_of(found, 400, "unreadable")


def test_a_waiting_request_ends_with_the_server(server: Server, port: int) -> None:
    with connect(port, request("/wait")) as client:
        until(lambda: server.server_state.tasks)
        server.should_exit = True
        assert b" 200 " in rest(client)
