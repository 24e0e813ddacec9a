"""Bytes that belong to no answer: they are never taken for one, and their connection is not used again."""

import socket
import time
from collections.abc import Callable, Iterator
from contextlib import ExitStack
from pathlib import Path

import pytest

from tests.certificates import make_certificate
from tests.helpers import until
from tests.worker.highlevel.wire import WireServer, answer, own_answer
from worker.highlevel.client import HighLevelClient
from worker.highlevel.outcomes import Answer, RequestFailure
from worker.highlevel.strict_response import RECEIVE_BYTES, StrictReader

SECONDS = 60.0
HINTS = b"HTTP/1.1 103 Early Hints\r\nLink: </style.css>; rel=preload\r\n\r\n"
CONTINUE = b"HTTP/1.1 100 Continue\r\n\r\n"
REFUSED = answer(b'{"message":"not yours"}', "400 Bad Request")
CHUNKED = b"HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n%s\r\n"
BODY = own_answer(1)
CHUNKS = b"%x\r\n%s\r\n0\r\n\r\n" % (len(BODY), BODY)


def padded(total: int) -> bytes:
    """Return an answer whose bytes are so many, so that the reader's buffer ends where the answer does."""
    body = BODY + b" " * (total - len(answer(BODY)))
    return answer(body + b" " * (total - len(answer(body))))


# What the first request gets. All of these are whole answers with status 200 and the body of the first request.
WITH_STRAY_BYTES = {
    "100 before": CONTINUE + answer(BODY),
    "102 before": b"HTTP/1.1 102 Processing\r\n\r\n" + answer(BODY),
    "103 before": HINTS + answer(BODY),
    "three 1xx before": HINTS + CONTINUE + HINTS + answer(BODY),
    "thousands of 1xx before": HINTS * 5000 + answer(BODY),
    "1xx of no known number before": b"HTTP/1.1 199 Odd\r\nX-A: b\r\n\r\n" + answer(BODY),
    "103 behind": answer(BODY) + HINTS,
    "line end behind": answer(BODY) + b"\r\n",
    "a byte behind, as with a length that is too short": answer(BODY) + b"x",
    "half an answer behind": answer(BODY) + REFUSED[:20],
    "a second answer": answer(BODY) + REFUSED,
    "three answers": answer(BODY) + REFUSED + REFUSED,
    "a second answer of which the reader holds all but the end": padded(RECEIVE_BYTES - 20) + REFUSED,
    "a second answer right behind the reader's buffer": padded(RECEIVE_BYTES) + REFUSED,
    "bytes behind the last chunk": CHUNKED % b"" + CHUNKS + b"x",
    "a second answer behind the last chunk": CHUNKED % b"" + CHUNKS + REFUSED,
    "a second answer for a trailer": CHUNKED % b"" + CHUNKS[:-2] + REFUSED,
    "a trailer": CHUNKED % b"" + CHUNKS[:-2] + b"X-A: b\r\n\r\n",
    "length and chunks": CHUNKED % b"Content-Length: 3\r\n" + CHUNKS,
    "chunks in HTTP/1.0": CHUNKED.replace(b"1.1", b"1.0") % b"Connection: keep-alive\r\n" + CHUNKS,
    "a header line without a colon": answer(BODY, headers="nonsense\r\n"),
}


