"""What every page of ours is: authenticated as Flower is, closed to other sites, and never a traceback."""

import asyncio
import contextlib
import functools
import json
import time
from base64 import b64decode
from collections.abc import Callable, Coroutine
from typing import Any, ParamSpec, TypeVar, cast

from redis.exceptions import RedisError
from tornado.web import HTTPError, RequestHandler, authenticated

from lanes.activity import audit_log
from lanes.errors import LanesError, RedisUnavailableError
from lanes.queue.store import LaneStore
from lanes.settings import DashboardSettings
from lanes.storage.redis_errors import UNAVAILABLE, unavailable
from worker.dashboard.access import same_origin
from worker.dashboard.flower import Handler, page_url
from worker.dashboard.lane_cache import LaneCache
from worker.safety.redis_availability import RedisAvailability

redis_availability = RedisAvailability()
P = ParamSpec("P")
T = TypeVar("T")

MAX_REQUEST_BYTES = 1 << 20

HEADERS = {
    # Bootstrap's stylesheet carries its icons as data: URLs.
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
    """A page, or its data: those whose path ends in `/data` answer JSON."""

    def set_default_headers(self) -> None:
        """Close the page to other sites and to caches."""
        super().set_default_headers()
        for name, value in HEADERS.items():
            self.set_header(name, value)

    def prepare(self) -> Coroutine[Any, Any, None] | None:
        """Let in whom Flower lets in; others are asked to log in as Flower asks them."""
        if self.answers_json and not self.current_user:
            raise HTTPError(403, "log in first")
        _only_authenticated(self)
        return None

    @property
    def answers_json(self) -> bool:
        """Whether JSON is answered, also when something goes wrong."""
        return self.request.path.endswith("/data")

    @property
    def store(self) -> LaneStore:
        """The lanes."""
        return self.dashboard.store

    @property
    def lane_cache(self) -> LaneCache:
        """What reads all lanes, for whoever looks."""
        return self.dashboard.lane_cache

    @property
    def lanes_settings(self) -> DashboardSettings:
        """The settings of the lanes."""
        return self.dashboard.lanes_settings

    @property
    def who(self) -> str:
        """Who looks: the user of basic auth, the email of OAuth, or `local` where nobody is asked."""
        if isinstance(self.current_user, str):
            return self.current_user
        if not self.dashboard.access.basic_auth:
            return "local"
        _, _, sent = self.request.headers.get("Authorization", "").partition(" ")
        return b64decode(sent).decode().partition(":")[0]

    @property
    def may_change(self) -> bool:
        """Whether this request, were it a POST, could change something; pages show no buttons otherwise."""
        return self.dashboard.access.allows_changes(self.client)

    def argument(self, name: str, default: str = "") -> str:
        """Return an argument of the URL as it was sent (Flower's own `get_argument` escapes it for HTML)."""
        return RequestHandler.get_argument(self, name, default)

    async def run_in_thread(self, call: Callable[P, T], *args: P.args, **kwargs: P.kwargs) -> T:
        """Call something that waits for Redis, in a thread: Tornado's loop never waits."""
        loop = asyncio.get_running_loop()
        return await loop.run_in_executor(self.dashboard.threads, functools.partial(call, *args, **kwargs))

    def page_url(self, name: str, *values: str) -> str | None:
        """Return the URL of a page of ours, None when there is no such page."""
        return page_url(self, name, *values)

    def show(self, template: str, *, active: str, **values: Any) -> None:
        """Render a template of ours. `active` is the page's name in the navigation."""
        self.render(template, active_tab=active, may_change=self.may_change, who=self.who, **values)

    def send_json(self, values: dict[str, Any]) -> None:
        """Answer JSON."""
        self.set_header("Content-Type", "application/json; charset=UTF-8")
        self.finish(json.dumps(values, allow_nan=False))

    def write_error(self, status_code: int, **kwargs: Any) -> None:
        """Say in a line what is wrong; 503 when it is Redis."""
        error = (kwargs.get("exc_info") or (None, None, None))[1]
        if status_code == 401:  # Flower asks for the password.
            super().write_error(status_code, **kwargs)
            return
        redis_down = redis_error(error)
        self.set_status(503 if redis_down else status_code)
        message = redis_down or _message(error, self._reason)
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
        """See whether Redis is back; what was answered may have been known before."""
        super().on_finish()
        if redis_availability.is_unavailable and self.answers_json and self.get_status() < 400:
            self.dashboard.threads.submit(_check_recovery, self.store)

    def log_exception(self, typ: Any, value: BaseException | None, tb: Any) -> None:
        """Log once that Redis is away, and the traceback of what nobody expected."""
        if redis_error(value):
            redis_availability.mark_unavailable(cast("Exception", value))
        else:
            super().log_exception(typ, value, tb)


class Change(Page):
    """Changes something, by POST: never from another site, never read-only, never without an entry in the trail.

    The values come as a JSON object (`self.payload`), which no form of another site can send; the answer is JSON.
    """

    @property
    def answers_json(self) -> bool:
        """It does."""
        return True

    def check_xsrf_cookie(self) -> None:
        """See that a page of ours sent this: by what the browser says, and by Tornado's own check, always."""
        headers = self.request.headers
        if not same_origin(self.request.host, headers.get("Sec-Fetch-Site"), headers.get("Origin")):
            raise HTTPError(403, "sent by a page of another site")
        RequestHandler.check_xsrf_cookie(self)

    def prepare(self) -> Coroutine[Any, Any, None] | None:
        """See who it is, and whether changes are taken."""
        super().prepare()
        if self.dashboard.access.read_only:
            raise HTTPError(403, "this dashboard is read-only")
        if not self.may_change:
            raise HTTPError(403, "without authentication, changes are taken from this machine only")
        return None

    @functools.cached_property
    def payload(self) -> dict[str, Any]:
        """The values that were sent."""
        if len(self.request.body) > MAX_REQUEST_BYTES:
            raise HTTPError(413, "too much was sent")
        return parse_object(self.request.body or b"{}")

    async def log_change(self, what: str, on: str, detail: str = "") -> None:
        """Write who is about to change what into the trail: before the change, so that none is without an entry."""
        await self.run_in_thread(audit_log.append, self.store, self.who, what, on, detail)


def parse_object(sent: str | bytes) -> dict[str, Any]:
    """Return the JSON object that was sent.

    Raises:
        HTTPError: it is none, or holds half a character (a lone surrogate), which fits into no key and no answer.
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
    """Do as Tornado does for a handler's method: redirect to the login, or refuse."""


def redis_error(error: object) -> str | None:
    """Return what to tell people when Redis is the reason, None when it is not."""
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
    return "something went wrong; the log of the dashboard has it"
