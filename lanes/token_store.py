"""Where credentials are kept: encrypted texts, each under a name, with a version and a lock."""

from dataclasses import dataclass
from typing import cast

from lanes.job import MICROSECONDS
from lanes.store import LaneStore

AGENCY = "agency:"


@dataclass(frozen=True, slots=True)
class Stored:
    """What stands under a name, and at which time (seconds since the epoch, by the clock of Redis) it was read.

    `version` is 0 and `sealed` empty when there is nothing. `lock` is who renews it, or why nobody does for the moment.
    """

    version: int
    sealed: bytes
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


class TokenStore:
    """The credentials of a cell. Thread-safe; every method is one round trip; errors as those of `LaneStore`.

    A name is a location's id, or `agency:` and a company's id.
    """

    def __init__(self, lanes: LaneStore) -> None:
        self._lanes = lanes

    def read(self, name: str) -> Stored:
        """Return what stands under a name."""
        pipeline = self._lanes.client.pipeline(transaction=False)
        pipeline.hget(self._lanes.key("tokens"), name)
        pipeline.get(self._lanes.key("token_lock", name))
        pipeline.time()
        value, lock, (seconds, micros) = self._lanes.read(lambda _: pipeline.execute())
        version, _, sealed = (value or b"0 ").partition(b" ")
        return Stored(int(version), sealed, (lock or b"").decode(), seconds + micros / MICROSECONDS)

    def names(self) -> list[str]:
        """Return every name, in order."""
        return sorted(
            name.decode() for name in self._lanes.read(lambda client: client.hkeys(self._lanes.key("tokens")))
        )

    def store_token(self, name: str, sealed: bytes, *, replaces: int | None = None, keep: bool = False) -> int:
        """Put a credential under a name; return its version, 0 when another than the version to replace stands there.

        With `keep` the version stays: it is the same credential, encrypted anew. One that replaces none is a person's,
        perhaps of another app, and what the API told of the location's limits is forgotten.
        """
        expected = "" if replaces is None else replaces
        return cast("int", self._lanes.run("store_token", name, sealed, expected, int(keep)))

    def remove(self, name: str) -> bool:
        """Remove what stands under a name, and what the API told of the limits; tell whether there was something."""
        return bool(self._lanes.run("remove_token", name))

    def mint_again(self, name: str) -> str:
        """Give a location's credential a new version, and let it be minted at once: its agency has another token.

        Returns `renewed`, or `unknown` when nothing stands under the name.
        """
        return cast("bytes", self._lanes.run("mint_again", name)).decode()

    def lock(self, name: str, holder: str, seconds: float) -> bool:
        """Let `holder` alone renew what stands under a name, for so long; tell whether it may."""
        key = self._lanes.key("token_lock", name)
        return bool(self._lanes.read(lambda client: client.set(key, holder, nx=True, px=round(seconds * 1000))))

    def unlock_token(self, name: str, holder: str, note: str = "", wait: float = 0) -> str:
        """Let others renew it, in `wait` seconds; `note` tells meanwhile why it was not renewed.

        Returns `unlocked`, or `lost` when the lock was another's by then.
        """
        return cast("bytes", self._lanes.run("unlock_token", name, holder, note, round(wait * 1000))).decode()
