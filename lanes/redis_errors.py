"""What Redis raises, told in the errors of this package."""

import contextlib
import re
from collections.abc import Iterator

from redis.exceptions import (
    AuthenticationError,
    BusyLoadingError,
    MasterDownError,
    NoPermissionError,
    OutOfMemoryError,
    ReadOnlyError,
    ResponseError,
)
from redis.exceptions import ConnectionError as RedisConnectionError
from redis.exceptions import TimeoutError as RedisTimeoutError

from lanes.errors import RedisUnavailableError, ScriptError, SettingsError
from lanes.loader import Script

UNAVAILABLE = (RedisConnectionError, RedisTimeoutError, BusyLoadingError)
REFUSING = (OutOfMemoryError, ReadOnlyError, NoPermissionError, MasterDownError)
# The code of an error that a command inside a script met stands in the middle of the script's own error.
_REFUSAL = re.compile(r"\b(OOM|READONLY|MISCONF|LOADING|MASTERDOWN|NOREPLICAS|NOPERM|NOAUTH)\b")


def unavailable(error: Exception) -> RedisUnavailableError:
    """Say in one line why Redis did not do what it was asked."""
    if isinstance(error, AuthenticationError):
        return RedisUnavailableError(f"Redis refused the password or user of LANES_REDIS_URL: {error}")
    return RedisUnavailableError(f"Redis cannot be reached: {error}; is it running, and is LANES_REDIS_URL right?")


def refuses(error: ResponseError) -> RedisUnavailableError | None:
    """Return what to raise when Redis is up but does not take part: full, read-only, or closed to this user."""
    text = str(error)
    if isinstance(error, REFUSING) or _REFUSAL.search(text):
        return RedisUnavailableError(f"Redis refuses: {text}")
    return None


def explain(script: Script, error: ResponseError) -> ScriptError | RedisUnavailableError:
    """Say where a script failed, or that Redis does not take part now."""
    return refuses(error) or ScriptError(f"{script.name}: {script.explain(str(error))}")


@contextlib.contextmanager
def own_errors() -> Iterator[None]:
    """Raise what Redis raises in the block as an error of this package."""
    try:
        yield
    except UNAVAILABLE as error:
        raise unavailable(error) from error
    except ResponseError as error:
        raise (refuses(error) or ScriptError(str(error))) from error


@contextlib.contextmanager
def url_errors() -> Iterator[None]:
    """Raise what a client says to a URL that it cannot use as an error of the setting; the URL may hold a password."""
    try:
        yield
    except (TypeError, ValueError) as error:
        message = f"LANES_REDIS_URL is no URL of a Redis, or an option in it is unknown: {error}"
        raise SettingsError(message) from None
