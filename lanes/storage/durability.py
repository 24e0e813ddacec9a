"""The durability that an enqueue waits for, and how Redis confirms it."""

import re
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any, Literal, Self

from redis.exceptions import ResponseError

from lanes.storage.redis_errors import refuses
from lanes.storage.scripts import Argument

Command = tuple[Argument, ...]
Level = Literal["accepted", "fsync", "replicas"]

MAX_REPLICAS = 16
_TEXT = re.compile(r"accepted|fsync|replicas:([1-9][0-9]?)")
AOF_SETTINGS: Command = ("CONFIG", "GET", "*append*")


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


def unsynced(reply: Any) -> str | None:
    """Return why an answered enqueue may not be on disk, by the reply to `AOF_SETTINGS`; None if it is.

    With `appendfsync always` Redis syncs before it answers, except during a rewrite with `no-appendfsync-on-rewrite`.
    """
    old = "Redis is older than 7.2 and has no WAITAOF"
    if isinstance(reply, ResponseError):
        return f"{old}, and its settings cannot be read: allow this user CONFIG GET"
    pairs = reply if isinstance(reply, dict) else dict(zip(reply[::2], reply[1::2], strict=True))
    if pairs.get(b"appendonly") != b"yes":
        return f"{old}, and keeps no append-only file: set appendonly yes"
    if pairs.get(b"appendfsync") != b"always" or pairs.get(b"no-appendfsync-on-rewrite") != b"no":
        return f"{old}: set appendfsync always and no-appendfsync-on-rewrite no"
    return None
