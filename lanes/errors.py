"""What can go wrong in the lanes, as one small tree."""

from enum import StrEnum
from typing import Any


class LanesError(Exception):
    """Base of every error that this package raises on purpose.

    Each can be pickled and copied, whatever it takes to make one: so a pool of processes hands errors over.
    """

    def __reduce__(self) -> tuple[Any, ...]:
        return _remake, (type(self), self.args), self.__dict__


def _remake(kind: type[LanesError], arguments: tuple[Any, ...]) -> LanesError:
    return kind.__new__(kind, *arguments)


class SettingsError(LanesError):
    """A setting is missing, mistyped or out of range; the message names it and what would be right."""


class Trouble(StrEnum):
    """Why Redis does not do what it is asked."""

    AWAY = "away"
    LOADING = "loading"
    READ_ONLY = "read_only"
    FULL = "full"
    DISK = "disk"
    REPLICAS = "replicas"
    PASSWORD = "password"  # noqa: S105 - no password, but the word
    PERMISSIONS = "permissions"
    TLS = "tls"
    UNFIT = "unfit"
    SCHEMA = "schema"

    @property
    def is_transient(self) -> bool:
        """Whether it may well be over in a few seconds: Redis is started again, or another one takes over."""
        return self in (Trouble.AWAY, Trouble.LOADING, Trouble.READ_ONLY)


class RedisUnavailableError(LanesError):
    """Redis cannot be reached, or does not take part; `trouble` tells why, and the message what to do.

    `may_be_done` when the call may have been carried out all the same: it was sent, and no reply came.
    """

    def __init__(self, message: str, trouble: Trouble = Trouble.AWAY, *, may_be_done: bool = False) -> None:
        super().__init__(message)
        self.trouble = trouble
        self.may_be_done = may_be_done


class ScriptError(LanesError):
    """A script failed inside Redis; the message names the Lua file and the line."""


class StoredJobError(LanesError):
    """A stored job cannot be read by this version."""
