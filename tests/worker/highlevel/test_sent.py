"""Whether a failed request may have reached the server; and closing a connection explicitly."""

import socket
import threading
import time
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from contextlib import contextmanager
from pathlib import Path

import pytest

from tests.certificates import make_certificate
from tests.helpers import until
from tests.worker.highlevel.wire import WireServer, own_answer
from worker.highlevel.client import HighLevelClient
from worker.highlevel.outcomes import Answer, RequestFailure

SECONDS = 60.0
SHORT = 0.3  # for what ends by its deadline


def ask(url: str, seconds: float) -> Answer | RequestFailure:
    return HighLevelClient(url, "2021-07-28", seconds).upsert(b"{}", "token")


@contextmanager
def silent_listener() -> Iterator[int]:
    """A port where the kernel opens connections, and no program answers."""
    with socket.create_server(("127.0.0.1", 0)) as listener:
        yield int(listener.getsockname()[1])


def is_unsent(came: object) -> bool:
    assert isinstance(came, RequestFailure)
    return not came.sent


def test_a_connection_that_is_refused() -> None:
    with silent_listener() as port:
        pass
    assert is_unsent(ask(f"http://127.0.0.1:{port}", SECONDS))


def test_a_name_that_is_not_resolved() -> None:
    assert is_unsent(ask("http://no-such-name.invalid", SECONDS))


def test_a_certificate_that_is_not_trusted(tmp_path: Path) -> None:
    with WireServer({}, make_certificate(tmp_path / "own.pem")) as server:
        assert is_unsent(ask(server.url, SECONDS))
    assert server.seen == []


def test_a_server_that_speaks_no_tls() -> None:
    with WireServer({}) as server:
        assert is_unsent(ask(server.url.replace("http:", "https:"), SHORT))


def test_a_handshake_that_is_never_answered() -> None:
    with silent_listener() as port:
        assert is_unsent(ask(f"https://127.0.0.1:{port}", SHORT))


def test_a_deadline_that_is_over_before() -> None:
    with WireServer({}) as server:
        client = HighLevelClient(server.url, "2021-07-28", SECONDS)
        assert is_unsent(client.upsert(b"{}", "token", ends_by=time.monotonic()))
        assert isinstance(client.upsert(b"{}", "token"), Answer)
        assert is_unsent(client.upsert(b"{}", "token", ends_by=time.monotonic()))
    assert len(server.seen) == 1


def test_a_token_that_is_no_header() -> None:
    with WireServer({}) as server:
        assert is_unsent(HighLevelClient(server.url, "2021-07-28", SECONDS).upsert(b"{}", "a\nb"))
    assert server.seen == []


@pytest.mark.parametrize("raw", [b"", b"SSH-2.0\r\n", b"HTTP/1.1 103 Early Hints\r\n\r\n", b"HTTP/1.1 500 No\r\nX"])
def test_a_request_that_gets_no_whole_answer_was_sent(raw: bytes) -> None:
    with WireServer({1: raw}, closing=frozenset({1})) as server:
        assert not is_unsent(ask(server.url, SECONDS))
    assert len(server.seen) == 1


def test_a_request_that_is_never_answered_was_sent() -> None:
    with WireServer({1: b""}) as server:
        assert not is_unsent(ask(server.url, SHORT))


def test_a_kept_connection_that_breaks_under_the_next_request() -> None:
    with WireServer({2: b""}, closing=frozenset({2})) as server:
        client = HighLevelClient(server.url, "2021-07-28", SECONDS)
        assert isinstance(client.upsert(b"{}", "token"), Answer)
        assert not is_unsent(client.upsert(b"{}", "token"))
    assert server.connections == [1, 1]


def test_a_thread_drops_its_own_connection_and_no_other() -> None:
    together = threading.Barrier(2, timeout=SECONDS)

    def send(client: HighLevelClient, *, drops: bool) -> None:
        client.drop_connection()  # there is none yet
        client.upsert(b"first", "token")
        together.wait()
        if drops:
            client.drop_connection()
            client.drop_connection()
            until(lambda: server.ended == 1, "the server to see that a connection is closed")
        together.wait()
        came = client.upsert(b"dropped" if drops else b"kept", "token")
        assert isinstance(came, Answer)
        together.wait()  # a thread that ends closes its connection

    with WireServer({}) as server, ThreadPoolExecutor(2) as pool:
        client = HighLevelClient(server.url, "2021-07-28", SECONDS)
        for sending in [pool.submit(send, client, drops=drops) for drops in (True, False)]:
            sending.result(SECONDS)
        assert server.ended == 1
    by_body = {seen.body: seen.connection for seen in server.seen}
    assert by_body[b"dropped"] == 3
    assert by_body[b"kept"] in (1, 2)


def test_a_connection_is_dropped_between_two_requests() -> None:
    with WireServer({}) as server:
        client = HighLevelClient(server.url, "2021-07-28", SECONDS)
        bodies = []
        for _ in range(3):
            came = client.upsert(b"{}", "token")
            assert isinstance(came, Answer)
            bodies.append(came.body)
            client.drop_connection()
    assert bodies == [own_answer(number) for number in (1, 2, 3)]
    assert server.connections == [1, 2, 3]
