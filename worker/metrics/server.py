"""The metrics server: threads in the process that it reports on."""

import os
import socket
import sys
import threading
from collections.abc import Callable, Iterable, Mapping, Sequence
from socketserver import TCPServer, ThreadingMixIn
from typing import Any
from wsgiref.simple_server import WSGIRequestHandler, WSGIServer

import structlog
from prometheus_client import CollectorRegistry, make_wsgi_app

log = structlog.get_logger()

CLIENT_SECONDS = 10
READY = "/ready"
TEXT = ("Content-Type", "text/plain; charset=utf-8")


class _Handler(WSGIRequestHandler):
    timeout = CLIENT_SECONDS  # a silent client occupies a thread no longer than this

    def log_message(self, format: str, *args: Any) -> None:  # noqa: A002 - the base class has this name
        """Log no requests."""


class _Server(ThreadingMixIn, WSGIServer):
    daemon_threads = True

    def handle_error(self, request: Any, client_address: Any) -> None:
        """Log a client that closed its connection or sent nothing at debug level only."""
        del request
        log.debug("metrics_client_failed", client=str(client_address), error=repr(sys.exception()))

    def server_bind(self) -> None:
        """Listen without a DNS query for the name of this machine."""
        TCPServer.server_bind(self)
        self.server_name, self.server_port = str(self.server_address[0]), int(self.server_address[1])
        self.setup_environ()


class MetricsServer:
    """Serves each registry at its path until it is closed. Forked children do not keep its socket.

    With `why_not_ready` it also serves /ready: 200 when that returns nothing, else 503 and the lines.

    Raises:
        OSError: it cannot listen at this address and port.
    """

    def __init__(
        self,
        address: str,
        port: int,
        registries: Mapping[str, CollectorRegistry],
        why_not_ready: Callable[[], Sequence[str]] | None = None,
    ) -> None:
        family = socket.AF_INET6 if ":" in address else socket.AF_INET
        kind = type("Server", (_Server,), {"address_family": family})
        self._server = kind((address, port), _Handler)
        self._server.set_app(_route(registries, why_not_ready))
        os.register_at_fork(after_in_child=self._server.socket.close)
        threading.Thread(target=self._server.serve_forever, name="metrics-server", daemon=True).start()

    def close(self) -> None:
        """Stop listening."""
        self._server.shutdown()
        self._server.server_close()


def _route(registries: Mapping[str, CollectorRegistry], why_not_ready: Callable[[], Sequence[str]] | None) -> Any:
    apps = {path: make_wsgi_app(registry) for path, registry in registries.items()}

    def answer(environ: dict[str, Any], start_response: Any) -> Iterable[bytes]:
        if app := apps.get(environ["PATH_INFO"]):
            page: list[bytes] = app(environ, start_response)
            return page
        if why_not_ready is not None and environ["PATH_INFO"] == READY:
            reasons = why_not_ready()
            start_response("503 Service Unavailable" if reasons else "200 OK", [TEXT])
            return ["".join(f"{line}\n" for line in reasons or ["ready"]).encode()]
        start_response("404 Not Found", [TEXT])
        return [f"Metrics are at {' and '.join(apps)}.\n".encode()]

    return answer
