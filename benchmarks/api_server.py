"""The instant server as a part of a stack."""

from dataclasses import dataclass
from pathlib import Path
from typing import Self

from benchmarks.systems import ROOT
from benchmarks.tally import Tally, read_arrivals, read_tally
from ops.embedded.processes import Child
from ops.embedded.redis_server import free_port
from ops.embedded.stack import Stack
from tests.certificates import make_certificate


@dataclass(frozen=True, slots=True)
class Behaviour:
    """What the server does: seconds until an answer (least, most), requests per seconds and location, TLS, a log."""

    latency: tuple[float, float] = (0.0, 0.0)
    limit: tuple[int, int] = (0, 0)
    tls: bool = False
    log: bool = False


INSTANT = Behaviour()


@dataclass(frozen=True, slots=True)
class ApiServer:
    """Where it is, its process, and with TLS the certificate to trust."""

    url: str
    child: Child
    certificate: Path | None = None

    @classmethod
    def start(cls, stack: Stack, behaviour: Behaviour = INSTANT) -> Self:
        """Start it, and wait until it answers."""
        port = free_port()
        options = ["--latency", *map(str, behaviour.latency), "--limit", *map(str, behaviour.limit)]
        options += ["--log"] if behaviour.log else []
        certificate = None
        if behaviour.tls:
            certificate = make_certificate(stack.folder / "server.pem")
            options += ["--certificate", str(certificate)]
        url = f"{'https' if behaviour.tls else 'http'}://127.0.0.1:{port}"
        child = stack.start("server", ["benchmarks.instant_server", str(port), *options], PYTHONPATH=ROOT)
        server = cls(url, child, certificate)
        stack.until(lambda: server._read() is not None, child)
        return server

    def _read(self) -> Tally | None:
        return read_tally(self.url, None if self.certificate is None else str(self.certificate))

    @property
    def tally(self) -> Tally:
        """What it saw so far."""
        return self._read() or Tally()

    @property
    def arrivals(self) -> dict[str, float]:
        """When the upsert of each contact came; only without TLS, and with a log."""
        return read_arrivals(self.url)
