"""The request of every other side: one upsert over a kept connection, as `requests` sends it.

Its addresses come from the environment.
"""

import os
import threading
from typing import Any

import requests

REDIS_URL = "BARE_REDIS_URL"
API_URL = "BARE_API_URL"
CERTIFICATE = "BARE_CERTIFICATE"  # to trust; a public one without it
PATH = "/opportunities/upsert"
TIMEOUT_SECONDS = 20
# The edge of the API refuses the User-Agent of a bare library.
HEADERS = {
    "Authorization": "Bearer sandbox-token",
    "Version": "2021-07-28",
    "Accept": "application/json",
    "User-Agent": "benchmark",
}

_sessions = threading.local()


class ThrottledError(Exception):
    """The API answered 429."""


def post(body: dict[str, Any]) -> None:
    """Send one upsert over this thread's own kept connection.

    Raises:
        ThrottledError: 429.
        requests.RequestException: no answer, or another that is no success.
    """
    session: requests.Session | None = getattr(_sessions, "session", None)
    if session is None:
        session = _sessions.session = requests.Session()
        session.trust_env = False
        session.verify = os.environ.get(CERTIFICATE) or True
        session.headers.update(HEADERS)
    response = session.post(os.environ[API_URL] + PATH, json=body, timeout=TIMEOUT_SECONDS)
    if response.status_code == requests.codes.too_many_requests:
        raise ThrottledError
    response.raise_for_status()


def limit_of_environment() -> tuple[int, int]:
    """Return how many requests of a location the API takes, in how many seconds."""
    return int(os.environ.get("BARE_LIMIT", "100")), int(os.environ.get("BARE_WINDOW_SECONDS", "10"))
