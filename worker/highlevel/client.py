"""The HTTP client for `POST /opportunities/upsert`."""

import math
import threading
import time
from dataclasses import dataclass
from importlib.metadata import PackageNotFoundError, version
from typing import Any

import requests
from urllib3.exceptions import DecodeError, HTTPError, ProtocolError, SSLError

from worker.highlevel.deadline import DeadlineAdapter, RequestDeadlines
from worker.highlevel.local_failures import is_local
from worker.highlevel.outcomes import Answer, RequestFailure

MAX_ANSWER_BYTES = 256 * 1024
CONNECT_SECONDS = 5.0
PATH = "/opportunities/upsert"


def user_agent() -> str:
    """Return our own User-Agent; the API's edge refuses those of bare libraries (observed: 403, error code 1010)."""
    try:
        return f"highlevel-lanes/{version('highlevel-lanes')}"
    except PackageNotFoundError:
        return "highlevel-lanes"


class HighLevelClient:
    """Sends upserts over one kept connection per thread.

    It asks an adapter of `requests` and no session, since it is sessions that follow redirects, keep cookies, and read
    proxies and `.netrc` from the environment: a token goes nowhere but to the base URL. TLS is verified.

    Args:
        base_url: for example `https://services.leadconnectorhq.com`.
        api_version: the `Version` header where an upsert names none of its own.
        timeout: seconds for a whole request: connecting, sending, and reading the answer to its end.
    """

    def __init__(self, base_url: str, api_version: str, timeout: float) -> None:
        self._url = base_url + PATH
        self._timeout = timeout
        self._headers = {
            "Accept": "application/json",
            "Content-Type": "application/json",
            "User-Agent": user_agent(),
            "Version": api_version,
        }
        self._local = threading.local()
        self._deadlines = RequestDeadlines()

    def _connection(self) -> "ThreadConnection":
        connection: ThreadConnection | None = getattr(self._local, "connection", None)
        if connection is None:
            request = requests.Request("POST", self._url, headers=self._headers, data=b"{}").prepare()
            connection = self._local.connection = ThreadConnection(OneUrlAdapter(self._deadlines), request)
        return connection

    def upsert(
        self, body: bytes, token: str, version: str | None = None, ends_by: float = math.inf
    ) -> Answer | RequestFailure:
        """Send one upsert and return what came of it; never raises for what the network or the API does.

        It is over by `ends_by` (of `time.monotonic()`), and not sent when that has passed.
        """
        answer = self._send(body, token, version, min(time.monotonic() + self._timeout, ends_by))
        if isinstance(answer, RequestFailure) or answer.cut:
            self.drop_connection()
        return answer

    def drop_connection(self) -> None:
        """Close the connection of the calling thread. Its next request opens another."""
        connection: ThreadConnection | None = getattr(self._local, "connection", None)
        if connection is not None:
            connection.adapter.drop_connection()

    def _send(self, body: bytes, token: str, version: str | None, deadline: float) -> Answer | RequestFailure:
        connection = self._connection()
        request = connection.request
        request.headers["Authorization"] = f"Bearer {token}"
        request.headers["Version"] = version or self._headers["Version"]
        request.headers["Content-Length"] = str(len(body))
        request.body = body
        try:
            with self._deadlines.limit(deadline) as limited:
                timeout = (min(CONNECT_SECONDS, self._timeout), self._timeout)
                answer = read_answer(connection.adapter.send(request, stream=True, timeout=timeout, verify=True))
        except (requests.RequestException, HTTPError) as error:
            if isinstance(error, requests.Timeout) or time.monotonic() >= deadline:
                return RequestFailure(f"no whole answer within {self._timeout:g} s", sent=limited.sent)
            return RequestFailure(explain_failure(error), sent=limited.sent, local=is_local(error) and not limited.sent)
        except (OSError, RuntimeError) as error:
            # Before anything was sent: the file of certificates is missing (`requests`), or no thread can be started.
            local = is_local(error) or getattr(error, "errno", None) is None
            return RequestFailure(explain_failure(error), sent=False, local=local)
        except ValueError:
            # Said by http.client, with the header in its words.
            why = "the token cannot be put into a header: it holds a line end or is not ASCII"
            return RequestFailure(why, sent=limited.sent)
        # An answer that was cut off at the deadline may look like a whole one.
        return RequestFailure(f"no whole answer within {self._timeout:g} s") if time.monotonic() >= deadline else answer


class OneUrlAdapter(DeadlineAdapter):
    """Sends to one URL, and works out but once what `requests` finds out for each request: where it goes, how TLS is
    verified, and what is asked for. Half of the processor time of a request goes there.
    """

    _pool: Any = None
    _path = ""

    def get_connection_with_tls_context(
        self, request: requests.PreparedRequest, verify: Any, proxies: Any = None, cert: Any = None
    ) -> Any:
        """Return the pool of the one URL."""
        if self._pool is None:
            pool = super().get_connection_with_tls_context(request, verify, proxies, cert)
            super().cert_verify(pool, request.url, verify, cert)  # type: ignore[no-untyped-call]
            self._pool, self._path = pool, super().request_url(request, proxies)
        return self._pool

    def drop_connection(self) -> None:
        """Close the kept connection."""
        if self._pool is not None:
            self._pool.drop_connection()

    def cert_verify(self, conn: Any, url: Any, verify: Any, cert: Any) -> None:
        """The pool was told when it was made."""

    def request_url(self, request: requests.PreparedRequest, proxies: Any) -> str:  # noqa: ARG002 - as in requests
        """Return the path of the one URL."""
        return self._path

    def build_response(self, req: requests.PreparedRequest, resp: Any) -> requests.Response:
        """Return what is looked at: the status and the answer itself. Cookies are not kept."""
        response = requests.Response()
        response.request, response.status_code, response.raw = req, resp.status, resp
        return response


@dataclass(frozen=True, slots=True)
class ThreadConnection:
    """A thread's own way to the API, and the request that it fills in anew each time."""

    adapter: OneUrlAdapter
    request: requests.PreparedRequest


def read_answer(response: requests.Response) -> Answer:
    """Read the answer, as far as it is of use.

    Raises:
        HTTPError: the body broke off or cannot be decoded, and the status is no 2xx; or nothing came in time.
    """
    raw = response.raw
    raw.enforce_content_length = False  # StrictResponse does, and keeps what came before the end
    try:
        body = raw.read(MAX_ANSWER_BYTES + 1, decode_content=True)
        strict: Any = raw._original_response  # noqa: SLF001 - urllib3 has no public way to it
        fault: Exception | None = strict.fault
    except (DecodeError, ProtocolError, SSLError) as error:
        body, fault = b"", error
    if len(body) > MAX_ANSWER_BYTES or fault is not None:
        response.close()
    raw.release_conn()
    if fault is not None and not 200 <= response.status_code < 300:
        message = "the body is not whole"
        raise ProtocolError(message) from fault
    headers = {name.lower(): value for name, value in raw.headers.items()}
    return Answer(response.status_code, headers, body, cut=fault is not None)


def explain_failure(error: Exception) -> str:
    """Say in one line what kept a request from being answered."""
    if isinstance(error, requests.exceptions.SSLError):
        return "TLS: the certificate of the API could not be verified"
    if isinstance(error, requests.ConnectionError):
        return f"connection failed: {_cause(error)}"
    return f"broken answer: {_cause(error)}"


def _cause(error: BaseException) -> str:
    """Return the innermost error's name: its text may repeat URLs and addresses, and tells no more."""
    while (inner := error.__cause__ or error.__context__) is not None:
        error = inner
    return type(error).__name__
