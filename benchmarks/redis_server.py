"""The Redis of a run: how it syncs its append-only file, and what it used."""

from collections.abc import Mapping
from dataclasses import dataclass

from lanes.queue.connecting import connect
from ops.embedded.redis_server import RedisServer
from ops.embedded.stack import Stack

# As shipped in `ops/redis.conf`: every reply waits for a sync. The lanes are run like that.
ALWAYS = "always"
# A sync a second, as most people run Celery and dramatiq: every side of a comparison of speed.
EVERYSEC = "everysec"
_MICROSECONDS = 1_000_000


def start_redis(stack: Stack, appendfsync: str = ALWAYS, *options: str) -> None:
    """Start the stack's Redis with `ops/redis.conf`, this `appendfsync` and these options."""
    stack.redis = RedisServer(stack.redis.folder, stack.redis.port, ["--appendfsync", appendfsync, *options])
    stack.start_redis()


@dataclass(frozen=True, slots=True)
class RedisUse:
    """Seconds of CPU of the whole Redis process so far, without rewrites of its file, and calls of each command."""

    seconds: float
    calls: Mapping[str, int]

    @classmethod
    def read(cls, url: str) -> "RedisUse":
        """Ask Redis. Calls of a script count themselves."""
        with connect(url) as client:
            cpu, stats = client.info("cpu"), client.info("commandstats")
        calls = {name.removeprefix("cmdstat_"): int(one["calls"]) for name, one in stats.items()}
        return cls(cpu["used_cpu_user"] + cpu["used_cpu_sys"], calls)

    def microseconds_since(self, before: "RedisUse", count: int) -> float:
        """Return the CPU since then, for each of `count`."""
        return (self.seconds - before.seconds) * _MICROSECONDS / count

    def script_calls_since(self, before: "RedisUse", count: int) -> float:
        """Return how many commands the scripts called since then, for each of `count`."""

        def called(use: "RedisUse") -> int:
            own = ("eval", "evalsha", "info", "ping", "select", "hello", "client", "auth", "fcall", "script")
            return sum(calls for name, calls in use.calls.items() if name.partition("|")[0] not in own)

        return (called(self) - called(before)) / count
