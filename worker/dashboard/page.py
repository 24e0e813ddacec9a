"""The base of all pages: Flower's authentication, closed to other sites, errors without a traceback."""

import asyncio
import contextlib
import functools
import json
import time
from collections.abc import Callable, Coroutine, Sequence
from typing import Any, ParamSpec, TypeVar, cast

from redis.exceptions import RedisError
from tornado.web import HTTPError, RequestHandler, authenticated

from lanes.activity import audit_log
from lanes.errors import LanesError, RedisUnavailableError, ScriptError, StoredJobError
from lanes.printable import printable
from lanes.queue.store import LaneStore
from lanes.settings import DashboardSettings
from lanes.storage.redis_errors import UNAVAILABLE, unavailable
from worker.dashboard.access import same_origin
from worker.dashboard.flower import Handler, page_url
from worker.dashboard.lane_cache import UNEXPECTED_ERROR, LaneCache
from worker.dashboard.login import Login
from worker.logging.unreadable import log_unreadable
from worker.safety.redis_availability import RedisAvailability

redis_availability = RedisAvailability()
P = ParamSpec("P")
T = TypeVar("T")

BROKEN = (ScriptError, StoredJobError)  # a stored key or value cannot be read

HEADERS = {
    # Bootstrap's stylesheet has its icons as data: URLs.
    "Content-Security-Policy": (
        "default-src 'self'; img-src 'self' data:; object-src 'none'; base-uri 'none'; form-action 'self'; "
        "frame-ancestors 'none'"
    ),
    "X-Frame-Options": "DENY",
    "X-Content-Type-Options": "nosniff",
    "Referrer-Policy": "same-origin",
    "Cache-Control": "no-store",
}


class Page(Handler):
    """A page, or its data: paths that end in `/data` return JSON."""

    def set_default_headers(self) -> None:
        """Close the page to other sites and to caches."""
        super().set_default_headers()
        for name, value in HEADERS.items():
            self.set_header(name, value)

    def prepare(self) -> Coroutine[Any, Any, None] | None:
        """Require a login, as Flower does."""
        if self.answers_json and not self.current_user:
            raise HTTPError(403, "log in first")
        _only_authenticated(self)
        return None

    @property
    def answers_json(self) -> bool:
        """Whether answers, and errors, are JSON."""
        return self.request.path.endswith("/data")

    @property
    def store(self) -> LaneStore:
        """The lanes."""
        return self.dashboard.store

    @property
    def lane_cache(self) -> LaneCache:
        """The cache of all lanes."""
        return self.dashboard.lane_cache

    @property
    def lanes_settings(self) -> DashboardSettings:
        """The settings."""
        return self.dashboard.lanes_settings

    @property
    def who(self) -> str:
        """The user."""
        return user_of(self)

    @property
    def may_change(self) -> bool:
        """Whether this user may change something; otherwise pages show no buttons."""
        return self.dashboard.access.allows_changes(self.client)

    def argument(self, name: str, default: str = "") -> str:
        """Return an argument of the URL, unescaped (Flower's own `get_argument` escapes it for HTML)."""
        return RequestHandler.get_argument(self, name, default)

    async def run_in_thread(self, call: Callable[P, T], *args: P.args, **kwargs: P.kwargs) -> T:
        """Call something that waits for Redis in a thread: Tornado's loop must not wait."""
        loop = asyncio.get_running_loop()
        return await loop.run_in_executor(self.dashboard.threads, functools.partial(call, *args, **kwargs))

    def page_url(self, name: str, *values: str) -> str | None:
        """Return the URL of one of our pages, None if there is no page of this name."""
        return page_url(self, name, *values)

    def show(self, template: str, *, active: str, **values: Any) -> None:
        """Render one of our templates. `active` is the page's name in the navigation."""
        self.render(template, active_tab=active, may_change=self.may_change, who=self.who, **values)

    def send_json(self, values: dict[str, Any]) -> None:
        """Send JSON."""
        self.set_header("Content-Type", "application/json; charset=UTF-8")
        self.finish(json.dumps(values, allow_nan=False))

    def write_error(self, status_code: int, **kwargs: Any) -> None:
        """Send the error in one line; the status is 503 if Redis is unavailable, 409 if a stored value is broken."""
        error = (kwargs.get("exc_info") or (None, None, None))[1]
        if status_code == 401:  # Flower asks for the password.
            super().write_error(status_code, **kwargs)
            return
        redis_down = redis_error(error)
        self.set_status(503 if redis_down else 409 if isinstance(error, BROKEN) else status_code)
        message = printable(redis_down or _message(error, self._reason))
        if self.answers_json:
            self.send_json({"error": message})
        else:
            if not hasattr(self, "_current_user"):
                self.current_user = None
            self.render(
                "dashboard_error.html",
                active_tab="",
                message=message,
                redis_down=bool(redis_down),
                status=self._status_code,
            )

    def on_finish(self) -> None:
        """Check whether Redis is back: this answer may have come from a cache."""
        super().on_finish()
        if redis_availability.is_unavailable and self.answers_json and self.get_status() < 400:
            self.dashboard.threads.submit(_check_recovery, self.store)

    def log_exception(self, typ: Any, value: BaseException | None, tb: Any) -> None:
        """Log an outage of Redis once, and unexpected errors with their traceback."""
        if redis_error(value):
            redis_availability.mark_unavailable(cast("Exception", value))
        elif isinstance(value, BROKEN):
            log_unreadable(self.request.path, str(value))
        else:
            super().log_exception(typ, value, tb)


