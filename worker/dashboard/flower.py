"""Everything that we use, add or change in Flower. Tested against the pinned version.

Our handlers come before Flower's, and our templates extend its `base.html`.
"""

import os
import sys
from collections.abc import Sequence
from concurrent.futures import ThreadPoolExecutor
from typing import Any, ClassVar, cast

from celery import Celery
from flower.app import Flower, rewrite_handler
from flower.command import (
    apply_env_options,
    apply_options,
    extract_settings,
    is_flower_option,
    print_banner,
    setup_logging,
    sigterm_handler,
)
from flower.options import default_options
from flower.urls import settings as flower_settings
from flower.utils import strtobool
from flower.utils.authentication import authenticate
from flower.views import BaseHandler
from flower.views.monitor import Metrics as FlowerMetrics
from tornado.httputil import HTTPMessageDelegate, HTTPServerRequest
from tornado.ioloop import IOLoop
from tornado.netutil import bind_sockets, bind_unix_socket
from tornado.web import HTTPError, RequestHandler, StaticFileHandler, url

from lanes.queue.store import LaneStore
from lanes.settings import DashboardSettings
from lanes.times import format_time
from worker.dashboard.access import PROXY_HEADERS, AccessPolicy, Client
from worker.dashboard.http_server import BoundedServer, has_body, is_too_large
from worker.dashboard.lane_cache import LaneCache
from worker.dashboard.login import LoginCheck
from worker.dashboard.refusals import LOCAL_ONLY, LOG_IN_FIRST, NO_BODY, TOO_LARGE, Refusal, Refused, refusal_of
from worker.dashboard.template_loader import FOLDER, Templates
from worker.logging.unreadable import log_unreadable
from worker.metrics import LanesCollector
from worker.safety.supervisor import Supervisor

__all__ = [
    "Dashboard",
    "Handler",
    "apply_env_options",
    "apply_options",
    "default_options",
    "extract_settings",
    "flower_settings",
    "is_flower_option",
    "print_banner",
    "setup_logging",
    "sigterm_handler",
]

STATIC = FOLDER / "static"
THREADS = 8
METRICS_MAX_WAIT_SECONDS = 2.0

# The pages in the navigation: name of the URL -> label.
MENU = {"throughput": "Throughput", "lanes": "Lanes", "dead_letters": "Dead letters", "audit_log": "Audit log"}


class Handler(BaseHandler, RequestHandler):
    """The base of our handlers: Flower's, with its authentication and its error pages."""

    @property
    def dashboard(self) -> "Dashboard":
        """The application."""
        return cast("Dashboard", self.application)

    @property
    def client(self) -> Client:
        """The origin of the request."""
        return client_of(self.request)


def client_of(request: HTTPServerRequest) -> Client:
    """Return the origin of a request."""
    return Client(request.remote_ip or "", request.host or "", any(name in request.headers for name in PROXY_HEADERS))


class StaticFiles(StaticFileHandler):
    """Our static files. One without a version in its URL (a module that another imports) is revalidated each time."""

    def set_extra_headers(self, path: str) -> None:
        """Add the headers."""
        del path
        self.set_header("X-Content-Type-Options", "nosniff")
        if not self.get_argument("v", None):
            self.set_header("Cache-Control", "no-cache")


class Metrics(FlowerMetrics, Handler):
    """Flower's /metrics, with a login: they name locations."""

    async def get(self) -> None:
        """Send the metrics."""
        if not self.dashboard.access.allows_anonymous_metrics(self.client) and not self.current_user:
            raise HTTPError(403, "log in, or ask from this machine")
        if (lanes := self.dashboard.metrics) is not None:
            await IOLoop.current().run_in_executor(self.dashboard.threads, lanes.refresh, METRICS_MAX_WAIT_SECONDS)
        await FlowerMetrics.get(self)


