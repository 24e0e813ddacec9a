"""Adds, lists and removes services, and finds them by their keys."""

import secrets
from collections.abc import Sequence
from hashlib import sha256
from threading import Lock
from time import monotonic

from lanes.errors import LanesError
from lanes.ids import is_service
from lanes.services.service import FINGERPRINT_LENGTH, Service
from lanes.storage.access import RedisAccess
from lanes.storage.stored import bytes_of, text_of

CACHE_SECONDS = 10.0
KEY_BYTES = 32
# Tells people, and scanners of secrets, what it is.
KEY_PREFIX = "lanes_"


class UnknownServiceError(LanesError):
    """No service of this name was added."""

    def __init__(self, name: str) -> None:
        super().__init__(f"no service {name} was added: `lanes service add {name}` adds it")
        self.name = name


class ServiceStore:
    """The services that were added. Thread-safe; errors are those of `RedisAccess`."""

    def __init__(self, lanes: RedisAccess) -> None:
        self._lanes = lanes
        self._found: dict[str, tuple[float, Service]] = {}
        self._lock = Lock()

    def add(self, service: Service) -> str:
        """Add a service, or give it these quotas: `added`, or `changed` if it was there.

        Its counters, keys and the time when it was added stay. Only name, quotas and `outcomes` of `service` are used.

        Raises:
            ValueError: the name is none.
        """
        if not is_service(service.name):
            message = "a service's name is 1 to 64 printable ASCII characters without spaces"
            raise ValueError(message)
        quotas = ("" if each is None else each for each in (service.max_pending, service.max_dead, service.rate))
        return self._lanes.run_text("add_service", service.name, *quotas, int(service.outcomes))

    def remove(self, name: str) -> bool:
        """Remove a service with its keys, quotas and outcomes; return whether there was one.

        Its jobs stay. Other processes may accept its keys for another `CACHE_SECONDS`.
        """
        with self._lock:
            self._found.clear()
        return self._lanes.run_text("remove_service", name) == "removed"

    def get(self, name: str) -> Service | None:
        """Return a service, None if it was not added."""
        return next(iter(self._read([name])), None)

    def list(self) -> Sequence[Service]:
        """Return every service, sorted by name."""
        key = self._lanes.key("services")
        names = self._lanes.read_key(set[bytes](), key, lambda client, key: client.smembers(key))
        return self._read(sorted(map(text_of, names)))

    def _read(self, names: Sequence[str]) -> Sequence[Service]:
        keys = [self._lanes.key("service", name) for name in names]
        missing: dict[bytes, bytes] = {}
        stored = self._lanes.read_keys(missing, keys, lambda client, key: client.hgetall(key)) if keys else []
        found = [Service.parse(name, each, self._lanes.unreadable) for name, each in zip(names, stored, strict=True)]
        return [service for service in found if service.added_at is not None]

    def make_key(self, name: str) -> str:
        """Make a key for a service and return it; only its SHA-256 is stored. A third key replaces the older of two.

        Raises:
            UnknownServiceError: no such service was added.
        """
        key = KEY_PREFIX + secrets.token_urlsafe(KEY_BYTES)
        if self._lanes.run_text("make_service_key", name, _digest(key)) == "unknown":
            raise UnknownServiceError(name)
        return key

    def revoke_key(self, name: str, fingerprint: str) -> bool:
        """Remove the key of a service that has this fingerprint; return whether there was one.

        Other processes may accept it for another `CACHE_SECONDS`.
        """
        with self._lock:
            self._found.clear()
        return self._lanes.run_text("revoke_service_key", name, fingerprint, FINGERPRINT_LENGTH) == "revoked"

    def find_by_key(self, key: str) -> Service | None:
        """Return the service of a key, None for an unknown key. The answer may be up to `CACHE_SECONDS` old.

        An unknown key is looked up each time, so that a new key works at once.
        """
        if (remembered := self.remembered(key)) is not None:
            return remembered
        digest, now = _digest(key), monotonic()
        service = self._find(digest)
        with self._lock:
            if service is None:
                self._found.pop(digest, None)
            else:
                self._found[digest] = now, service
        return service

    def remembered(self, key: str) -> Service | None:
        """Return the service of a key that was found less than `CACHE_SECONDS` ago. Asks nothing of Redis."""
        with self._lock:
            found = self._found.get(_digest(key))
        return found[1] if found is not None and monotonic() - found[0] < CACHE_SECONDS else None

    def _find(self, digest: str) -> Service | None:
        missing: bytes | None = None
        stored = self._lanes.key("service_keys")
        name = self._lanes.read_key(missing, stored, lambda client, key: client.hget(key, digest))
        service = None if name is None else self.get(text_of(name))
        fingerprints = {key.fingerprint for key in service.keys} if service else set()
        return service if digest[:FINGERPRINT_LENGTH] in fingerprints else None


def _digest(key: str) -> str:
    """Return what is stored of a key. It has 256 random bits, so that a plain hash tells nothing of it."""
    return sha256(bytes_of(key)).hexdigest()
