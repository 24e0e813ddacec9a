"""The HTTP client for `POST /opportunities/upsert`."""

import threading
import time
from importlib.metadata import PackageNotFoundError, version

import requests
from requests.adapters import HTTPAdapter
from requests.structures import CaseInsensitiveDict

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

    def _session(self) -> requests.Session:
        session: requests.Session | None = getattr(self._local, "session", None)
        if session is None:
            session = requests.Session()
            session.trust_env = False
            adapter = HTTPAdapter(pool_connections=1, pool_maxsize=1, max_retries=0)
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
            response = session.send(
                request,
                timeout=(min(CONNECT_SECONDS, self._timeout), self._timeout),
                allow_redirects=False,
                stream=True,
                verify=True,
                proxies={},
            )
            return self._read(response, deadline)
        except requests.Timeout:
            return Failure(f"no answer within {self._timeout:g} s")
        except requests.exceptions.SSLError:
            return Failure("TLS: the certificate of the API could not be verified")
        except requests.ConnectionError as error:
            return Failure(f"connection failed: {_cause(error)}")
        except requests.RequestException as error:
            return Failure(f"broken answer: {_cause(error)}")

    def _read(self, response: requests.Response, deadline: float) -> Answer | Failure:
        body = bytearray()
        for chunk in response.iter_content(CHUNK_BYTES):
            body += chunk
            if len(body) > MAX_ANSWER_BYTES:
                response.close()
                break
            if time.monotonic() > deadline:
                response.close()
                return Failure(f"the answer was not complete within {self._timeout:g} s")
        headers = {name.lower(): value for name, value in response.headers.items()}
        return Answer(response.status_code, headers, bytes(body))


def _cause(error: BaseException) -> str:
    """Return the innermost error's name: its text may repeat URLs and addresses, and tells no more."""
    while (inner := error.__cause__ or error.__context__) is not None:
        error = inner
    return type(error).__name__
