"""Hostile servers, for both clients that send secrets: what they get, and how much memory they can make us use."""

import gzip
import os
import socket
import threading
import time
import tracemalloc
from collections.abc import Callable, Iterator
from contextlib import ExitStack, suppress
from pathlib import Path

import pytest

from lanes.errors import SettingsError
from lanes.settings import WorkerSettings
from tests.worker.highlevel.recorder import Recorder
from worker.highlevel.bounded_post import MAX_ANSWER_BYTES
from worker.highlevel.client import HighLevelClient
from worker.highlevel.outcomes import Answer, RequestFailure, classify
from worker.tokens.oauth import Grant, OAuthClient, TokenDenied

TOKEN = "pit-token-that-stays-home"
SECRETS = (TOKEN, "refresh-that-stays-home", "secret-that-stays-home")
SECONDS = 20.0

Ask = Callable[[str, float], object]

ASKS: dict[str, Ask] = {
    "upsert": lambda url, seconds: HighLevelClient(url, "v3", seconds).upsert(b"{}", TOKEN),
    "refresh": lambda url, seconds: OAuthClient(url, seconds).refresh(SECRETS[1], "id", SECRETS[2], "Location"),
    "exchange": lambda url, seconds: OAuthClient(url, seconds).exchange("company", "loc", TOKEN),
}


@pytest.fixture(params=ASKS)
def ask(request: pytest.FixtureRequest) -> Ask:
    """Each way in which a secret goes out."""
    return ASKS[request.param]


@pytest.fixture
def record() -> Iterator[Callable[..., Recorder]]:
    """Start a recorder with these answers; it ends with the test."""
    with ExitStack() as stack:
        yield lambda **answer: stack.enter_context(Recorder(**answer))


def reported(server: Recorder) -> str:
    return "".join(f"{seen.target}{dict(seen.headers)}{seen.body!r}" for seen in server.seen)


@pytest.mark.parametrize("status", [301, 302, 303, 307, 308])
def test_a_redirect_leaks_nothing(ask: Ask, record: Callable[..., Recorder], status: int) -> None:
    elsewhere = record()
    server = record(status=status, headers={"Location": f"{elsewhere.url}/opportunities/upsert"})
    assert not isinstance(ask(server.url, SECONDS), Grant)
    assert len(server.seen) == 1
    assert elsewhere.seen == []


