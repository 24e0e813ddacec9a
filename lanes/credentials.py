"""Where credentials are kept: encrypted texts, each under a name, with a version and a lock."""

from collections.abc import Collection, Iterable, Iterator
from dataclasses import dataclass
from itertools import islice
from typing import cast

from lanes.queue.store import LaneStore
from lanes.storage.stored import MICROSECONDS

AGENCY = "agency:"
STEP = 500


@dataclass(frozen=True, slots=True)
class StoredCredential:
    """What stands under a name, and at which time (seconds since the epoch, by the clock of Redis) it was read.

    `version` is 0 and `encrypted` empty when there is nothing. `lock` is who renews it, or why nobody does for the moment.
    """

    version: int
    encrypted: bytes
    lock: str
    read_at: float

    @property
    def note(self) -> str:
        """Why nobody renews it for the moment, empty when there is no such reason."""
        return self.lock if " " in self.lock else ""

    @property
    def stored_at(self) -> float:
        """When it was stored, in seconds since the epoch."""
        return self.version / MICROSECONDS


@dataclass(frozen=True, slots=True)
class RenewalStart:
    """What became of the wish to renew: `begun`; `locked` while another does, or nobody should; `replaced`.

    `first_at` is when the first request went out of which nobody knows whether it spent this refresh token, None where
    none is spent; `now` is the time of this call. Both in seconds since the epoch, by the clock of Redis.
    """

    code: str
    first_at: float | None
    now: float