class Dashboard(Flower):
    """Flower with our handlers in front of its own.

    Args:
        capp: the Celery app.
        store: the lanes.
        settings: the settings.
        access: who has access.
        handlers: our pages; their URLs have no `url_prefix`.
    """

    PUBLIC_PATHS: ClassVar = ("/healthcheck",)

    def __init__(
        self,
        capp: Celery,
        store: LaneStore,
        settings: DashboardSettings,
        access: AccessPolicy,
        handlers: Sequence[url],
        **more: Any,
    ) -> None:
        options = default_options
        given = {**flower_settings, **more}
        given["template_loader"] = Templates(given["template_path"])
        given["ui_methods"] = {"asset_url": asset_url, "menu": menu, "page_url": page_url, "time_tag": time_tag}
        given["xsrf_cookie_kwargs"] = {"samesite": "Lax", "secure": "ssl_options" in given}
        super().__init__(options=options, capp=capp, **given)
        self.store = store
        store.unreadable = log_unreadable
        self.lanes_settings = settings
        self.access = access
        self.login = LoginCheck(lambda: options.basic_auth or ())
        self.server: BoundedServer | None = None
        self.supervisor = Supervisor()
        self.lane_cache = LaneCache(store, self.supervisor)
        self.metrics: LanesCollector | None = None
        self.threads = ThreadPoolExecutor(THREADS, "dashboard")
        own = [
            *handlers,
            url(r"/metrics", Metrics),
            url(r"/lanes-static/(.*)", StaticFiles, {"path": str(STATIC)}, name="asset_files"),
        ]
        # Tornado puts these first, so Flower's "not found" stays last.
        self.add_handlers(r".*", [self._below_prefix(handler) for handler in own])

    @property
    def prefix(self) -> str:
        """The prefix of every path: empty, or like `/flower`."""
        given = (self.options.url_prefix or "").strip("/")
        return f"/{given}" if given else ""

    def _below_prefix(self, handler: url) -> url:
        return rewrite_handler(handler, self.prefix) if self.prefix else handler

    def find_handler(self, request: HTTPServerRequest, **kwargs: Any) -> HTTPMessageDelegate | None:
        """Find the handler when the headers are read: `Refused` if the client has no access, before any body."""
        found: HTTPMessageDelegate | None
        if (refusal := self._refusal(request)) is not None:
            found = self.get_handler_delegate(request, Refused, {"refusal": refusal})
        else:
            found = super().find_handler(request, **kwargs)
        return found

    def _refusal(self, request: HTTPServerRequest) -> Refusal | None:
        client = client_of(request)
        if request.path in [self.prefix + path for path in self.PUBLIC_PATHS]:
            return NO_BODY if has_body(request) else None
        if not self.access.allows(client):
            return LOCAL_ONLY
        sent = request.headers.get("Authorization", "")
        if self.options.basic_auth and (refused := self.login.refusal(sent, client.ip)) is not None:
            return refusal_of(refused)
        logged_in = not self.options.auth or Handler(self, request).current_user
        if not logged_in and has_body(request):
            return LOG_IN_FIRST
        if logged_in and self.server is not None:
            self.server.mark_logged_in(request)
        return TOO_LARGE if is_too_large(request) else None

    def start_http_server(self) -> int | None:
        """Listen, with limits; return the port, None for a Unix socket."""
        options, tls = self.options, self.ssl_options
        self.server = BoundedServer(self, ssl_options=tls, xheaders=options.xheaders)
        if options.unix_socket:
            self.server.add_socket(bind_unix_socket(options.unix_socket, mode=0o777))
            return None
        sockets = bind_sockets(options.port, address=options.address)
        self.server.add_sockets(sockets)
        port: int = sockets[0].getsockname()[1]
        return port

    def task_url(self, task_id: str) -> str | None:
        """Return the URL of Flower's page of a task, None if it does not know the task. Call it in Tornado's loop."""
        return str(self.reverse_url("task", task_id)) if task_id in self.events.state.tasks else None

    def stop(self) -> None:
        """Stop Flower, and our threads."""
        super().stop()
        self.supervisor.stop()
        self.threads.shutdown(wait=False, cancel_futures=True)


def asset_url(handler: Handler, path: str) -> str:
    """Return the URL of one of our static files, with its version."""
    where = {"static_path": str(STATIC), "static_url_prefix": f"{handler.dashboard.prefix}/lanes-static/"}
    return StaticFiles.make_static_url(where, path)


def page_url(handler: Handler, name: str, *values: str) -> str | None:
    """Return the URL of one of our pages, None if there is no page of this name.

    A / in a value is escaped, which Tornado does not do.
    """
    try:
        found: str = handler.reverse_url(name, *(value.replace("/", "\0") for value in values))
        return found.replace("%00", "%2F")
    except KeyError:
        return None


def time_tag(handler: Handler, seconds: float | None) -> str:
    """Return the HTML of a time in UTC; a script shows the local time on hover."""
    del handler
    shown = format_time(seconds)
    return shown if seconds is None else f'<time datetime="{shown}">{shown}</time>'


def menu(handler: Handler) -> dict[str, tuple[str, str]]:
    """Return name -> title and URL of the pages in the navigation."""
    return {name: (title, found) for name, title in MENU.items() if (found := page_url(handler, name))}


def patch_login() -> None:
    """Patch Flower's check of passwords, which fails beyond ASCII: `Dashboard` has checked them before."""

    def current_user(handler: Any) -> Any:
        allowed = handler.application.options.auth
        if not allowed:
            return True
        user = (handler.get_secure_cookie("user") or b"").decode()
        return user if user and authenticate(allowed, user) else None

    BaseHandler.get_current_user = current_user


def unauthenticated_api() -> bool:
    """Return whether the environment opens Flower's API without authentication."""
    return bool(strtobool(os.environ.get("FLOWER_UNAUTHENTICATED_API") or "false"))


def parse(arguments: Sequence[str]) -> None:
    """Read Flower's options from the environment, its configuration file and the arguments, as Flower does."""
    apply_env_options()
    apply_options(sys.argv[0], list(arguments))
