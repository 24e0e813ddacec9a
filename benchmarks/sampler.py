"""What Redis and the API's server see, looked at several times a second while something happens."""

import threading
import time
from collections.abc import Sequence
from dataclasses import dataclass
from types import TracebackType
from typing import Self

import redis

from benchmarks.api_server import ApiServer
from lanes.errors import LanesError
from lanes.queue.connecting import connect

SAMPLE_EVERY_SECONDS = 0.25
SECOND = 1.0


@dataclass(frozen=True, slots=True)
class Sample:
    """One look: scripts called and requests seen so far, and clients connected, at a monotonic time."""

    at: float
    calls: int
    clients: int
    requests: int


class Sampler:
    """Looks while its block runs; a Redis that is away or loading is not seen. Its own connection counts too."""

    def __init__(self, redis_url: str, server: ApiServer) -> None:
        self.samples: list[Sample] = []
        self._url = redis_url
        self._server = server
        self._ended = threading.Event()
        self._thread = threading.Thread(target=self._run, name="watch", daemon=True)

    def _run(self) -> None:
        with connect(self._url) as client:
            while not self._ended.wait(SAMPLE_EVERY_SECONDS):
                try:
                    self.samples.append(self._sample(client))
                except (redis.RedisError, LanesError, OSError):
                    continue

    def _sample(self, client: "redis.Redis") -> Sample:
        clients: int = client.info("clients")["connected_clients"]
        return Sample(time.monotonic(), script_use(client).calls, clients, self._server.tally.count)

    def __enter__(self) -> Self:
        self._thread.start()
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self._ended.set()
        self._thread.join()


@dataclass(frozen=True, slots=True)
class ScriptUse:
    """Scripts called since the statistics began, and microseconds that Redis spent in them."""

    calls: int
    microseconds: int


def script_use(client: "redis.Redis") -> ScriptUse:
    """Return what `INFO commandstats` says of `EVALSHA`, and of the `EVAL`s that load a script."""
    stats = client.info("commandstats")
    found = [stats.get(f"cmdstat_{name}", {"calls": 0, "usec": 0}) for name in ("evalsha", "eval")]
    return ScriptUse(sum(one["calls"] for one in found), sum(one["usec"] for one in found))


def per_second(samples: Sequence[Sample], name: str) -> list[float]:
    """Return the rates of a count, a look at a time, over the second (or a little more) before each look."""
    rates = []
    for place, sample in enumerate(samples):
        earlier = [one for one in samples[:place] if sample.at - one.at >= SECOND]
        if earlier:
            rates.append((getattr(sample, name) - getattr(earlier[-1], name)) / (sample.at - earlier[-1].at))
    return rates
