"""One connection: its TLS handshake ends in time, a request is one piece, and TLS is set up once per process."""

import contextlib
import socket
import ssl
import threading
import time
from pathlib import Path
from typing import Any

import pytest
import requests.adapters

from tests.certificates import make_certificate
from tests.worker.highlevel.wire import WireServer, own_answer
from worker.highlevel.bounded_post import prepare
from worker.highlevel.client import HighLevelClient
from worker.highlevel.connection import Connection
from worker.highlevel.outcomes import Answer

SECONDS = 60.0


def test_a_tls_handshake_ends_in_time_however_slowly_the_server_sends() -> None:
    with socket.create_server(("127.0.0.1", 0)) as listener:
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
            Connection("127.0.0.1", listener.getsockname()[1], tls=True, connect_seconds=0.5, seconds=SECONDS)
        assert time.monotonic() - began < 10
        over.set()
        thread.join()


@pytest.mark.parametrize("tls", [False, True])
def test_a_request_goes_out_in_one_piece(tls: bool, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    certificate = make_certificate(tmp_path / "own.pem")
    monkeypatch.setattr(requests.adapters, "DEFAULT_CA_BUNDLE_PATH", str(certificate))
    kind = ssl.SSLSocket if tls else socket.socket
    pieces: list[bytes] = []
    send = kind.sendall

    def note(sender: Any, data: bytes) -> None:
        if sender is connection._socket:
            pieces.append(data)
        send(sender, data)

    with WireServer({}, certificate if tls else None) as server:
        request = prepare(f"{server.url}/path?query", {"User-Agent": "x"}, b"{}")
        connection = Connection(request.host, request.port, tls=tls, connect_seconds=SECONDS, seconds=SECONDS)
        assert not connection.sent
        with monkeypatch.context() as patch:
            patch.setattr(kind, "sendall", note)
            connection.send(request.encode())
        assert connection.sent
        assert connection.reader.read(100).body == own_answer(1)
        assert connection.is_usable
        connection.close()
    assert pieces == [
        b"POST /path?query HTTP/1.1\r\nHost: %s\r\nAccept-Encoding: identity\r\nUser-Agent: x\r\n"
        b"Content-Length: 2\r\n\r\n{}" % request.authority.encode()
    ]


def test_certificates_are_read_once_for_all_connections(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    certificate = make_certificate(tmp_path / "own.pem")
    monkeypatch.setattr(requests.adapters, "DEFAULT_CA_BUNDLE_PATH", str(certificate))
    with WireServer({}, certificate) as server:
        client = HighLevelClient(server.url, "2021-07-28", SECONDS)
        assert isinstance(client.upsert(b"{}", "token"), Answer)
        client.drop_connection()
        certificate.rename(tmp_path / "moved.pem")
        assert isinstance(client.upsert(b"{}", "token"), Answer)
        client.drop_connection()
    assert server.connections == [1, 2]


def test_the_trusted_certificates() -> None:
    assert Path(requests.adapters.DEFAULT_CA_BUNDLE_PATH).is_file()
