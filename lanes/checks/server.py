"""Checks whether a Redis can store jobs safely. `inspect_server` queries it, the rest is pure."""

import time
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from typing import Any

import redis
from redis.exceptions import ResponseError

from lanes.checks.finding import Finding, Severity
from lanes.queue.store import LaneStore
from lanes.storage.durability import AOF_SETTINGS
from lanes.storage.redis_errors import own_errors, refuses
from lanes.storage.usable import version_of

WAITAOF_VERSION = (7, 2)
FULL = 0.8
SKEW_SECONDS = 1.0

# A worker does not start with one of these findings, unless LANES_ALLOW_UNSAFE_REDIS is set.
STARTUP_BLOCKERS = frozenset({"replica", "eviction", "no-aof"})


@dataclass(frozen=True, slots=True)
class ServerInfo:
    """State of a Redis; `info` and `config` are None if this user lacks the permission. `skew` in seconds."""

    info: Mapping[str, Any] | None
    config: Mapping[str, str] | None
    skew: float

    @property
    def memory(self) -> dict[str, int | float | None]:
        """Bytes in use, the limit (None if not set), and the share in use."""
        used, maxmemory = (int((self.info or {}).get(name, 0)) for name in ("used_memory", "maxmemory"))
        share = round(used / maxmemory, 4) if maxmemory else None
        return {"used": used, "maxmemory": maxmemory or None, "share": share}


def inspect_server(store: LaneStore) -> ServerInfo:
    """Query a Redis.

    Raises:
        RedisUnavailableError: it cannot be reached.
    """
    with own_errors():
        asked_at = time.time()
        seconds, micros = store.client.time()
        skew = (asked_at + time.time()) / 2 - seconds - micros / 1_000_000
        return ServerInfo(_permitted(store.client.info), _permitted(lambda: _config(store.client)), skew)


def _config(client: "redis.Redis") -> dict[str, str]:
    names = ("save", "maxmemory-policy", "appendonly", *AOF_SETTINGS)
    return {name: str(client.config_get(name).get(name, "")) for name in names}


def _permitted(ask: Any) -> Any:
    """Return the answer, or None if the user lacks the permission or the server does not know the command."""
    try:
        return ask()
    except ResponseError as error:
        if refuses(error) is None:
            raise
        return None


def store_aof_settings(store: LaneStore, found: ServerInfo) -> None:
    """Store for producers how the server syncs, if it has no WAITAOF that they can call instead.

    Raises:
        RedisUnavailableError: it cannot be reached or takes no writes.
    """
    if found.info and found.config and version_of(str(found.info.get("redis_version"))) < WAITAOF_VERSION:
        store.store_aof_settings(str(found.info.get("run_id")), found.config)


def check_server(found: ServerInfo) -> Iterator[Finding]:
    """Yield what makes a Redis unusable, or risky, for the lanes."""
    if found.info is None:
        text = (
            "INFO is renamed or not permitted: no memory is reserved for accepted jobs, and the server is not checked"
        )
        yield Finding("no-info", Severity.WARNING, "redis", text, "allow INFO to every user of the lanes")
    else:
        yield from _kind(found.info)
        yield from _persistence(found.info, found.config)
        yield from _memory(found)
    if abs(found.skew) > SKEW_SECONDS:
        ahead = "ahead of" if found.skew > 0 else "behind"
        text = f"this machine's clock is {abs(found.skew):.1f} s {ahead} that of Redis, and so are its timestamps"
        yield Finding("clock", Severity.WARNING, "clock", text, "synchronize both machines by NTP")


def startup_blockers(found: ServerInfo) -> list[Finding]:
    """Return why no worker should start here."""
    errors = (finding for finding in check_server(found) if finding.severity is Severity.ERROR)
    return [finding for finding in errors if finding.code in STARTUP_BLOCKERS]


def _kind(info: Mapping[str, Any]) -> Iterator[Finding]:
    version = str(info.get("redis_version", "0"))
    if version_of(version) < WAITAOF_VERSION:
        text = f"Redis {version} has no WAITAOF"
        yield Finding("old-version", Severity.NOTE, "redis", text, "upgrade to 7.2 to wait for its disk")
    if info.get("role") not in (None, "master"):
        text = "this is a replica: nothing can be enqueued or sent here"
        yield Finding("replica", Severity.ERROR, "redis", text, "name the primary in LANES_REDIS_URL")
    policy = info.get("maxmemory_policy", "noeviction")
    if policy != "noeviction":
        text = f"maxmemory-policy is {policy}: a full Redis would delete jobs"
        yield Finding("eviction", Severity.ERROR, "redis", text, "CONFIG SET maxmemory-policy noeviction")


def _persistence(info: Mapping[str, Any], config: Mapping[str, str] | None) -> Iterator[Finding]:
    if not info.get("aof_enabled", True):
        text = "appendonly is off: a crash of Redis loses what was accepted since the last snapshot"
        if config is None:
            # A managed Redis may persist its data in ways that INFO does not show.
            advice = "CONFIG SET appendonly yes, or check that the provider persists every write"
            yield Finding("no-aof", Severity.WARNING, "redis", text, advice)
        else:
            yield Finding("no-aof", Severity.ERROR, "redis", text, "CONFIG SET appendonly yes")
    if info.get("aof_enabled") and info.get("aof_last_write_status", "ok") != "ok":
        text = "the append-only file could not be written"
        yield Finding("aof-write", Severity.ERROR, "redis", text, "see its log: is the disk full?")
    if info.get("aof_enabled") and info.get("aof_last_bgrewrite_status", "ok") != "ok":
        text = "the append-only file could not be rewritten: it grows, and Redis starts slower"
        yield Finding("aof-rewrite", Severity.WARNING, "redis", text, "see its log, then BGREWRITEAOF")
    if info.get("rdb_last_bgsave_status", "ok") != "ok":
        text = "the last snapshot failed, so Redis may refuse writes"
        advice = "see its log: is the disk full, or memory short for a fork?"
        yield Finding("snapshot", Severity.WARNING, "redis", text, advice)
    fsync = (config or {}).get("appendfsync")
    if fsync == "no":
        text = "appendfsync is no: the loss of the machine may cost half a minute of accepted jobs"
        yield Finding("fsync", Severity.WARNING, "redis", text, "CONFIG SET appendfsync always")
    elif fsync == "everysec":
        text = "appendfsync is everysec: the loss of the machine may cost the last second of accepted jobs"
        yield Finding("fsync", Severity.NOTE, "redis", text, "CONFIG SET appendfsync always")


def _memory(found: ServerInfo) -> Iterator[Finding]:
    share = found.memory["share"]
    if share is None:
        text = "maxmemory is not set: the system kills Redis when memory is full"
        yield Finding("no-maxmemory", Severity.NOTE, "memory", text, "CONFIG SET maxmemory to what it may use")
    elif share >= FULL:
        text = f"{share:.0%} of maxmemory is in use; a full Redis accepts no new jobs"
        yield Finding("memory", Severity.WARNING, "memory", text, "raise maxmemory, or reduce the backlog")
