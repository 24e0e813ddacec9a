"""Requests that are refused when their headers are read: their body is not kept."""

from collections.abc import Mapping
from dataclasses import dataclass, field

from tornado.web import RequestHandler, stream_request_body

from worker.dashboard.http_server import MAX_BODY_BYTES, announces_at_most
from worker.dashboard.login import LoginRefused

MAX_DROPPED_BYTES = 64 << 10


@dataclass(frozen=True, slots=True)
class Refusal:
    """An answer to a refused request."""

    status: int
    message: str
    headers: Mapping[str, str] = field(default_factory=dict)


LOCAL_ONLY = Refusal(
    403,
    "This dashboard has no authentication configured, so it answers only requests from this machine, to localhost and "
    "not through a proxy. See docs/dashboard.md.",
)
LOG_IN_FIRST = Refusal(403, "log in first")
NO_BODY = Refusal(413, "this address takes no body")
TOO_LARGE = Refusal(413, f"at most {MAX_BODY_BYTES:,} bytes; for more rows, use lanes enqueue")
ACCESS_DENIED = Refusal(401, "Access denied", {"WWW-Authenticate": 'Basic realm="flower", charset="UTF-8"'})


def refusal_of(refused: LoginRefused) -> Refusal:
    """Return the answer to a wrong or missing password."""
    seconds = refused.retry_after
    if not seconds:
        return ACCESS_DENIED
    return Refusal(429, f"too many wrong passwords: try again in {seconds} s", {"Retry-After": str(seconds)})


@stream_request_body
class Refused(RequestHandler):
    """Sends a refusal, and keeps nothing of a body.

    A small body is awaited and dropped, so the client gets the answer and may use the connection again. A large one is
    answered at once, and the connection ends. Tornado ends it after every answer that comes before the request is read.
    """

    def initialize(self, refusal: Refusal) -> None:
        """Set the answer."""
        self._refusal = refusal

    def prepare(self) -> None:
        """Answer at once if a large body follows."""
        if not announces_at_most(self.request, MAX_DROPPED_BYTES):
            self.set_header("Connection", "close")
            self._answer()

    def data_received(self, chunk: bytes) -> None:
        """Drop a part of the body."""

    def _answer(self) -> None:
        self.set_status(self._refusal.status)
        for name, value in self._refusal.headers.items():
            self.set_header(name, value)
        self.set_header("Content-Type", "text/plain; charset=UTF-8")
        self.set_header("X-Content-Type-Options", "nosniff")
        self.finish(f"{self._refusal.message}\n")

    # Called when the request is read.
    get = head = post = put = patch = delete = options = _answer

    def check_xsrf_cookie(self) -> None:
        """Not needed: the request is refused."""
