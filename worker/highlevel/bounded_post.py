"""POST with a total deadline, a size limit, strict reading of the answer, and verified TLS.

It uses no sessions of `requests`: they follow redirects, keep cookies, and read proxies and `.netrc` from the
environment. A secret is sent to the URL only.
"""

import errno
import math
import ssl
import threading
import time
from collections.abc import Mapping
from dataclasses import dataclass, field
from http.client import HTTPException
from io import BytesIO
from typing import Any

import requests
from urllib3 import HTTPResponse
from urllib3.exceptions import DecodeError
from urllib3.util import parse_url

from worker.highlevel.connection import Connection
from worker.highlevel.deadline import RequestDeadlines
from worker.highlevel.local_failures import is_local
from worker.highlevel.outcomes import Answer, RequestFailure
from worker.highlevel.strict_response import Response

MAX_ANSWER_BYTES = 256 * 1024
CONNECT_SECONDS = 5.0
MIN_SECONDS = 0.001
# The server may have answered before it closed the connection.
CLOSED_BY_SERVER = frozenset({errno.EPIPE, errno.ECONNRESET, errno.EPROTOTYPE})


@dataclass(slots=True)
class PostRequest:
    """A request that is ready to be sent. `target` is path and query, `authority` the value of `Host`."""

    tls: bool
    host: str
    port: int
    authority: str
    target: str
    headers: Mapping[str, str] = field(repr=False)
    body: bytes = field(repr=False)

    def with_content(self, headers: Mapping[str, str], body: bytes) -> "PostRequest":
        """Return the same request with other headers and another body."""
        return PostRequest(self.tls, self.host, self.port, self.authority, self.target, headers, body)

    def encode(self) -> bytes:
        """Return the bytes to send.

        Raises:
            ValueError: the value of a header is not printable ASCII.
        """
        lines = "".join([f"{name}: {value}\r\n" for name, value in self.headers.items()])
        if not lines.isascii() or not "".join(self.headers.values()).isprintable():
            raise ValueError("the value of a header is not printable ASCII")
        begin = f"POST {self.target} HTTP/1.1\r\nHost: {self.authority}\r\nAccept-Encoding: identity\r\n"
        return f"{begin}{lines}Content-Length: {len(self.body)}\r\n\r\n".encode() + self.body


def prepare(url: str, headers: Mapping[str, str], data: Any) -> PostRequest:
    """Return a request. `data` is the body, or the fields of a form.

    Raises:
        requests.RequestException: the URL is invalid.
    """
    prepared: Any = requests.Request("POST", url, headers=dict(headers), data=data).prepare()
    parts, body = parse_url(prepared.url), prepared.body or b""
    headers = {name: value for name, value in prepared.headers.items() if name != "Content-Length"}
    host, target, tls = (parts.host or "").strip("[]"), "/" + prepared.path_url.lstrip("/"), parts.scheme == "https"
    body = body.encode() if isinstance(body, str) else body
    port = parts.port or (443 if tls else 80)
    return PostRequest(tls, host, port, parts.netloc or host, target, headers, body)


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
        try:
            data = request.encode()
        except ValueError:
            why = "the token cannot be put into a header: it holds a line end or is not ASCII"
            return RequestFailure(why, sent=False)
        connection, answer = None, None
        failed = "connection failed"
        error: Exception | None = None
        try:
            connection = self._connection(request, seconds, deadline)
            _send(connection, data, deadline)
            response = connection.reader.read(MAX_ANSWER_BYTES + 1, reads_body=reads_body)
            failed = "broken answer"
            answer = to_answer(response)
        except (OSError, HTTPException, DecodeError, RuntimeError) as raised:
            error = raised
        if connection is not None:
            connection.deadline = math.inf
        is_late = time.monotonic() >= deadline  # read after the deadline is reset, see RequestDeadlines
        sent = connection is not None and connection.sent
        keep = self._keep and not is_late and connection is not None and connection.reader.reusable
        if not keep or answer is None or answer.cut:
            self.drop_connection()
        # An answer that was cut off at the deadline may look complete.
        if is_late or isinstance(error, TimeoutError):
            return RequestFailure(f"no whole answer within {seconds:g} s", sent=sent)
        return answer if answer is not None else self._failure(failed, error, sent=sent)

    def _failure(self, failed: str, error: Exception | None, *, sent: bool) -> RequestFailure:
        # RuntimeError: no thread can be started.
        local = not sent and (is_local(error) or isinstance(error, RuntimeError))
        if isinstance(error, ssl.SSLError):
            message = f"TLS: the certificate of {self._server} could not be verified"
            return RequestFailure(message, sent=sent, local=local)
        return RequestFailure(f"{failed}: {_cause(error)}", sent=sent, local=local)

    def drop_connection(self) -> None:
        """Close the connection of the calling thread. Its next request opens another."""
        connection: Connection | None = getattr(self._local, "connection", None)
        if connection is not None:
            connection.close()
            self._local.connection = None

    def _connection(self, request: PostRequest, seconds: float, deadline: float) -> Connection:
        """Return the kept connection of this thread if it is usable, else a new one."""
        kept: Connection | None = getattr(self._local, "connection", None)
        if kept is not None and kept.is_usable:
            kept.sent = False
            return kept
        self.drop_connection()
        connect_seconds = max(MIN_SECONDS, min(CONNECT_SECONDS, deadline - time.monotonic()))
        connection = Connection(
            request.host, request.port, tls=request.tls, connect_seconds=connect_seconds, seconds=seconds
        )
        self._local.connection = connection
        self._deadlines.watch(connection)
        return connection


def _send(connection: Connection, data: bytes, deadline: float) -> None:
    """Send a request.

    Raises:
        TimeoutError: the deadline has passed. Nothing was sent.
    """
    if time.monotonic() >= deadline:
        raise TimeoutError
    connection.deadline = deadline
    try:
        connection.send(data)
    except OSError as error:
        if error.errno not in CLOSED_BY_SERVER:
            raise


def to_answer(response: Response) -> Answer:
    """Return the answer, decoded; `cut` if the body of a 2xx is not whole.

    Raises:
        Exception: the body is not whole or cannot be decoded, and the status is not 2xx.
    """
    body, fault = response.body, response.fault
    if "content-encoding" in response.headers:  # although none was accepted
        encoded = HTTPResponse(BytesIO(body), response.headers, preload_content=False)
        try:
            body = encoded.read(MAX_ANSWER_BYTES + 1, decode_content=True)
        except DecodeError as error:
            body, fault = b"", fault or error
    if fault is not None and not 200 <= response.status < 300:
        raise fault
    return Answer(response.status, response.headers, body, cut=fault is not None)


def _cause(error: BaseException | None) -> str:
    """Return the class of the innermost error. Its text may contain URLs and addresses."""
    while error is not None and (inner := error.__cause__ or error.__context__) is not None:
        error = inner
    return type(error).__name__
