"""Answers whose body is cut off, or whose headers do not give its length; and valid ones that look similar."""

import pytest

from tests.worker.highlevel.wire import WireServer, own_answer
from worker.highlevel.client import HighLevelClient
from worker.highlevel.outcomes import Answer, OutcomeKind, RequestFailure, classify

SECONDS = 60.0
BEGUN = b'{"new":'

# What follows the status line, what is left of the body, and what a status other than 2xx comes to.
CUT = {
    "length": (b"Content-Length: 100\r\n\r\n" + BEGUN, BEGUN, "IncompleteRead"),
    "length and nothing": (b"Content-Length: 100\r\n\r\n", b"", "IncompleteRead"),
    "a reset in the body": (b"Content-Length: 100\r\n\r\n" + BEGUN, b"", "ConnectionResetError"),
    "no status line alone": (b"", b"", "IncompleteRead"),
    "headers": (b"Content-Type: application/js", b"", "IncompleteRead"),
    "headers behind a length of zero": (b"Content-Length: 0\r\n", b"", "IncompleteRead"),
    "chunk": (b"Transfer-Encoding: chunked\r\n\r\n64\r\n" + BEGUN, BEGUN, "IncompleteRead"),
    "before the last chunk": (b"Transfer-Encoding: chunked\r\n\r\n7\r\n" + BEGUN + b"\r\n", BEGUN, "IncompleteRead"),
    "in the size of a chunk": (b"Transfer-Encoding: chunked\r\n\r\n7\r\n" + BEGUN + b"\r\n0", BEGUN, "IncompleteRead"),
    "no chunk": (b"Transfer-Encoding: chunked\r\n\r\nnonsense\r\n", b"", "FramingError"),
    "a negative chunk": (b"Transfer-Encoding: chunked\r\n\r\n-5\r\n" + BEGUN + b"\r\n0\r\n\r\n", b"", "FramingError"),
    "a chunk with a sign": (b"Transfer-Encoding: chunked\r\n\r\n+7\r\n" + BEGUN + b"\r\n0\r\n", b"", "FramingError"),
    "a chunk that is longer than it says": (
        b"Transfer-Encoding: chunked\r\n\r\n5\r\n" + BEGUN + b"0\r\n\r\n", BEGUN[:5], "FramingError"
    ),
    "gzip": (b"Content-Encoding: gzip\r\nContent-Length: 5\r\n\r\nshort", b"", "error"),
    "two lengths": (b"Content-Length: 7\r\nContent-Length: 6\r\n\r\n" + BEGUN, b"", "FramingError"),
    "a list of lengths": (b"Content-Length: 7, 6\r\n\r\n" + BEGUN, b"", "FramingError"),
    "no number": (b"Content-Length: seven\r\n\r\n" + BEGUN, b"", "FramingError"),
    "a negative length": (b"Content-Length: -7\r\n\r\n" + BEGUN, b"", "FramingError"),
    "a length with a sign": (b"Content-Length: +7\r\n\r\n" + BEGUN, b"", "FramingError"),
    "a length behind a bad name": (b"Content-Length : 7\r\n\r\n" + BEGUN, b"", "FramingError"),
    "an unknown coding": (b"Transfer-Encoding: gzip, chunked\r\n\r\n" + BEGUN, b"", "FramingError"),
    "chunked twice": (b"Transfer-Encoding: chunked\r\nTransfer-Encoding: chunked\r\n\r\n" + BEGUN, b"", "FramingError"),
}  # fmt: skip


def client_of(server: WireServer) -> HighLevelClient:
    return HighLevelClient(server.url, "2021-07-28", SECONDS)


@pytest.mark.parametrize("name", CUT)
@pytest.mark.parametrize("status", [200, 201, 400, 404, 429, 500])
def test_a_body_that_is_cut_off_is_kept_for_a_2xx_alone(name: str, status: int) -> None:
    rest, body, error = CUT[name]
    raw = f"HTTP/1.1 {status} Status\r\n".encode() + rest
    # The server does not close the connection where the answer itself must end the reading.
    closing = frozenset() if error == "FramingError" else frozenset({1})
    with WireServer({1: raw}, closing=closing, reset="reset" in name) as server:
        client = client_of(server)
        came = client.upsert(b"{}", "token")
        again = client.upsert(b"{}", "token")
    if status < 300:
        assert isinstance(came, Answer)
        assert (came.status, came.body, came.cut) == (status, body, True)
        assert classify(came, 10).kind is OutcomeKind.UNCONFIRMED
    else:
        assert came == RequestFailure(f"broken answer: {error}", sent=True)
    assert isinstance(again, Answer)
    assert again.body == own_answer(2)
    assert server.connections == [1, 2]


@pytest.mark.parametrize(
    "rest",
    [
        b"Content-Length: 2\r\n\r\n{}",
        b"Content-Length: 2\r\nContent-Length: 2\r\n\r\n{}",
        b"Content-Length: 2, 2\r\n\r\n{}",
        b"Content-Length:2 \r\n\r\n{}",
        b"content-length:\t2\n\n{}",
        b"Transfer-Encoding: CHUNKED \r\n\r\n2;a=b\r\n{}\r\n0\r\n\r\n",
        b"Transfer-Encoding: identity\r\nContent-Length: 2\r\n\r\n{}",
        b"Connection: close\r\n\r\n{}",
        b"\r\n{}",
    ],
)
def test_an_answer_that_is_whole_is_not_cut(rest: bytes) -> None:
    with WireServer({1: b"HTTP/1.1 200 OK\r\n" + rest}, closing=frozenset({1})) as server:
        answer = client_of(server).upsert(b"{}", "token")
    assert isinstance(answer, Answer)
    assert (answer.status, answer.body, answer.cut) == (200, b"{}", False)
