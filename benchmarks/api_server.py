"""The instant server as a part of a stack."""

from dataclasses import dataclass
from typing import Self

from benchmarks.instant_server import Tally, read_tally
from benchmarks.systems import ROOT
from ops.embedded.processes import Child
from ops.embedded.redis_server import free_port
from ops.embedded.stack import Stack


@dataclass(frozen=True, slots=True)
class ApiServer:
    """Where it is, and its process."""

    url: str
    child: Child

    @classmethod
    def start(cls, stack: Stack, latency: float = 0) -> Self:
        """Start it with this latency in seconds, and wait until it answers."""
        port = free_port()
        url = f"http://127.0.0.1:{port}"
        child = stack.start("server", ["benchmarks.instant_server", str(port), str(latency)], PYTHONPATH=ROOT)
        stack.until(lambda: read_tally(url) is not None, child)
        return cls(url, child)

    @property
    def tally(self) -> Tally:
        """What it saw so far."""
        return read_tally(self.url) or Tally()
