"""What Redis reports of itself. `parse` is pure."""

from collections.abc import Mapping, Sequence
from typing import Any

from redis.exceptions import ResponseError

from lanes.queue.store import LaneStore
from worker.metrics.samples import Sample

SLOW = ("aof-fsync-always", "aof-write", "command", "fork")  # events of the latency monitor
FORGOTTEN_SECONDS = 300


def parse(info: Mapping[str, Any], latest: Sequence[Sequence[Any]], now: float) -> tuple[str, list[Sample]]:
    """Return the version of Redis, and metrics, from the replies of INFO and LATENCY LATEST."""
    slow = dict.fromkeys(SLOW, 0.0)
    for name, at, milliseconds, *_ in latest:
        event = name.decode() if isinstance(name, bytes) else str(name)
        if event in slow and now - at <= FORGOTTEN_SECONDS:
            slow[event] = milliseconds / 1000
    values = {
        "memory_used_bytes": int(info.get("used_memory", 0)),
        "memory_max_bytes": int(info.get("maxmemory", 0)),
        "memory_fragmentation_ratio": float(info.get("mem_fragmentation_ratio", 0)),
        "aof_enabled": bool(info.get("aof_enabled", 0)),
        "aof_last_write_ok": info.get("aof_last_write_status", "ok") == "ok",
        "aof_rewrite_running": bool(info.get("aof_rewrite_in_progress", 0)),
        "replicas": int(info.get("connected_slaves", 0)),
    }
    samples = [Sample(f"lanes_redis_{name}", value) for name, value in values.items()]
    samples += [Sample("lanes_redis_slow_seconds", seconds, (event,)) for event, seconds in slow.items()]
    return str(info.get("redis_version", "")), samples


def read_health(store: LaneStore, now: float) -> tuple[str, list[Sample]]:
    """Return the version of Redis, and metrics; empty if this user may not ask."""

    def ask(client: Any) -> tuple[str, list[Sample]]:
        try:
            return parse(client.info(), client.execute_command("LATENCY LATEST"), now)
        except ResponseError:
            return "", []

    found: tuple[str, list[Sample]] = store.read(ask)
    return found
