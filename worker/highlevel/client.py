"""The HTTP client for `POST /opportunities/upsert`."""

import threading
import time
from importlib.metadata import PackageNotFoundError, version

import requests
from requests.structures import CaseInsensitiveDict
from urllib3.exceptions import HTTPError

from worker.highlevel.deadline import Watchdog, WatchedAdapter
from worker.highlevel.outcomes import Answer, Failure

MAX_ANSWER_BYTES = 256 * 1024
CHUNK_BYTES = 16 * 1024
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

    TLS is verified; redirects are not followed, and neither proxies nor `.netrc` are read from the environment, so that
    a token goes nowhere but to the base URL.

    Args:
        base_url: for example `https://services.leadconnectorhq.com`.
        api_version: the `Version` header.
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
        self._watchdog = Watchdog()

    def _session(self) -> requests.Session:
        session: requests.Session | None = getattr(self._local, "session", None)
        if session is None:
            session = requests.Session()
            session.trust_env = False
            adapter = WatchedAdapter(self._watchdog)
            session.mount("https://", adapter)
            session.mount("http://", adapter)
            self._local.session = session
            prepared = requests.Request("POST", self._url, headers=self._headers, data=b"{}").prepare()
            self._local.template = prepared
        return session

    def upsert(self, body: bytes, token: str) -> Answer | Failure:
        """Send one upsert and return what came of it; never raises for what the network or the API does."""
        session = self._session()
        request: requests.PreparedRequest = self._local.template.copy()
        request.headers = CaseInsensitiveDict(request.headers)
        request.headers["Authorization"] = f"Bearer {token}"
        request.headers["Content-Length"] = str(len(body))
        request.body = body
        deadline = time.monotonic() + self._timeout
        try:
            with self._watchdog.limit(deadline):
                response = session.send(
                    request,
                    timeout=(min(CONNECT_SECONDS, self._timeout), self._timeout),
                    allow_redirects=False,
                    stream=True,
                    verify=True,
                    proxies={},
                )
                answer = _read(response)
        except (requests.RequestException, HTTPError) as error:
            if isinstance(error, requests.Timeout) or time.monotonic() >= deadline:
                return Failure(f"no whole answer within {self._timeout:g} s")
            return Failure(_explain(error))
        except ValueError:
            # Said by http.client, with the header in its words.
            return Failure("the token cannot be put into a header: it holds a line end or is not ASCII")
        # An answer that was cut off at the deadline may look like a whole one.
        return Failure(f"no whole answer within {self._timeout:g} s") if time.monotonic() >= deadline else answer


def _read(response: requests.Response) -> Answer:
    """Read the answer, as far as it is of use."""
    body = bytearray()
    while chunk := response.raw.read1(CHUNK_BYTES, decode_content=True):
        body += chunk
        if len(body) > MAX_ANSWER_BYTES:
            response.close()
            break
    response.raw.release_conn()
    headers = {name.lower(): value for name, value in response.headers.items()}
    return Answer(response.status_code, headers, bytes(body))


def _explain(error: Exception) -> str:
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