class Change(Page):
    """A change, by POST. It needs a login and a CSRF token, and is disabled in read-only mode.

    It writes an audit-log entry. The request and the answer are JSON.
    """

    @property
    def answers_json(self) -> bool:
        """Always."""
        return True

    def check_xsrf_cookie(self) -> None:
        """Check that one of our pages sent this: by the browser's headers and by Tornado's own check."""
        headers = self.request.headers
        if not same_origin(self.request.host, headers.get("Sec-Fetch-Site"), headers.get("Origin")):
            raise HTTPError(403, "sent by a page of another site")
        RequestHandler.check_xsrf_cookie(self)

    def prepare(self) -> Coroutine[Any, Any, None] | None:
        """Require a login and the right to make changes."""
        super().prepare()
        if self.dashboard.access.read_only:
            raise HTTPError(403, "this dashboard is read-only")
        if not self.may_change:
            raise HTTPError(403, "without authentication, changes are accepted from this machine only")
        return None

    @functools.cached_property
    def payload(self) -> dict[str, Any]:
        """The JSON object that was sent."""
        return parse_object(self.request.body or b"{}")

    def text(self, name: str) -> str:
        """Return a text of the payload.

        Raises:
            HTTPError: it is missing or empty.
        """
        value = self.payload.get(name)
        if not isinstance(value, str) or not value:
            raise HTTPError(400, f"{name}: missing")
        return value

    async def log_change(self, what: str, on: str, detail: str = "") -> None:
        """Write the audit-log entry of a change, before the change is made."""
        await self.run_in_thread(audit_log.append, self.store, self.who, what, on, detail)

    async def change_lanes(self, lanes: Sequence[str], call: Callable[P, T], *args: P.args, **kwargs: P.kwargs) -> T:
        """Make a change in a thread, and refresh these lanes and the global state in the cache."""

        def change() -> T:
            answer = call(*args, **kwargs)
            self.lane_cache.refresh(*lanes)
            return answer

        return await self.run_in_thread(change)


def user_of(handler: Handler) -> str:
    """Return the user of basic auth, the email of OAuth, or `local` without authentication."""
    if isinstance(handler.current_user, str):
        return handler.current_user
    if not handler.dashboard.access.basic_auth:
        return "local"
    login = Login.parse(handler.request.headers.get("Authorization", ""))
    return "" if login is None else login.user


def parse_object(sent: str | bytes) -> dict[str, Any]:
    """Return the JSON object that was sent.

    Raises:
        HTTPError: it is no JSON object, or has a lone surrogate, which cannot be encoded.
    """
    try:
        found = json.loads(sent)
        json.dumps(found, ensure_ascii=False).encode()
    except (ValueError, RecursionError):
        raise HTTPError(400, "not JSON") from None
    if not isinstance(found, dict):
        raise HTTPError(400, "not a JSON object")
    return found


def _check_recovery(store: LaneStore) -> None:
    asked_at = time.monotonic()
    with contextlib.suppress(LanesError, RedisError):
        store.time()
        redis_availability.mark_available(asked_at)


@authenticated
def _only_authenticated(_: RequestHandler) -> None:
    """Redirect to the login, or refuse, as Tornado does for a handler's method."""


def redis_error(error: object) -> str | None:
    """Return the message for an error of Redis, None for other errors."""
    if isinstance(error, RedisUnavailableError):
        return str(error)
    if isinstance(error, UNAVAILABLE):
        return str(unavailable(error))
    return f"Redis refuses: {error}" if isinstance(error, RedisError) else None


def _message(error: object, reason: str) -> str:
    if isinstance(error, HTTPError):
        return error.get_message() or reason
    if isinstance(error, LanesError):
        return str(error)
    return UNEXPECTED_ERROR
