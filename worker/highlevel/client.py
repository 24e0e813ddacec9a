"""The HTTP client for `POST /opportunities/upsert`."""

import math
from dataclasses import replace
from importlib.metadata import PackageNotFoundError, version

from worker.highlevel.bounded_post import BoundedPost, prepare
from worker.highlevel.outcomes import Answer, RequestFailure

PATH = "/opportunities/upsert"


def user_agent() -> str:
    """Return our own User-Agent; the API's edge refuses those of bare libraries (observed: 403, error code 1010)."""
    try:
        return f"highlevel-lanes/{version('highlevel-lanes')}"
    except PackageNotFoundError:
        return "highlevel-lanes"


class HighLevelClient:
    """Sends upserts over one kept connection per thread. See `BoundedPost` for its bounds.

    Args:
        base_url: for example `https://services.leadconnectorhq.com`.
        api_version: the `Version` header where an upsert names none of its own.
        timeout: seconds for a whole request: connecting, sending, and reading the answer to its end.
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
        """Send one upsert and return what came of it; never raises for what the network or the API does.

        It is over by `ends_by` (of `time.monotonic()`), and not sent when that has passed.
        """
        headers = {**self._request.headers, "Authorization": f"Bearer {token}"}
        if version:
            headers["Version"] = version
        return self._post.send(replace(self._request, headers=headers, body=body), self._timeout, ends_by)

    def drop_connection(self) -> None:
        """Close the connection of the calling thread. Its next request opens another."""
        self._post.drop_connection()