def test_the_environment_sends_it_nowhere_and_adds_nothing(
    ask: Ask, record: Callable[..., Recorder], monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    server, proxy = record(), record()
    for name in ("HTTP_PROXY", "HTTPS_PROXY", "ALL_PROXY"):
        monkeypatch.setenv(name, proxy.url)
        monkeypatch.setenv(name.lower(), proxy.url)
    for name in ("NO_PROXY", "no_proxy"):
        monkeypatch.delenv(name, raising=False)
    netrc = tmp_path / "netrc"
    netrc.write_text("machine 127.0.0.1 login somebody password else\n")
    monkeypatch.setenv("NETRC", str(netrc))
    ask(server.url, SECONDS)
    assert len(server.seen) == 1
    assert proxy.seen == []
    assert "Basic " not in reported(server)


def test_nothing_secret_stands_in_the_address(ask: Ask, record: Callable[..., Recorder]) -> None:
    server = record()
    ask(server.url, SECONDS)
    assert not any(secret in server.seen[0].target for secret in SECRETS)


def test_a_gzip_bomb_is_not_unpacked(ask: Ask, record: Callable[..., Recorder]) -> None:
    bomb = gzip.compress(b"[" * (256 * 1024 * 1024), compresslevel=9)
    assert len(bomb) < 512 * 1024
    server = record(body=bomb, headers={"Content-Encoding": "gzip"})
    tracemalloc.start()
    try:
        answer = ask(server.url, SECONDS)
        _, most = tracemalloc.get_traced_memory()
    finally:
        tracemalloc.stop()
    assert most < 32 * 1024 * 1024
    assert not isinstance(answer, Grant | TokenDenied)
    if isinstance(answer, Answer):
        assert len(answer.body) <= 2 * MAX_ANSWER_BYTES


@pytest.mark.parametrize("times", [5, 50])
def test_gzip_in_gzip_in_gzip_is_refused(ask: Ask, record: Callable[..., Recorder], times: int) -> None:
    body = os.urandom(100)
    for _ in range(times):
        body = gzip.compress(body)
    answer = ask(record(body=body, headers={"Content-Encoding": ", ".join(["gzip"] * times)}).url, SECONDS)
    assert not isinstance(answer, Grant)


def serve_forever(head: bytes, piece: bytes, pause: float, stack: ExitStack) -> str:
    """Start a server that answers with this beginning, and then endlessly with the same chunk."""
    listener = stack.enter_context(socket.create_server(("127.0.0.1", 0)))
    ended = threading.Event()
    stack.callback(ended.set)

    def serve() -> None:
        with suppress(OSError):
            while True:
                connection, _ = listener.accept()
                with connection, suppress(OSError):
                    connection.recv(65536)
                    connection.sendall(head)
                    while not ended.wait(pause):
                        connection.sendall(piece)

    threading.Thread(target=serve, daemon=True).start()
    return f"http://127.0.0.1:{listener.getsockname()[1]}"


CHUNKED = b"HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n"


@pytest.mark.parametrize(
    ("head", "piece"),
    [
        (b"HTTP/1.1 200 OK\r\n\r\n", b"x" * 10_000),
        (CHUNKED, b"2710\r\n" + b"x" * 10_000 + b"\r\n"),
        (b"HTTP/1.1 200 OK\r\nContent-Length: 99999999999999\r\n\r\n", b"x" * 10_000),
    ],
    ids=["until it closes", "chunked", "a long length"],
)
def test_an_answer_without_end_is_read_to_its_limit(ask: Ask, head: bytes, piece: bytes) -> None:
    with ExitStack() as stack:
        answer = ask(serve_forever(head, piece, 0, stack), SECONDS)
    assert not isinstance(answer, Grant)
    if isinstance(answer, Answer):
        assert len(answer.body) <= MAX_ANSWER_BYTES + 1


@pytest.mark.parametrize(
    ("head", "piece"),
    [
        (b"HTTP/1.1 200 OK\r\nContent-Length: 1000\r\n\r\n", b" "),
        (CHUNKED, b"1\r\n \r\n"),
        (b"HTTP/1.1 200 OK\r\nX-Long: ", b"x"),
        (b"HTTP/1.1 100 Continue\r\n\r\n", b"HTTP/1.1 100 Continue\r\n\r\n"),
        (b"", b"H"),
    ],
    ids=["body", "chunks", "header", "continue", "status line"],
)
def test_an_answer_in_drips_ends_at_the_deadline(ask: Ask, head: bytes, piece: bytes) -> None:
    began = time.monotonic()
    with ExitStack() as stack:
        answer = ask(serve_forever(head, piece, 0.02, stack), 0.5)
    assert isinstance(answer, RequestFailure)
    assert 0.4 <= time.monotonic() - began < SECONDS


@pytest.mark.parametrize(
    "body",
    [b"[" * 200_000, b'{"message":' * 20_000, b'{"a":' + b"9" * 200_000 + b"}", b"\xff\xfe" * 1000, b"null", b"[]"],
    ids=["deep list", "deep object", "long number", "no text", "null", "list"],
)
def test_what_cannot_be_understood_is_no_surprise(ask: Ask, record: Callable[..., Recorder], body: bytes) -> None:
    for status in (200, 201, 400, 401, 403, 422, 429, 500):
        answer = ask(record(status=status, body=body).url, SECONDS)
        assert not isinstance(answer, Grant)
        if isinstance(answer, Answer):
            outcome = classify(answer, 10)
            assert len(outcome.message or "") < 10_000


@pytest.mark.parametrize(
    "url",
    [
        "http://services.leadconnectorhq.com",
        "https://user:pass@services.leadconnectorhq.com",
        "https://user@services.leadconnectorhq.com",
        "https://@services.leadconnectorhq.com",
        "https://services.leadconnectorhq.com@evil.example",
        "https://evil.example\\@services.leadconnectorhq.com",
        "https://evil.example\\.services.leadconnectorhq.com",
        "https://services.leadconnectorhq.com?to=evil",
        "https://services.leadconnectorhq.com?",
        "https://services.leadconnectorhq.com#evil",
        "https://services.leadconnectorhq.com/a b",
        "https://services.leadconnectorhq.com\r\nHost: evil",
        "https://services.leadconnectorhq.com\t",
        " https://services.leadconnectorhq.com",
        "https://serviçes.leadconnectorhq.com",
        "https://services.leadconnectorhq.com:99999",
        "https://services.leadconnectorhq.com:0x50",
        "https://[::1",
        "https://",
        "https:services.leadconnectorhq.com",
        "//services.leadconnectorhq.com",
        "file:///etc/passwd",
        "ftp://127.0.0.1",
        "http://127.0.0.1.evil.example",
        "http://127.0.0.1@evil.example",
        "http://localhost.evil.example",
        "http://169.254.169.254",
        "http://0.0.0.0",
        "",
        "https://services.leadconnectorhq.com/opportunities/upsert",
        "https://services.leadconnectorhq.com/opportunities/upsert/",
        "https://SERVICES.leadconnectorhq.com/v1",
        "https://services.leadconnectorhq.com:443/v2/",
        "https://rest.gohighlevel.com/v1",
        "https://app.gohighlevel.com",
        "https://marketplace.leadconnectorhq.com",
        "https://proxy.example/highlevel/opportunities/upsert",
        "https://proxy.example/oauth/token",
        "http://127.0.0.1:8080/opportunities",
    ],
)
def test_a_hostile_base_url_is_refused(url: str) -> None:
    with pytest.raises(SettingsError, match=r"^LANES_API_BASE_URL: must be ") as caught:
        WorkerSettings.load({"LANES_API_BASE_URL": url or " "}, env_file=None)
    assert "pass@" not in str(caught.value)


@pytest.mark.parametrize(
    "url",
    ["https://services.leadconnectorhq.com", "https://a.example:8443/base", "http://127.0.0.1:8080", "http://[::1]:1"],
)
def test_a_plain_base_url_is_taken(url: str) -> None:
    assert WorkerSettings(api_base_url=f"{url}/").api_base_url == url
