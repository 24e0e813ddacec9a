"""What Redis raises, told in the errors of this package: what is the matter, and what to do."""

import contextlib
import re
import ssl
from collections.abc import Iterator

from redis.exceptions import (
    AskError,
    AuthenticationError,
    AuthorizationError,
    BusyLoadingError,
    ClusterDownError,
    InvalidResponse,
    MasterDownError,
    MovedError,
    NoPermissionError,
    OutOfMemoryError,
    ReadOnlyError,
    ResponseError,
)
from redis.exceptions import ConnectionError as RedisConnectionError
from redis.exceptions import TimeoutError as RedisTimeoutError

from lanes.errors import RedisUnavailableError, ScriptError, SettingsError, Trouble
from lanes.storage.scripts import Script

# An answer that cannot be understood comes from something that is no Redis, or from a connection that is out of step.
UNAVAILABLE = (RedisConnectionError, RedisTimeoutError, BusyLoadingError, InvalidResponse)
# The client takes the code off some errors, and makes a class of it.
_CLASSES: dict[type[ResponseError], Trouble] = {
    OutOfMemoryError: Trouble.FULL,
    ReadOnlyError: Trouble.READ_ONLY,
    NoPermissionError: Trouble.PERMISSIONS,
    MasterDownError: Trouble.READ_ONLY,
    MovedError: Trouble.UNFIT,
    AskError: Trouble.UNFIT,
    ClusterDownError: Trouble.UNFIT,
}
_CODES = {
    "OOM": Trouble.FULL,
    "READONLY": Trouble.READ_ONLY,
    "MASTERDOWN": Trouble.READ_ONLY,
    "MISCONF": Trouble.DISK,
    "LOADING": Trouble.LOADING,
    "NOREPLICAS": Trouble.REPLICAS,
    "NOPERM": Trouble.PERMISSIONS,
    "NOAUTH": Trouble.PASSWORD,
}
_UNFIT = re.compile(
    r"in a cluster node|in cluster mode|CLUSTERDOWN|CROSSSLOT|do not hash to the same slot|DB index is out of range"
)
# The code of an error that a command inside a script met stands in the middle of the script's own error.
_REFUSAL = re.compile(
    rf"\b({'|'.join(_CODES)})\b|script can't (run this command|access at least)|has no permissions to"
)
_ADVICE = {
    Trouble.FULL: "it is full: give it memory, or wait until workers have made room",
    Trouble.READ_ONLY: "it is a replica: is LANES_REDIS_URL that of the primary?",
    Trouble.DISK: "its disk takes no more: see its log, and make room",
    Trouble.LOADING: "it is being started: wait",
    Trouble.REPLICAS: "it has fewer replicas than its min-replicas-to-write",
    Trouble.PERMISSIONS: "give its user the rights that docs/threat-model.md lists",
    Trouble.UNFIT: "LANES_REDIS_URL must name a primary that is no cluster, and a database that it has",
    Trouble.PASSWORD: "put user and password into LANES_REDIS_URL",
}


def unavailable(error: Exception, *, sent: bool = False) -> RedisUnavailableError:
    """Say in one line why Redis did not do what it was asked; `sent` tells whether it was asked at all."""
    if isinstance(error, AuthenticationError | AuthorizationError):
        return RedisUnavailableError(
            f"Redis refused the password or user of LANES_REDIS_URL: {error}", Trouble.PASSWORD
        )
    if isinstance(error, BusyLoadingError):
        return RedisUnavailableError(f"Redis refuses: {error}; {_ADVICE[Trouble.LOADING]}", Trouble.LOADING)
    if (of_tls := _of_tls(error)) is not None:
        cut_off = isinstance(of_tls, ssl.SSLEOFError | ssl.SSLZeroReturnError)  # it may be on its way up, or down
        return RedisUnavailableError(
            f"Redis cannot be reached: {error}; does it speak TLS, and is its certificate (ssl_ca_certs) right?",
            Trouble.AWAY if cut_off else Trouble.TLS,
            may_be_done=sent,
        )
    return RedisUnavailableError(
        f"Redis cannot be reached: {error}; is it running, and is LANES_REDIS_URL right?",
        Trouble.AWAY,
        may_be_done=sent,
    )


def _of_tls(error: BaseException | None) -> ssl.SSLError | None:
    while error is not None and not isinstance(error, ssl.SSLError):
        error = error.__cause__ or error.__context__
    return error


def refuses(error: ResponseError) -> RedisUnavailableError | None:
    """Return what to raise when Redis is up but does not take part: full, read-only, or closed to this user."""
    text = str(error)
    found = _REFUSAL.search(text)
    trouble = _CLASSES.get(type(error))
    if trouble is None and found is not None:
        trouble = _CODES.get(found[0], Trouble.PERMISSIONS)
    if trouble is None and _UNFIT.search(text):
        trouble = Trouble.UNFIT
    if trouble is None:
        return None
    return RedisUnavailableError(f"Redis refuses: {text.rstrip('.')}; {_ADVICE[trouble]}", trouble)


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
