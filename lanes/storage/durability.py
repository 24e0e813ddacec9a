"""The durability that an enqueue waits for, and how Redis confirms it."""

import re
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any, Literal, Self

from redis.exceptions import ResponseError

from lanes.storage.redis_errors import refuses
from lanes.storage.scripts import Argument
from lanes.storage.stored import text_of

Command = tuple[Argument, ...]
Level = Literal["accepted", "fsync", "replicas"]

MAX_REPLICAS = 16
_INFO_LINE = re.compile(rb"^(\w+):([^\r\n]*)", re.MULTILINE)
_TEXT = re.compile(r"accepted|fsync|replicas:([1-9][0-9]?)")
# How long producers trust the settings that a worker stored. A worker stores them once a minute.
AOF_SETTINGS_SECONDS = 600
# The settings of the append-only file with which Redis syncs before it answers.
AOF_SETTINGS = {"appendfsync": "always", "no-appendfsync-on-rewrite": "no"}


@dataclass(frozen=True, slots=True)
class Durability:
    """`accepted`: Redis has it. `fsync`: it is on its disk. `replicas`: replicas have it in memory."""

    level: Level = "accepted"
    replicas: int = 0

    @classmethod
    def parse(cls, text: str) -> Self:
        """Read `accepted`, `fsync` or `replicas:N`.

        Raises:
            ValueError: it is something else; the message says what is allowed.
        """
        found = _TEXT.fullmatch(text)
        replicas = int(found[1] or 0) if found else 0
        if found is None or replicas > MAX_REPLICAS:
            message = f"must be accepted, fsync or replicas:N (N from 1 to {MAX_REPLICAS})"
            raise ValueError(message)
        return cls("replicas", replicas) if replicas else cls("accepted" if text == "accepted" else "fsync")

    def __str__(self) -> str:
        return f"replicas:{self.replicas}" if self.replicas else self.level

    def commands(self, durability_marker: str, milliseconds: int) -> list[Command]:
        """Return the commands after an enqueue, on the same connection: WAIT and WAITAOF are about its writes only.

        An enqueue of a known job writes nothing, so WAIT would not wait. The write to the key `durability_marker` makes
        it wait for everything written before.
        """
        if self.level == "accepted":
            return []
        set_marker: Command = ("SET", durability_marker, "1")
        if self.level == "replicas":
            return [set_marker, ("WAIT", self.replicas, milliseconds)]
        return [set_marker, ("WAITAOF", 1, 0, milliseconds)]

    def unmet_durability(self, replies: Sequence[Any]) -> str | None:
        """Return why the replies to `commands` do not confirm the durability, or None.

        Raises:
            NoWaitAofError: the server has no WAITAOF.
        """
        if self.level == "accepted":
            return None
        marked, waited = replies
        if isinstance(waited, ResponseError) and "unknown command" in str(waited).lower():
            raise NoWaitAofError
        for reply in (marked, waited):
            if isinstance(reply, ResponseError):
                return str(refuses(reply) or f"Redis refuses: {reply}")
        if self.level == "replicas":
            text = f"{waited} of {self.replicas} replicas have acknowledged in time"
            return None if waited >= self.replicas else text
        return None if waited[0] >= 1 else "Redis has not synced its append-only file in time"


ACCEPTED = Durability()


class NoWaitAofError(Exception):
    """The server is older than 7.2: it has no WAITAOF."""


def pack_aof_settings(run_id: str, config: Mapping[str, str]) -> str:
    """Return what a worker stores for producers, who may not read the configuration: how this server syncs.

    `run_id` changes with each start of the server, so nothing is trusted after a restart or a failover.
    """
    return " ".join((run_id, *(config.get(name, "?") for name in AOF_SETTINGS)))


def aof_questions(aof_settings_key: str) -> list[Command]:
    """Return the commands whose replies `unsynced` takes; none may be nil, so MGET."""
    return [("MGET", aof_settings_key), ("INFO", "server"), ("INFO", "persistence")]


def unsynced(replies: Sequence[Any]) -> str | None:
    """Return why an answered enqueue may not be on disk, by the replies to `aof_questions`; None if it is.

    With `appendfsync always` Redis syncs before it answers, except during a rewrite with `no-appendfsync-on-rewrite`.
    Whether it has an append-only file at all, it says itself.
    """
    old = "Redis is older than 7.2 and has no WAITAOF"
    for reply in replies:
        if isinstance(reply, ResponseError):
            return f"{old}, and its state cannot be read: {refuses(reply) or reply}"
    (stored,), *parts = replies
    info = dict(_INFO_LINE.findall(b"\n".join(parts)))
    if info.get(b"aof_enabled") != b"1":
        return f"{old}, and keeps no append-only file: set appendonly yes"
    run_id, *settings = text_of(stored or b"").split(" ")
    if run_id != text_of(info.get(b"run_id", b"")):
        minutes = AOF_SETTINGS_SECONDS // 60
        return f"{old}, and no worker has read its settings since its start, or for {minutes} minutes: start a worker"
    if settings != list(AOF_SETTINGS.values()):
        return f"{old}: set {' and '.join(' '.join(pair) for pair in AOF_SETTINGS.items())}"
    return None
