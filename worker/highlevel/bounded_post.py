"""POST with bounds: a total deadline, a size limit, an answer that is read strictly, verified TLS.

It uses connections of urllib3 and no session of `requests`, since it is sessions that follow redirects, keep cookies,
and read proxies and `.netrc` from the environment: a secret goes nowhere but to the URL.
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
    """A request, ready to be sent. `target` is the path and the query."""

    tls: bool
    host: str
    port: int | None
    target: str
    headers: Mapping[str, str] = field(repr=False)
    body: bytes = field(repr=False)


def prepare(url: str, headers: Mapping[str, str], data: Any) -> PostRequest:
    """Return a request. `data` is its body, or the fields of a form.

    Raises:
        requests.RequestException: the URL is none.
    """
    prepared: Any = requests.Request("POST", url, headers=dict(headers), data=data).prepare()
    parts, body = parse_url(prepared.url), prepared.body or b""
    given = {name: value for name, value in prepared.headers.items() if name != "Content-Length"}
    return PostRequest(
        parts.scheme == "https",
        (parts.host or "").strip("[]"),
        parts.port,
        "/" + prepared.path_url.lstrip("/"),
        given,
        body.encode() if isinstance(body, str) else body,
    )


class BoundedPost:
    """Sends POST requests and returns what came of them; never raises for what the network or the server does.

    Args:
        server: its name in messages.
        keep: each thread keeps its connection for its next request; all requests go to one server then.
    """

    def __init__(self, server: str = "the API", *, keep: bool = False) -> None:
        self._server = server
        self._keep = keep
        self._local = threading.local()
        self._deadlines = RequestDeadlines()

    def send(
        self, request: PostRequest, seconds: float, ends_by: float = math.inf, *, reads_body: bool = True
    ) -> Answer | RequestFailure:
        """Send a request. It is over within so many seconds: connecting, sending, and reading the answer to its end.

        It is also over by `ends_by` (of `time.monotonic()`), and not sent when that has passed.
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
            # A RuntimeError says that no thread can be started.
            local = not sent and (is_local(error) or isinstance(error, RuntimeError))
            if isinstance(error, ssl.SSLError | SSLError):
                return RequestFailure(
                    f"TLS: the certificate of {self._server} could not be verified", sent=sent, local=local
                )
            return RequestFailure(f"{failed}: {_cause(error)}", sent=sent, local=local)
        except ValueError:
            # Said by http.client, with the header in its words.
            why = "the token cannot be put into a header: it holds a line end or is not ASCII"
            return RequestFailure(why, sent=connection.sent)
        finally:
            if not keep:
                self.drop_connection()
        # An answer that was cut off at the deadline may look like a whole one.
        return RequestFailure(late) if time.monotonic() >= deadline else answer

    def drop_connection(self) -> None:
        """Close the connection of the calling thread. Its next request opens another."""
        connection: WatchedConnection | None = getattr(self._local, "connection", None)
        if connection is not None:
            connection.close()
            self._local.connection = None

    def _connection(self, request: PostRequest) -> WatchedConnection:
        """Return the connection of this thread: the kept one, if the server has not closed it."""
        kept: WatchedConnection | None = getattr(self._local, "connection", None)
        if kept is not None and kept.is_connected:
            return kept
        self.drop_connection()
        connection: WatchedConnection
        if request.tls:
            connection = WatchedTLSConnection(
                request.host,
                request.port,
                cert_reqs="CERT_REQUIRED",
                ca_certs=requests.adapters.DEFAULT_CA_BUNDLE_PATH,
            )
        else:
            connection = WatchedConnection(request.host, request.port)
        self._local.connection = connection
        return connection


def _ask(connection: WatchedConnection, request: PostRequest, seconds: float) -> Any:
    """Send a request, and return the response of urllib3 as soon as its headers are there."""
    connection.timeout = max(MIN_SECONDS, min(CONNECT_SECONDS, connection.deadline - time.monotonic()))
    if connection.sock is None:
        if request.tls and not Path(requests.adapters.DEFAULT_CA_BUNDLE_PATH).exists():
            raise FileNotFoundError(errno.ENOENT, "no file of trusted certificates")  # urllib3 blames the server
        connection.connect()
    try:
        connection.request(
            "POST",
            request.target,
            request.body,
            request.headers,
            preload_content=False,
            decode_content=False,
            enforce_content_length=False,  # StrictResponse does, and keeps what came before the end
        )
    except OSError as error:
        if error.errno not in CLOSED_BY_SERVER:
            raise
    connection.timeout = seconds
    return connection.getresponse()


def read_answer(connection: WatchedConnection, response: Any, *, reads_body: bool) -> Answer:
    """Read the answer, as far as it is of use.

    Raises:
        HTTPError: the body broke off or cannot be decoded, and the status is no 2xx; or nothing came in time.
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
    """Return the innermost error's name: its text may repeat URLs and addresses, and tells no more."""
    while (inner := error.__cause__ or error.__context__) is not None:
        error = inner
    return type(error).__name__
