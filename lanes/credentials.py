"""Stores credentials: encrypted texts, each under a name, with a version and a lock."""

from collections.abc import Collection, Iterable, Iterator
from dataclasses import dataclass
from itertools import islice
from typing import cast

from lanes.queue.store import LaneStore
from lanes.storage.redis_errors import own_errors
from lanes.storage.stored import MICROSECONDS, bytes_of, number_of, text_of

AGENCY = "agency:"
STEP = 500


@dataclass(frozen=True, slots=True)
class StoredCredential:
    """A stored credential, read at `read_at` (seconds since the epoch, by the clock of Redis).

    `version` is 0 and `encrypted` empty if there is none. `lock` is who renews it, or why renewal is paused.
    """

    version: int
    encrypted: bytes
    lock: str
    read_at: float

    @property
    def note(self) -> str:
        """Why renewal is paused, or ''."""
        return self.lock if " " in self.lock else ""

    @property
    def stored_at(self) -> float:
        """Time of storing, in seconds since the epoch."""
        return self.version / MICROSECONDS


@dataclass(frozen=True, slots=True)
class RenewalStart:
    """Answer to `begin_renewal`: `begun`, `locked` (another renews it, or renewal is paused) or `replaced`.

    `first_at` is the time of the first request that may have spent this refresh token, None if none is spent; `now` is
    the time of this call. Both in seconds since the epoch, by the clock of Redis.
    """

    code: str
    first_at: float | None
    now: float