class CredentialStore:
    """The credentials of a cell. Thread-safe; every method is one round trip; errors as those of `LaneStore`.

    A name is a location's id, or `agency:` and a company's id.
    """

    def __init__(self, lanes: LaneStore) -> None:
        self._lanes = lanes

    def read(self, name: str) -> StoredCredential:
        """Return what stands under a name."""
        pipeline = self._lanes.client.pipeline(transaction=False)
        pipeline.hget(self._lanes.key("tokens"), name)
        pipeline.get(self._lanes.key("token_lock", name))
        pipeline.time()
        value, lock, (seconds, micros) = self._lanes.read(lambda _: pipeline.execute())
        version, encrypted = split(value) if value is not None else (0, b"")
        return StoredCredential(
            version, encrypted, (lock or b"").decode("utf-8", "replace"), seconds + micros / MICROSECONDS
        )

    def names(self) -> list[str]:
        """Return every name, in order."""
        names = self._lanes.read(lambda client: client.hkeys(self._lanes.key("tokens")))
        return sorted(name.decode("utf-8", "replace") for name in names)

    def each(self) -> Iterator[tuple[str, int, bytes]]:
        """Yield name, version and encrypted text of all, some perhaps twice, in bounded steps."""
        cursor: int | None = None
        while cursor != 0:
            at = cursor or 0
            cursor, some = self._lanes.read(lambda client: client.hscan(self._lanes.key("tokens"), at, count=STEP))  # noqa: B023 - called at once
            for name, value in some.items():
                yield name.decode("utf-8", "replace"), *split(value)

    def store_credential(self, name: str, encrypted: bytes, *, replaces: int | None = None, keep: bool = False) -> int:
        """Put a credential under a name; return its version, 0 when another than the version to replace stands there.

        With `keep` the version stays: it is the same credential, encrypted anew. One that replaces none is a person's,
        perhaps of another app, and what the API told of the location's limits is forgotten.
        """
        expected = "" if replaces is None else replaces
        return cast("int", self._lanes.run("store_credential", name, encrypted, expected, int(keep)))

    def wait_for_replica(self, seconds: float) -> bool | None:
        """Wait until a replica has all that was written so far; tell whether one has, None where there is no replica.

        Raises:
            RedisUnavailableError: Redis is away, or does not tell.
        """
        info = self._lanes.read(lambda client: client.info("replication"))
        if not info.get("connected_slaves"):
            return None
        pipeline = self._lanes.client.pipeline(transaction=False)
        # WAIT concerns the writes of its own connection only: behind this one stands all that was written before.
        pipeline.set(self._lanes.key("durability_marker"), "1")
        pipeline.wait(1, round(seconds * 1000))
        return bool(self._lanes.read(lambda _: pipeline.execute())[1])

    def read_many(self, names: Iterable[str]) -> dict[str, tuple[int, bytes]]:
        """Return version and encrypted text under each of these names, 0 and nothing where nothing stands."""
        found: dict[str, tuple[int, bytes]] = {}
        asked = iter(names)
        while some := list(islice(asked, STEP)):
            values = self._lanes.read(lambda client: client.hmget(self._lanes.key("tokens"), some))
            found |= {
                name: (0, b"") if value is None else split(value) for name, value in zip(some, values, strict=True)
            }
        return found

    def mark_unservable(self, worker: str, locations: Iterable[str], seconds: float) -> int:
        """Let this worker release nothing of these locations for so long; return how many are new.

        Those that it noted before hold for as long. `Consumer.unservable` and `count_due` name the worker.
        """
        return cast("int", self._lanes.run("mark_unservable", worker, round(seconds * 1000), *locations))

    def unmark_unservable(self, worker: str, locations: Collection[str]) -> None:
        """Let this worker release jobs of these locations again."""
        if locations:
            self._lanes.read(lambda client: client.srem(self._lanes.key("unservable", worker), *locations))

    def unservable(self, worker: str) -> set[str]:
        """Return the locations of which this worker releases nothing."""
        found = self._lanes.read(lambda client: client.smembers(self._lanes.key("unservable", worker)))
        return {location.decode("utf-8", "replace") for location in found}

    def remove_credential(self, name: str) -> bool:
        """Remove what stands under a name, and what the API told of the limits; tell whether there was something."""
        return bool(self._lanes.run("remove_credential", name))

    def renew_version(self, name: str) -> str:
        """Give a location's credential a new version, and let it be minted at once: its agency has another token.

        Returns `renewed`, or `unknown` when nothing stands under the name.
        """
        return cast("bytes", self._lanes.run("renew_version", name)).decode()

    def begin_renewal(self, name: str, version: int, holder: str, seconds: float, *, spends: bool) -> RenewalStart:
        """Let `holder` alone renew this version for so long; with `spends`, a refresh token is spent by it."""
        arguments = (name, version, holder, round(seconds * 1000), "1" if spends else "")
        code, *times = self._lanes.run("begin_renewal", *arguments)
        first_at, now = (time / MICROSECONDS for time in times or (0, 0))
        return RenewalStart(code.decode(), first_at or None, now)

    def unfinished_renewals(self) -> list[tuple[str, int, float]]:
        """Return name and version of what somebody began to renew, and since when nobody knows how that ended (s)."""
        noted = self._lanes.read(lambda client: client.hgetall(self._lanes.key("renewals")))
        found, now = [], self._lanes.time() if noted else 0.0
        for name, value in noted.items():
            version, _, first = value.partition(b" ")
            if version.isdigit() and first.isdigit():
                found.append((name.decode("utf-8", "replace"), int(version), now - int(first) / MICROSECONDS))
        return found

    def release_token_lock(
        self, name: str, holder: str, note: str = "", wait: float = 0, *, unspent: bool = False
    ) -> str:
        """Let others renew it, in `wait` seconds; `note` tells meanwhile why it was not renewed.

        `unspent` tells that its refresh token is not spent, for certain. Returns `unlocked`, or `lost` when the lock
        was another's by then.
        """
        arguments = (name, holder, note, round(wait * 1000), "1" if unspent else "")
        return cast("bytes", self._lanes.run("release_token_lock", *arguments)).decode()


def split(value: bytes) -> tuple[int, bytes]:
    """Return version and encrypted text of what stands under a name. It may be anything: what has no version has 0."""
    version, _, encrypted = value.partition(b" ")
    return (int(version), encrypted or b"?") if version.isdigit() else (0, value or b"?")