@pytest.fixture(scope="module")
def certificate(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A certificate and its key."""
    return make_certificate(tmp_path_factory.mktemp("tls") / "server.pem")


@pytest.fixture(params=["http", "https"])
def serve(
    request: pytest.FixtureRequest, certificate: Path, monkeypatch: pytest.MonkeyPatch
) -> Iterator[Callable[..., WireServer]]:
    """Start a server that gives these answers; it ends with the test."""
    monkeypatch.setattr("requests.adapters.DEFAULT_CA_BUNDLE_PATH", str(certificate))
    own = certificate if request.param == "https" else None
    with ExitStack() as stack:
        yield lambda first, **options: stack.enter_context(WireServer({1: first}, own, **options))


def client_of(server: WireServer, timeout: float = SECONDS) -> HighLevelClient:
    return HighLevelClient(server.url, "2021-07-28", timeout)


def ask(client: HighLevelClient) -> tuple[int, bytes] | RequestFailure:
    came = client.upsert(b"{}", "token")
    return (came.status, came.body.strip()) if isinstance(came, Answer) else came


@pytest.mark.parametrize("first", WITH_STRAY_BYTES.values(), ids=WITH_STRAY_BYTES)
def test_each_request_gets_its_own_answer_and_the_connection_is_left(
    serve: Callable[..., WireServer], first: bytes
) -> None:
    server = serve(first)
    client = client_of(server)
    answers = [ask(client) for _ in range(3)]
    assert answers == [(200, own_answer(number)) for number in (1, 2, 3)]
    assert server.connections == [1, 2, 2]


@pytest.mark.parametrize("status", ["204 No Content", "304 Not Modified"])
@pytest.mark.parametrize("body", [b"x", b'{"message":"not yours"}', REFUSED], ids=["a byte", "JSON", "an answer"])
def test_a_body_where_none_may_be(serve: Callable[..., WireServer], status: str, body: bytes) -> None:
    server = serve(answer(body, status))
    client = client_of(server)
    assert ask(client) == (int(status[:3]), b"")
    assert ask(client) == (200, own_answer(2))
    assert server.connections == [1, 2]


@pytest.mark.parametrize("framing", [b"Content-Length: 5", b"Transfer-Encoding: chunked"])
def test_a_204_that_announces_a_body(serve: Callable[..., WireServer], framing: bytes) -> None:
    server = serve(b"HTTP/1.1 204 No Content\r\n" + framing + b"\r\n\r\n")
    client = client_of(server)
    assert ask(client) == (204, b"")
    assert ask(client) == (200, own_answer(2))
    assert server.connections == [1, 2]


@pytest.mark.parametrize("status", ["204 No Content", "304 Not Modified"])
def test_an_answer_without_a_body_keeps_its_connection(serve: Callable[..., WireServer], status: str) -> None:
    server = serve(f"HTTP/1.1 {status}\r\n\r\n".encode())
    client = client_of(server)
    assert ask(client) == (int(status[:3]), b"")
    assert ask(client) == (200, own_answer(2))
    assert server.connections == [1, 1]


def test_an_answer_of_which_more_is_left_than_is_read() -> None:
    server, client = socket.socketpair()
    with server, client:
        server.sendall(CHUNKED % b"" + CHUNKS)
        reader = StrictReader(client.recv)
        assert reader.read(2) == (200, {"transfer-encoding": "chunked"}, BODY[:2], None)
    assert not reader.reusable


@pytest.mark.parametrize("between", [b"\r\n", HINTS, REFUSED, answer(b'{"a": 1}') * 1000], ids=len)
def test_bytes_between_two_requests(serve: Callable[..., WireServer], between: bytes) -> None:
    server = serve(answer(BODY), late=between)
    client = client_of(server)
    assert ask(client) == (200, BODY)
    server.push_late()
    assert ask(client) == (200, own_answer(2))
    assert server.connections == [1, 2]


@pytest.mark.parametrize(
    "head",
    [
        b"HTTP/1.1 101 Switching Protocols\r\nUpgrade: h2c\r\nConnection: Upgrade\r\n\r\n",
        HINTS + b"HTTP/1.1 101 Switching Protocols\r\n\r\n",
    ],
    ids=["at once", "after another 1xx"],
)
def test_a_protocol_that_was_never_asked_for(serve: Callable[..., WireServer], head: bytes) -> None:
    server = serve(head + answer(BODY))
    client = client_of(server)
    assert ask(client) == RequestFailure("connection failed: UnexpectedUpgradeError")
    assert ask(client) == (200, own_answer(2))
    assert server.connections == [1, 2]


@pytest.mark.parametrize(
    "first",
    [HINTS, HINTS * 3 + b"HTTP/1.1 2", b"HTTP/1.1 103 Early Hints\r\nLink: <"],
    ids=["nothing more", "half a status line", "half a 1xx"],
)
def test_only_1xx_and_then_the_end(serve: Callable[..., WireServer], first: bytes) -> None:
    server = serve(first, closing=frozenset({1}))
    client = client_of(server)
    assert isinstance(ask(client), RequestFailure)
    assert ask(client) == (200, own_answer(2))


def test_1xx_without_end_are_read_to_the_deadline(serve: Callable[..., WireServer]) -> None:
    server = serve(HINTS, again=True)
    client = client_of(server, timeout=1)
    began = time.monotonic()
    assert ask(client) == RequestFailure("no whole answer within 1 s")
    assert time.monotonic() - began < SECONDS


@pytest.mark.parametrize("keep", [True, False])
def test_a_connection_without_surprises_is_kept(serve: Callable[..., WireServer], keep: bool) -> None:
    chunked = CHUNKED % (b"" if keep else b"Connection: close\r\n") + CHUNKS
    server = serve(chunked)
    client = client_of(server)
    for number in range(1, 6):
        assert ask(client) == (200, own_answer(number))
    assert server.connections == ([1] * 5 if keep else [1, 2, 2, 2, 2])


def test_a_connection_that_was_given_up_is_closed_at_once(serve: Callable[..., WireServer]) -> None:
    server = serve(HINTS + answer(BODY))
    client = client_of(server)
    assert ask(client) == (200, BODY)
    until(lambda: server.ended == 1, "the server to see that its connection is closed")
