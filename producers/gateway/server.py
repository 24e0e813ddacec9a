"""Runs the gateway: one process, or several behind one socket."""

import os
import signal
import tempfile
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from uvicorn import Config, Server
from uvicorn.supervisors import Multiprocess

from lanes.errors import LanesError
from producers.gateway.connection import BoundedConnection
from producers.gateway.metrics import FOLDER_VARIABLE

BACKLOG = 512
KEEP_ALIVE_SECONDS = 30
# Requests in flight are finished within it: longer than an enqueue retries Redis.
STOP_SECONDS = 25
_HEADERS = [("Cache-Control", "no-store"), ("X-Content-Type-Options", "nosniff")]


class ListenError(LanesError):
    """The address or the port is not available."""


@dataclass(frozen=True, slots=True)
class Listening:
    """Where the gateway listens, with how many processes; with a certificate and its key by TLS."""

    host: str
    port: int
    workers: int = 1
    certificate: Path | None = None
    private_key: Path | None = None


def serve(make_app: Callable[[], Any], where: Listening) -> int:
    """Serve until SIGTERM or SIGINT; return an exit status.

    Args:
        make_app: returns the app of a process. It is called in each, so it must be picklable.
        where: where it listens.

    Raises:
        ListenError: it cannot listen there.
    """
    config = Config(
        make_app,
        factory=True,
        host=where.host,
        port=where.port,
        workers=where.workers,
        ssl_certfile=where.certificate,
        ssl_keyfile=where.private_key,
        http=BoundedConnection,
        ws="none",
        lifespan="on",
        log_config=None,
        access_log=False,
        proxy_headers=False,
        server_header=False,
        headers=_HEADERS,
        backlog=BACKLOG,
        timeout_keep_alive=KEEP_ALIVE_SECONDS,
        timeout_graceful_shutdown=STOP_SECONDS,
    )
    try:
        socket = config.bind_socket()
    except SystemExit as error:
        why = getattr(error.__context__, "strerror", None) or str(error)
        raise ListenError(f"cannot listen on {where.host}, port {where.port}: {why}; see --host, --port") from error
    if where.workers == 1:
        signal.signal(signal.SIGTERM, lambda *_: None)  # the server repeats the signal that stopped it
        server = Server(config)
        server.run(sockets=[socket])
        return 0 if server.started else 1
    with tempfile.TemporaryDirectory(prefix="lanes-gateway-") as folder:
        os.environ[FOLDER_VARIABLE] = folder
        supervisor = Multiprocess(config, sockets=[socket])
        supervisor.run()
        socket.close()
        return 0 if all(process.exitcode in (0, -signal.SIGTERM) for process in supervisor.processes) else 1
