"""A service that was added, with its quotas and counters."""

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

from lanes.storage.stored import MICROSECONDS, JsonMixin, Note, StoredHash, as_plain, bytes_of, ignore, number_of

DEFAULT_MAX_DEAD = 10_000
KEY_FIELDS = ("key_1", "key_2")
MAX_KEYS = len(KEY_FIELDS)
FINGERPRINT_LENGTH = 12


@dataclass(frozen=True, slots=True)
class ServiceKey(JsonMixin):
    """A key of a service: the first digits of its SHA-256, and when it was made (seconds since the epoch)."""

    fingerprint: str
    made_at: float | None


@dataclass(frozen=True, slots=True)
class Service:
    """A service. A quota of None is no limit.

    `max_pending` bounds its jobs that are pending or in flight, `max_dead` its dead letters, and `rate` its new rows
    per second. With `outcomes`, the ends of its jobs are written to its stream. `pending` and `dead` count the jobs
    that were enqueued while it had a quota, `refused` the rows over one. `added_at` is in seconds since the epoch.
    """

    name: str
    max_pending: int | None = None
    max_dead: int | None = None
    rate: int | None = None
    outcomes: bool = True
    added_at: float | None = None
    pending: int = 0
    dead: int = 0
    refused: int = 0
    keys: tuple[ServiceKey, ...] = ()

    @classmethod
    def parse(cls, name: str, stored: Mapping[bytes, bytes], note: Note = ignore) -> "Service":
        """Return a service from its hash; what cannot be read is missing."""
        found = StoredHash(stored, f"service:{name}", note)
        keys = [_key(text) for each in KEY_FIELDS if (text := found.text(each))]
        return cls(
            name,
            max_pending=found.number("max_pending"),
            max_dead=found.number("max_dead"),
            rate=found.number("rate"),
            outcomes=found.text("outcomes") == "1",
            added_at=found.time("added_at"),
            pending=found.count("pending"),
            dead=found.count("dead"),
            refused=found.count("refused"),
            keys=tuple(keys),
        )

    @property
    def quotas(self) -> dict[str, int]:
        """The quotas that are set, by name."""
        found = {"max_pending": self.max_pending, "max_dead": self.max_dead, "rate": self.rate}
        return {name: quota for name, quota in found.items() if quota is not None}

    @property
    def has_quota(self) -> bool:
        """Whether enqueueing for it is bounded, so that its jobs are counted."""
        return bool(self.quotas)

    @property
    def over(self) -> tuple[str, ...]:
        """The quotas that refuse new rows now, without the rate."""
        used = {"max_pending": self.pending, "max_dead": self.dead, "rate": -1}
        return tuple(name for name, quota in self.quotas.items() if used[name] >= quota)

    def by_age(self) -> list[ServiceKey]:
        """Return its keys, the oldest first."""
        return sorted(self.keys, key=lambda each: each.made_at or 0)

    def as_json(self) -> dict[str, Any]:
        """Return it as plain values."""
        return {**as_plain(self, "keys"), "keys": [key.as_json() for key in self.keys]}


def _key(stored: str) -> ServiceKey:
    digest, _, made_at = stored.partition(" ")
    time = number_of(bytes_of(made_at))
    return ServiceKey(digest[:FINGERPRINT_LENGTH], None if time is None else time / MICROSECONDS)
