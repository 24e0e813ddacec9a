"""The private parts of urllib3 and http.client that `worker/highlevel/deadline.py` uses are unchanged."""

import contextlib
import http.client
import socket
import threading
import time
from collections.abc import Callable
from importlib.metadata import version
from pathlib import Path
from urllib.parse import urlsplit

import pytest
import requests.adapters
from urllib3.connection import HTTPConnection

from tests.certificates import make_certificate
from tests.worker.highlevel.wire import WireServer
from worker.highlevel.deadline import WatchedConnection, WatchedTLSConnection
from worker.highlevel.strict_response import StrictResponse

OVERRIDDEN = ("_get_chunk_left", "_read_next_chunk_size", "_read_and_discard_trailer", "_close_conn")
CALLED = ("_read_status", "_check_close", "_safe_read")


def test_the_version_that_these_tests_were_written_for() -> None:
    assert version("urllib3").startswith("2.8."), "another urllib3: read what changed in it, then this file"


def test_negotiating_tls_ends_in_time_however_slowly_the_server_sends() -> None:
    with socket.create_server(("127.0.0.1", 0)) as listener:
        connection = WatchedTLSConnection("127.0.0.1", listener.getsockname()[1], timeout=0.5)
        over = threading.Event()

        def drip() -> None:
            server, _ = listener.accept()
            with server, contextlib.suppress(OSError):
                server.sendall(b"\x16\x03\x03\x40\x00")  # a record of 16 KiB follows
                while not over.wait(0.1):
                    server.sendall(b"\0")

        thread = threading.Thread(target=drip)
        thread.start()
        began = time.monotonic()
        with pytest.raises(TimeoutError):
            connection.connect()
        assert time.monotonic() - began < 10
        over.set()
        thread.join()
        connection.close()


@pytest.mark.parametrize("tls", [False, True])
def test_a_request_goes_out_in_one_piece_and_its_answer_is_read_strictly(
    tls: bool, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    certificate = make_certificate(tmp_path / "own.pem") if tls else None
    with WireServer({}, certificate) as server:
        port = urlsplit(server.url).port
        connection = WatchedConnection("127.0.0.1", port)
        if certificate:
            connection = WatchedTLSConnection("127.0.0.1", port, ca_certs=str(certificate))
        pieces: list[bytes] = []
        send: Callable[..., None] = HTTPConnection.send

        def note(connection: HTTPConnection, data: bytes) -> None:
            pieces.append(data)
            send(connection, data)

        monkeypatch.setattr(HTTPConnection, "send", note)
        connection.connect()
        connection.request("POST", "/", b"{}", {"User-Agent": "x"}, preload_content=False, decode_content=False)
        response = connection.getresponse()
        assert (response.status, len(pieces), connection.sent) == (200, 1, True)
        assert not connection.reusable
        response.read()
        assert isinstance(connection._response, StrictResponse)
        assert connection.reusable
        assert connection.is_connected
        connection.close()


@pytest.mark.parametrize("name", [*OVERRIDDEN, *CALLED])
def test_private_methods_of_http_client(name: str) -> None:
    assert callable(getattr(http.client.HTTPResponse, name, None)), f"http.client has no {name} any more"


def test_the_trusted_certificates() -> None:
    assert Path(requests.adapters.DEFAULT_CA_BUNDLE_PATH).is_file()
