"""What the client sends and where, and the outcomes of failures below HTTP."""

import socket
import threading
import time
from collections.abc import Callable, Iterator
from concurrent.futures import ThreadPoolExecutor
from contextlib import ExitStack
from pathlib import Path

import pytest
import requests

from tests.worker.highlevel.conftest import BODY
from tests.worker.highlevel.recorder import Recorder
from worker.highlevel.bounded_post import MAX_ANSWER_BYTES
from worker.highlevel.client import HighLevelClient, user_agent
from worker.highlevel.outcomes import Answer, RequestFailure

CERTIFICATE = Path(__file__).with_name("self_signed.pem")
VERSION = "2021-07-28"
TOKEN = "pit-token-that-stays-home"
SECONDS = 20.0
RAW = b'{"name":"M\xc3\xbcller"}'


@pytest.fixture
def record() -> Iterator[Callable[..., Recorder]]:
    """Start a recorder with these answers; it ends with the test."""
    with ExitStack() as stack:
        yield lambda **answer: stack.enter_context(Recorder(**answer))


def client_of(url: str, timeout: float = SECONDS) -> HighLevelClient:
    return HighLevelClient(url, VERSION, timeout)


def test_the_request(record: Callable[..., Recorder]) -> None:
    server = record()
    answer = client_of(server.url).upsert(RAW, TOKEN)
    assert isinstance(answer, Answer)
    assert (answer.status, answer.body, answer.headers["content-length"]) == (200, b"{}", "2")
    [request] = server.seen
    assert (request.method, request.target, request.body) == ("POST", "/opportunities/upsert", RAW)
    headers = {name.lower(): value for name, value in request.headers.items()}
    assert headers["authorization"] == f"Bearer {TOKEN}"
    assert headers["version"] == VERSION
    assert headers["content-type"] == headers["accept"] == "application/json"
    assert headers["content-length"] == str(len(RAW))
    assert headers["user-agent"] == user_agent()
    assert user_agent().startswith("highlevel-lanes")


def test_each_request_has_its_own_body_and_token(record: Callable[..., Recorder]) -> None:
    server = record()
    client = client_of(server.url)
    sent = [(b"{}", "first"), (b'{"longer":1}', "second"), (b"", "third")]
    for body, token in sent:
        client.upsert(body, token)
    assert [(seen.body, seen.headers["Authorization"]) for seen in server.seen] == [
        (body, f"Bearer {token}") for body, token in sent
    ]


def test_a_request_past_its_deadline_is_not_sent(record: Callable[..., Recorder]) -> None:
    server = record()
    client = client_of(server.url)
    assert client.upsert(RAW, TOKEN, ends_by=time.monotonic()) == RequestFailure(
        f"no whole answer within {SECONDS:g} s", sent=False
    )
    assert client.upsert(RAW, TOKEN, ends_by=time.monotonic() + SECONDS) == client.upsert(RAW, TOKEN)
    assert len(server.seen) == 2


def test_each_request_has_its_own_version(record: Callable[..., Recorder]) -> None:
    server = record()
    client = client_of(server.url)
    for version in ("v3", None, "v9"):
        client.upsert(b"{}", TOKEN, version)
    assert [seen.headers["Version"] for seen in server.seen] == ["v3", VERSION, "v9"]


@pytest.mark.parametrize("status", [200, 201, 302, 401, 403, 422, 429, 500])
def test_one_connection_per_thread_is_kept_whatever_is_answered(record: Callable[..., Recorder], status: int) -> None:
    server = record(status=status, body=b"x" * 1000)
    client = client_of(server.url)
    together = threading.Barrier(3, timeout=SECONDS)

    def send_four(_: int) -> None:
        together.wait()
        for _ in range(4):
            answer = client.upsert(b"{}", TOKEN)
            assert isinstance(answer, Answer)
            assert answer.status == status
        together.wait()

    with ThreadPoolExecutor(3) as pool:
        list(pool.map(send_four, range(3)))
    assert len(server.seen) == 12
    assert server.connections == 3


def test_an_untrusted_certificate_is_refused(record: Callable[..., Recorder]) -> None:
    server = record(certificate=CERTIFICATE)
    assert requests.post(server.url, verify=str(CERTIFICATE), timeout=SECONDS).status_code == 200
    answer = client_of(server.url).upsert(b"{}", TOKEN)
    assert answer == RequestFailure("TLS: the certificate of the API could not be verified", sent=False)
    assert [seen for seen in server.seen if "Authorization" in seen.headers] == []


def test_the_environment_cannot_make_a_certificate_good(
    record: Callable[..., Recorder], monkeypatch: pytest.MonkeyPatch
) -> None:
    server = record(certificate=CERTIFICATE)
    monkeypatch.setenv("REQUESTS_CA_BUNDLE", str(CERTIFICATE))
    assert requests.post(server.url, timeout=SECONDS).status_code == 200
    assert isinstance(client_of(server.url).upsert(b"{}", TOKEN), RequestFailure)


def test_plain_text_on_a_tls_port_is_a_failure(record: Callable[..., Recorder]) -> None:
    url = record().url.replace("http:", "https:")
    assert isinstance(client_of(url).upsert(b"{}", TOKEN), RequestFailure)


