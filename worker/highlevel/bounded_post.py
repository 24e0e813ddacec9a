"""POST with a total deadline, a size limit, strict reading of the answer, and verified TLS.

It uses connections of urllib3, not sessions of `requests`: sessions follow redirects, keep cookies, and read proxies
and `.netrc` from the environment. A secret is sent to the URL only.
"""

import errno
import math
import ssl
import threading
import time
from collections.abc import Mapping
from dataclasses import dataclass, field
from http.client import HTTPException
from pathlib import Path
from typing import Any

import requests
from urllib3.exceptions import DecodeError, HTTPError, NewConnectionError, ProtocolError, SSLError
from urllib3.exceptions import TimeoutError as HTTPTimeoutError
from urllib3.util import parse_url

from worker.highlevel.deadline import RequestDeadlines, WatchedConnection, WatchedTLSConnection
from worker.highlevel.local_failures import is_local
from worker.highlevel.outcomes import Answer, RequestFailure

MAX_ANSWER_BYTES = 256 * 1024
CONNECT_SECONDS = 5.0
MIN_SECONDS = 0.001
# The server may have answered before it closed the connection.
CLOSED_BY_SERVER = frozenset({errno.EPIPE, errno.ECONNRESET, errno.EPROTOTYPE})


@dataclass(frozen=True, slots=True)
class PostRequest:
    """A request that is ready to be sent. `target` is path and query."""

    tls: bool
    host: str
    port: int | None
    target: str
    headers: Mapping[str, str] = field(repr=False)
    body: bytes = field(repr=False)


def prepare(url: str, headers: Mapping[str, str], data: Any) -> PostRequest:
    """Return a request. `data` is the body, or the fields of a form.

    Raises:
        requests.RequestException: the URL is invalid.
    """
    prepared: Any = requests.Request("POST", url, headers=dict(headers), data=data).prepare()
    parts, body = parse_url(prepared.url), prepared.body or b""
    headers = {name: value for name, value in prepared.headers.items() if name != "Content-Length"}
    host, target = (parts.host or "").strip("[]"), "/" + prepared.path_url.lstrip("/")
    body = body.encode() if isinstance(body, str) else body
    return PostRequest(parts.scheme == "https", host, parts.port, target, headers, body)


class BoundedPost:
    """Sends POST requests and returns the answer or the failure. Errors of network and server are never raised.

    Args:
        server: its name in messages.
        keep: each thread keeps its connection for the next request; then all requests must go to one server.
    """

    def __init__(self, server: str = "the API", *, keep: bool = False) -> None:
        self._server = server
        self._keep = keep
        self._local = threading.local()
        self._deadlines = RequestDeadlines()

    def send(
        self, request: PostRequest, seconds: float, ends_by: float = math.inf, *, reads_body: bool = True
    ) -> Answer | RequestFailure:
        """Send a request. Connecting, sending and reading the whole answer take at most `seconds`.

        It also ends by `ends_by` (of `time.monotonic()`), and is not sent after that.
        """
        deadline = min(time.monotonic() + seconds, ends_by)
        late = f"no whole answer within {seconds:g} s"
        connection = self._connection(request)
        connection.begin(deadline)
        failed, keep = "connection failed", False
        try:
            with self._deadlines.limit(connection):
                response = _ask(connection, request, seconds)
                failed = "broken answer"
                answer = read_answer(connection, response, reads_body=reads_body)
            keep = self._keep and connection.reusable and not answer.cut
        except (OSError, HTTPException, HTTPError, RuntimeError) as error:
            sent = connection.sent
            if time.monotonic() >= deadline or _is_timeout(error):
                return RequestFailure(late, sent=sent)
            # RuntimeError: no thread can be started.
            local = not sent and (is_local(error) or isinstance(error, RuntimeError))
            if isinstance(error, ssl.SSLError | SSLError):
                message = f"TLS: the certificate of {self._server} could not be verified"
                return RequestFailure(message, sent=sent, local=local)
            return RequestFailure(f"{failed}: {_cause(error)}", sent=sent, local=local)
        except ValueError:
            # From http.client, with the header in its text.
            why = "the token cannot be put into a header: it holds a line end or is not ASCII"
            return RequestFailure(why, sent=connection.sent)
        finally:
            if not keep:
                self.drop_connection()
        # An answer that was cut off at the deadline may look complete.
        return RequestFailure(late) if time.monotonic() >= deadline else answer

    def drop_connection(self) -> None:
        """Close the connection of the calling thread. Its next request opens another."""
        connection: WatchedConnection | None = getattr(self._local, "connection", None)
        if connection is not None:
            connection.close()
            self._local.connection = None

    def _connection(self, request: PostRequest) -> WatchedConnection:
        """Return the kept connection of this thread if the server has not closed it, else a new one."""
        kept: WatchedConnection | None = getattr(self._local, "connection", None)
        if kept is not None and kept.is_connected:
            return kept
        self.drop_connection()
        connection = WatchedConnection(request.host, request.port)
        if request.tls:
            trusted = requests.adapters.DEFAULT_CA_BUNDLE_PATH
            connection = WatchedTLSConnection(request.host, request.port, cert_reqs="CERT_REQUIRED", ca_certs=trusted)
        self._local.connection = connection
        return connection


def _ask(connection: WatchedConnection, request: PostRequest, seconds: float) -> Any:
    """Send a request, and return urllib3's response as soon as its headers are complete."""
    connection.timeout = max(MIN_SECONDS, min(CONNECT_SECONDS, connection.deadline - time.monotonic()))
    if connection.sock is None:
        if request.tls and not Path(requests.adapters.DEFAULT_CA_BUNDLE_PATH).exists():
            raise FileNotFoundError(errno.ENOENT, "no file of trusted certificates")  # urllib3 would blame the server
        connection.connect()
    try:
        connection.request(
            "POST",
            request.target,
            request.body,
            request.headers,
            preload_content=False,
            decode_content=False,
            enforce_content_length=False,  # StrictResponse does, and keeps the partial body
        )
    except OSError as error:
        if error.errno not in CLOSED_BY_SERVER:
            raise
    connection.timeout = seconds
    return connection.getresponse()


def read_answer(connection: WatchedConnection, response: Any, *, reads_body: bool) -> Answer:
    """Read the answer, up to the size limit.

    Raises:
        HTTPError: the body is incomplete or cannot be decoded, and the status is not 2xx; or a timeout.
    """
    body, fault = b"", None
    if reads_body:
        try:
            body = response.read(MAX_ANSWER_BYTES + 1, decode_content=True)
            fault = connection.fault
        except (DecodeError, ProtocolError, SSLError) as error:
            fault = error
    if fault is not None and not 200 <= response.status < 300:
        message = "the body is not whole"
        raise ProtocolError(message) from fault
    headers = {name.lower(): value for name, value in response.headers.items()}
    return Answer(response.status, headers, body, cut=fault is not None)


def _is_timeout(error: Exception) -> bool:
    return isinstance(error, TimeoutError | HTTPTimeoutError) and not isinstance(error, NewConnectionError)


def _cause(error: BaseException) -> str:
    """Return the class of the innermost error. Its text may contain URLs and addresses."""
    while (inner := error.__cause__ or error.__context__) is not None:
        error = inner
    return type(error).__name__
