"""How Redis is, in its own words. `parse` is pure."""

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from redis.exceptions import ResponseError

from lanes.queue.store import LaneStore
from worker.metrics.samples import Sample

# Of what Redis' latency monitor knows, that which a person can do something about.
SLOW = ("aof-fsync-always", "aof-write", "command", "fork")
FORGOTTEN_SECONDS = 300


@dataclass(frozen=True, slots=True)
class RedisHealth:
    """Sizes in bytes. `slow` has, for each event of `SLOW`, the seconds that it took last, 0 when that is long ago."""

    version: str
    memory_used: int
    memory_max: int
    fragmentation: float
    aof_enabled: bool
    aof_last_write_ok: bool
    aof_rewrite_running: bool
    replicas: int
    slow: Mapping[str, float]

    def samples(self) -> Iterator[Sample]:
        """Return it as metrics."""
        yield Sample("lanes_redis_memory_used_bytes", self.memory_used)
        yield Sample("lanes_redis_memory_max_bytes", self.memory_max)
        yield Sample("lanes_redis_memory_fragmentation_ratio", self.fragmentation)
        yield Sample("lanes_redis_aof_enabled", self.aof_enabled)
        yield Sample("lanes_redis_aof_last_write_ok", self.aof_last_write_ok)
        yield Sample("lanes_redis_aof_rewrite_running", self.aof_rewrite_running)
        yield Sample("lanes_redis_replicas", self.replicas)
        for event, seconds in self.slow.items():
            yield Sample("lanes_redis_slow_seconds", seconds, (event,))


def parse(info: Mapping[str, Any], latest: Sequence[Sequence[Any]], now: float) -> RedisHealth:
    """Read the replies of INFO and of LATENCY LATEST."""
    slow = dict.fromkeys(SLOW, 0.0)
    for name, at, milliseconds, *_ in latest:
        event = name.decode() if isinstance(name, bytes) else str(name)
        if event in slow and now - at <= FORGOTTEN_SECONDS:
            slow[event] = milliseconds / 1000
    return RedisHealth(
        version=str(info.get("redis_version", "")),
        memory_used=int(info.get("used_memory", 0)),
        memory_max=int(info.get("maxmemory", 0)),
        fragmentation=float(info.get("mem_fragmentation_ratio", 0)),
        aof_enabled=bool(info.get("aof_enabled", 0)),
        aof_last_write_ok=info.get("aof_last_write_status", "ok") == "ok",
        aof_rewrite_running=bool(info.get("aof_rewrite_in_progress", 0)),
        replicas=int(info.get("connected_slaves", 0)),
        slow=slow,
    )


def read_health(store: LaneStore, now: float) -> RedisHealth | None:
    """Ask Redis how it is; None when it does not tell this user."""

    def ask(client: Any) -> RedisHealth | None:
        try:
            return parse(client.info(), client.execute_command("LATENCY LATEST"), now)
        except ResponseError:
            return None

    found: RedisHealth | None = store.read(ask)
    return found
