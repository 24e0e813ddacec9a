"""`lanes gateway`: the HTTP API for services in any language."""

import functools
import ipaddress
import logging
import ssl
from pathlib import Path
from typing import Any

import click

from lanes.errors import RedisUnavailableError
from lanes.queue.connecting import connect
from lanes.queue.store import LaneStore
from lanes.settings import DashboardSettings, ProducerSettings
from ops.command.console import examples
from ops.command.failures import WrongUse
from ops.command.session import Session, connected
from producers.gateway.app import make_app
from producers.gateway.server import ListenError, Listening, serve
from worker.logging.setup import configure_logging

File = click.Path(path_type=Path, exists=True, dir_okay=False)


@click.command(
    epilog=examples(
        "lanes gateway",
        "lanes gateway --host 0.0.0.0 --port 8443 --certificate cert.pem --private-key key.pem",
        "lanes gateway --host 0.0.0.0 --workers 4 --behind-proxy",
    )
)
@click.option("--host", metavar="HOST", default="127.0.0.1", show_default=True, help="Address to listen on.")
@click.option("--port", type=click.IntRange(1, 65535), default=8000, show_default=True)
@click.option("--workers", type=click.IntRange(1, 64), default=1, show_default=True, help="Number of processes.")
@click.option("--behind-proxy", is_flag=True, help="A proxy in front of it speaks TLS: allow plain HTTP.")
@click.option("--certificate", type=File, help="Certificate chain (PEM): speak TLS.")
@click.option("--private-key", type=File, help="Its private key (PEM), unless it is in the same file.")
@connected
def gateway(
    session: Session,
    host: str,
    port: int,
    workers: int,
    *,
    behind_proxy: bool,
    certificate: Path | None,
    private_key: Path | None,
) -> None:
    """Serve the HTTP API for services in any language; docs/gateway.md has its calls.

    Each call needs a key of a service: lanes service key NAME. Keys travel in a header, so from other machines they
    are accepted only by TLS: with --certificate, or with --behind-proxy if a proxy speaks TLS.
    """
    session.so_far = "the gateway has ended"
    if certificate is None and private_key is not None:
        raise WrongUse("--private-key needs --certificate")
    if not (behind_proxy or certificate or _is_loopback(host)):
        raise WrongUse(f"{host} can be reached from other machines: add --certificate, or --behind-proxy")
    if certificate is not None:
        _check_certificate(certificate, private_key)
    settings, logs = session.load(ProducerSettings), session.load(DashboardSettings)
    _check_redis(settings)
    make = functools.partial(make_process, settings, logs)
    configure(logs)
    try:
        status = serve(make, Listening(host, port, workers, certificate, private_key))
    except ListenError as error:
        raise WrongUse(str(error)) from error
    click.get_current_context().exit(status)


def make_process(settings: ProducerSettings, logs: DashboardSettings) -> Any:
    """Return the app of one process, whose lines are logged like those of workers."""
    configure(logs)
    return make_app(settings)


def configure(logs: DashboardSettings) -> None:
    """Log like a worker."""
    configure_logging(logs)
    logging.getLogger().setLevel(logging.WARNING)
    logging.getLogger("uvicorn.error").setLevel(logs.log_level.upper())


def _is_loopback(host: str) -> bool:
    try:
        return ipaddress.ip_address(host).is_loopback
    except ValueError:
        return host == "localhost"


def _check_certificate(certificate: Path, private_key: Path | None) -> None:
    try:
        ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER).load_cert_chain(certificate, private_key, password="")
    except OSError as error:  # also ssl.SSLError
        message = f"--certificate, --private-key: no certificate with its key in PEM: {error.strerror or error}"
        raise WrongUse(message) from error


def _check_redis(settings: ProducerSettings) -> None:
    """Refuse a server or a layout that will not change. Without Redis it starts, and answers 503 until it is back."""
    with connect(settings.redis_url) as client:
        try:
            LaneStore(client, settings.prefix).check_usable()
        except RedisUnavailableError as error:
            if error.trouble.is_permanent:
                raise