def test_proxies_of_the_environment_are_not_asked(
    record: Callable[..., Recorder], monkeypatch: pytest.MonkeyPatch
) -> None:
    server, proxy = record(), record()
    for name in ("HTTP_PROXY", "http_proxy", "HTTPS_PROXY", "https_proxy", "ALL_PROXY", "all_proxy"):
        monkeypatch.setenv(name, proxy.url)
    for name in ("NO_PROXY", "no_proxy"):
        monkeypatch.delenv(name, raising=False)
    requests.post(server.url, timeout=SECONDS)
    assert len(proxy.seen) == 1
    assert isinstance(client_of(server.url).upsert(b"{}", TOKEN), Answer)
    assert (len(server.seen), len(proxy.seen)) == (1, 1)


def test_netrc_does_not_replace_the_token(
    record: Callable[..., Recorder], monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    server = record()
    netrc = tmp_path / "netrc"
    netrc.write_text("machine 127.0.0.1 login somebody password else\n")
    monkeypatch.setenv("NETRC", str(netrc))
    requests.post(server.url, timeout=SECONDS)
    client_of(server.url).upsert(b"{}", TOKEN)
    assert [seen.headers["Authorization"].split()[0] for seen in server.seen] == ["Basic", "Bearer"]


def test_a_redirect_takes_the_token_nowhere(record: Callable[..., Recorder]) -> None:
    elsewhere = record()
    server = record(status=307, headers={"Location": f"{elsewhere.url}/opportunities/upsert"})
    answer = client_of(server.url).upsert(b"{}", TOKEN)
    assert isinstance(answer, Answer)
    assert answer.status == 307
    assert (len(server.seen), elsewhere.seen) == (1, [])


def test_cookies_are_not_sent_back(record: Callable[..., Recorder]) -> None:
    server = record(headers={"Set-Cookie": "a=b"})
    client = client_of(server.url)
    for _ in range(2):
        client.upsert(b"{}", TOKEN)
    assert ["Cookie" in seen.headers for seen in server.seen] == [False, False]


@pytest.mark.parametrize("size", [MAX_ANSWER_BYTES, 50 * MAX_ANSWER_BYTES])
def test_an_answer_is_read_to_its_limit_only(record: Callable[..., Recorder], size: int) -> None:
    answer = client_of(record(body=b"x" * size).url).upsert(b"{}", TOKEN)
    assert isinstance(answer, Answer)
    assert MAX_ANSWER_BYTES <= len(answer.body) <= min(size, 2 * MAX_ANSWER_BYTES)


def answer_once(raw: bytes, *, then_wait: bool = False) -> str:
    """Start a server that answers its first connection with these bytes and closes it; return its URL."""
    listener = socket.create_server(("127.0.0.1", 0))
    url = f"http://127.0.0.1:{listener.getsockname()[1]}"

    def serve() -> None:
        with listener, listener.accept()[0] as connection:
            connection.settimeout(SECONDS)
            connection.recv(65536)
            connection.sendall(raw)
            if then_wait:
                connection.recv(1)

    threading.Thread(target=serve, daemon=True).start()
    return url


def no_listener() -> str:
    with socket.create_server(("127.0.0.1", 0)) as listener:
        return f"http://127.0.0.1:{listener.getsockname()[1]}"


@pytest.mark.parametrize(
    ("raw", "failure"),
    [
        (b"", "connection failed: RemoteDisconnected"),
        (b"SSH-2.0-OpenSSH_9.6\r\n", "connection failed: BadStatusLine"),
        (b"HTTP/1.1 200 OK\r\n" + b"X-A: b\r\n" * 200 + b"\r\n", "connection failed: HTTPException"),
        (b"HTTP/1.1 200 OK\r\nX-A: " + b"b" * 100_000 + b"\r\n\r\n", "connection failed: LineTooLong"),
    ],
)
def test_an_answer_that_is_no_http_is_a_failure(raw: bytes, failure: str) -> None:
    assert client_of(answer_once(raw)).upsert(b"{}", TOKEN) == RequestFailure(failure, sent=True)


@pytest.mark.parametrize(
    "raw",
    [b"", b"HTTP/1.1 200 OK\r\n", b"HTTP/1.1 200 OK\r\nContent-Length: 9\r\n\r\n", b"HTTP/1.1 100 Continue\r\n\r\n"],
)
def test_a_server_that_falls_silent_is_a_failure(raw: bytes) -> None:
    failure = client_of(answer_once(raw, then_wait=True), timeout=0.2).upsert(b"{}", TOKEN)
    assert isinstance(failure, RequestFailure)


def test_no_failure_shows_the_token_or_the_body() -> None:
    body = str(BODY).encode()
    servers = {
        "no listener": no_listener(),
        "closes": answer_once(b""),
        "repeats the request": answer_once(f"Bearer {TOKEN}\r\n\r\n".encode()),
        "silent": answer_once(b"", then_wait=True),
    }
    for what, url in servers.items():
        failure = client_of(url, timeout=0.5).upsert(body, TOKEN)
        assert isinstance(failure, RequestFailure), what
        assert TOKEN not in failure.message, what
        assert "contact" not in failure.message, what
        assert "\n" not in failure.message, what
