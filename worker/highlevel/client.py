"""The HTTP client for `POST /opportunities/upsert`."""

import math
from functools import cache
from importlib.metadata import PackageNotFoundError, version

from worker.highlevel.bounded_post import BoundedPost, prepare
from worker.highlevel.outcomes import Answer, RequestFailure

PATH = "/opportunities/upsert"


@cache
def own_version() -> str:
    """Return the version of this package; `unknown` if it is not installed."""
    try:
        return version("highlevel-lanes")
    except PackageNotFoundError:
        return "unknown"


def user_agent() -> str:
    """Return our User-Agent. The API's edge refuses that of Python's urllib (observed: 403, error code 1010)."""
    return f"highlevel-lanes/{own_version()}"


class HighLevelClient:
    """Sends upserts over one kept connection per thread. See `BoundedPost` for its bounds.

    Args:
        base_url: for example `https://services.leadconnectorhq.com`.
        api_version: the `Version` header of upserts that name none.
        timeout: seconds for a whole request: connecting, sending, and reading the whole answer.
    """

    def __init__(self, base_url: str, api_version: str, timeout: float) -> None:
        self._timeout = timeout
        headers = {
            "Accept": "application/json",
            "Content-Type": "application/json",
            "User-Agent": user_agent(),
            "Version": api_version,
        }
        self._request = prepare(base_url + PATH, headers, b"{}")
        self._post = BoundedPost(keep=True)

    def upsert(
        self, body: bytes, token: str, version: str | None = None, ends_by: float = math.inf
    ) -> Answer | RequestFailure:
        """Send one upsert and return the answer or the failure. Network and API errors are never raised.

        It ends by `ends_by` (of `time.monotonic()`), and is not sent after that.
        """
        headers = {**self._request.headers, "Authorization": f"Bearer {token}"}
        if version:
            headers["Version"] = version
        return self._post.send(self._request.with_content(headers, body), self._timeout, ends_by)

    def drop_connection(self) -> None:
        """Close the connection of the calling thread. Its next request opens another."""
        self._post.drop_connection()
