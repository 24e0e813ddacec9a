"""Errors of the lanes."""

from enum import StrEnum
from typing import Any


class LanesError(Exception):
    """Base of the errors of this package. Each can be pickled, whatever its constructor, for a pool of processes."""

    def __reduce__(self) -> tuple[Any, ...]:
        return _remake, (type(self), self.args), self.__dict__


def _remake(kind: type[LanesError], arguments: tuple[Any, ...]) -> LanesError:
    return kind.__new__(kind, *arguments)


class SettingsError(LanesError):
    """A setting is missing, mistyped or out of range; the message names it and what is allowed."""


class Trouble(StrEnum):
    """Why Redis cannot execute a command."""

    AWAY = "away"
    LOADING = "loading"
    BUSY = "busy"
    READ_ONLY = "read_only"
    FULL = "full"
    DISK = "disk"
    REPLICAS = "replicas"
    PASSWORD = "password"  # noqa: S105 - not a password
    PERMISSIONS = "permissions"
    TLS = "tls"
    UNFIT = "unfit"
    SCHEMA = "schema"

    @property
    def is_transient(self) -> bool:
        """Whether it may be over in a few seconds: after a restart, a failover, or a long script."""
        return self in (Trouble.AWAY, Trouble.LOADING, Trouble.BUSY, Trouble.READ_ONLY)

    @property
    def is_permanent(self) -> bool:
        """Whether only another Redis, database or version of this package helps."""
        return self in (Trouble.UNFIT, Trouble.SCHEMA)


class RedisUnavailableError(LanesError):
    """Redis cannot be reached, or refuses; `trouble` is why, and the message says what to do.

    `may_be_done`: the call may have been executed, because it was sent and no reply came.
    """

    def __init__(self, message: str, trouble: Trouble = Trouble.AWAY, *, may_be_done: bool = False) -> None:
        super().__init__(message)
        self.trouble = trouble
        self.may_be_done = may_be_done


class OverQuotaError(LanesError):
    """A new job was refused: its service is over the quota `quota` (`max_pending`, `max_dead` or `rate`), `limit`.

    `retry_after` is in seconds.
    """

    def __init__(self, service: str, quota: str, limit: int, retry_after: float) -> None:
        super().__init__(f"service {service} is over its quota {quota}={limit}: try again in {retry_after:g} s")
        self.service = service
        self.quota = quota
        self.limit = limit
        self.retry_after = retry_after


class ScriptError(LanesError):
    """A script failed inside Redis; the message names the Lua file and the line."""


class StoredJobError(LanesError):
    """A stored job cannot be read by this version."""