class CredentialStore:
    """The stored credentials. Thread-safe; every method is one round trip; errors are those of `LaneStore`.

    A name is a location's id, or `agency:` and a company's id.
    """

    def __init__(self, lanes: LaneStore) -> None:
        self._lanes = lanes

    def read(self, name: str) -> StoredCredential:
        """Return the credential with a name."""
        pipeline = self._lanes.client.pipeline(transaction=False)
        pipeline.hget(self._lanes.key("tokens"), name)
        pipeline.get(self._lanes.key("token_lock", name))
        pipeline.time()
        value, lock, (seconds, micros) = self._lanes.read(lambda _: pipeline.execute())
        version, encrypted = split(value) if value is not None else (0, b"")
        holder = (lock or b"").decode("utf-8", "replace")
        return StoredCredential(version, encrypted, holder, seconds + micros / MICROSECONDS)

    def names(self) -> list[str]:
        """Return every name, sorted."""
        missing: list[bytes] = []
        names = self._lanes.read_key(missing, self._lanes.key("tokens"), lambda client, key: client.hkeys(key))
        return sorted(map(text_of, names))

    def each(self) -> Iterator[tuple[str, int, bytes]]:
        """Yield name, version and encrypted text of all, in bounded steps; some may come twice."""
        if not self._lanes.read_key(0, self._lanes.key("tokens"), lambda client, key: client.hlen(key)):
            return
        with own_errors():
            found = self._lanes.client.hscan_iter(self._lanes.key("tokens"), count=STEP)
            for name, value in cast("Iterator[tuple[bytes, bytes]]", found):
                yield text_of(name), *split(value)

    def store_credential(self, name: str, encrypted: bytes, *, replaces: int | None = None, keep: bool = False) -> int:
        """Store a credential; return its version, 0 if another version than `replaces` is stored.

        With `keep` the version stays: it is the same credential, encrypted again. Without `replaces` it is a person's,
        perhaps for another app, so the API's limits of the location are forgotten.
        """
        expected = "" if replaces is None else replaces
        return cast("int", self._lanes.run("store_credential", name, encrypted, expected, int(keep)))

    def wait_for_replica(self, seconds: float) -> bool | None:
        """Wait until a replica has all writes so far; return whether one has, None without replicas.

        Raises:
            RedisUnavailableError: Redis cannot be reached, or refuses INFO.
        """
        info = self._lanes.read(lambda client: client.info("replication"))
        if not info.get("connected_slaves"):
            return None
        pipeline = self._lanes.client.pipeline(transaction=False)
        # WAIT is about the writes of its own connection only. This write comes after all earlier ones.
        pipeline.set(self._lanes.key("durability_marker"), "1")
        pipeline.wait(1, round(seconds * 1000))
        return bool(self._lanes.read(lambda _: pipeline.execute())[1])

    def read_many(self, names: Iterable[str]) -> dict[str, tuple[int, bytes]]:
        """Return version and encrypted text for each name, 0 and b"" if nothing is stored."""
        found: dict[str, tuple[int, bytes]] = {}
        left = iter(names)
        while some := list(islice(left, STEP)):
            fields, missing = list(map(bytes_of, some)), list[bytes | None]([None] * len(some))
            values = self._lanes.read_key(
                missing,
                self._lanes.key("tokens"),
                lambda client, key: client.hmget(key, fields),  # noqa: B023
            )
            found |= {
                name: (0, b"") if value is None else split(value) for name, value in zip(some, values, strict=True)
            }
        return found

    def mark_unservable(self, worker: str, locations: Iterable[str], seconds: float) -> int:
        """Let this worker skip these locations, and those marked before, for this time; return how many are new.

        `Consumer.unservable` and `count_due` name the worker.
        """
        return cast("int", self._lanes.run("mark_unservable", worker, round(seconds * 1000), *locations))

    def unmark_unservable(self, worker: str, locations: Collection[str]) -> None:
        """Let this worker release jobs of these locations again."""
        if locations:
            self._lanes.read(lambda client: client.srem(self._lanes.key("unservable", worker), *locations))

    def unservable(self, worker: str) -> set[str]:
        """Return the locations that this worker skips."""
        key = self._lanes.key("unservable", worker)
        return set(map(text_of, self._lanes.read_key(set[bytes](), key, lambda client, key: client.smembers(key))))

    def remove_credential(self, name: str) -> bool:
        """Remove a credential and the API's limits for it; return whether there was one."""
        return bool(self._lanes.run("remove_credential", name))

    def renew_version(self, name: str) -> str:
        """Give a location's credential a new version that can be exchanged at once: its agency has another token.

        Return `renewed`, or `unknown` if nothing is stored.
        """
        return self._lanes.run_text("renew_version", name)

    def begin_renewal(self, name: str, version: int, holder: str, seconds: float, *, spends: bool) -> RenewalStart:
        """Lock this version for `holder` for some seconds; `spends`: the renewal spends a refresh token."""
        arguments = (name, version, holder, round(seconds * 1000), "1" if spends else "")
        code, *times = self._lanes.run("begin_renewal", *arguments)
        first_at, now = (time / MICROSECONDS for time in times or (0, 0))
        return RenewalStart(code.decode(), first_at or None, now)

    def unfinished_renewals(self) -> list[tuple[str, int, float]]:
        """Return name and version of renewals that began and did not end, and for how many seconds."""
        noted = self._lanes.read_hash("renewals")
        found, now = [], self._lanes.time() if noted else 0.0
        for name, value in noted.items():
            version, _, first = value.partition(b" ")
            if len(value) <= 40 and version.isdigit() and first.isdigit():
                found.append((text_of(name), int(version), now - int(first) / MICROSECONDS))
        return found

    def release_token_lock(
        self, name: str, holder: str, note: str = "", wait: float = 0, *, unspent: bool = False
    ) -> str:
        """Let others renew it, after `wait` seconds; until then `note` says why it was not renewed.

        `unspent`: its refresh token was certainly not spent. Return `unlocked`, or `lost` if another has the lock.
        """
        arguments = (name, holder, note, round(wait * 1000), "1" if unspent else "")
        return self._lanes.run_text("release_token_lock", *arguments)


def split(value: bytes) -> tuple[int, bytes]:
    """Return version and encrypted text of a stored value; a value without a version has 0."""
    version, _, encrypted = value.partition(b" ")
    number = number_of(version)
    return (0, value or b"?") if number is None or number < 0 else (number, encrypted or b"?")
