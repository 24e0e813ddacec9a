"""Translates errors of Redis into those of this package, with advice."""

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

from lanes.errors import RedisUnavailableError, ScriptError, Trouble
from lanes.storage.scripts import Script

# An invalid response comes from a server that is no Redis, or from a connection that is out of step.
UNAVAILABLE = (RedisConnectionError, RedisTimeoutError, BusyLoadingError, InvalidResponse)
# The client has classes instead of codes for some errors.
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
    "BUSY": Trouble.BUSY,
    "NOREPLICAS": Trouble.REPLICAS,
    "NOPERM": Trouble.PERMISSIONS,
    "NOAUTH": Trouble.PASSWORD,
}
_UNFIT = re.compile(
    r"in a cluster node|in cluster mode|CLUSTERDOWN|CROSSSLOT|do not hash to the same slot|DB index is out of range"
)
# What is wrong with a key for which `is_wrong_type` is true.
WRONG_TYPE = "it has another Redis type than it should"
# For a command inside a script, the code is in the middle of the script's error.
_REFUSAL = re.compile(
    rf"\b({'|'.join(_CODES)})\b|script can't (run this command|access at least)|has no permissions to"
    "|[Uu]nknown command|Unknown Redis command"  # renamed away
)
_OF_SCRIPT = re.compile(
    r"Error running script \(call to \w+\): |@user_script: ?\d+: | script:( \w+,)? on @user_script:\d+"
)
_ADVICE = {
    Trouble.FULL: "its memory is full: give it more, or wait until workers have delivered jobs",
    Trouble.READ_ONLY: "it is a replica: is LANES_REDIS_URL that of the primary?",
    Trouble.DISK: "it cannot write to its disk: see its log, and free disk space",
    Trouble.LOADING: "it is starting: wait",
    Trouble.BUSY: "it is running a script that does not end: see docs/runbook.md, Redis busy",
    Trouble.REPLICAS: "it has fewer replicas than its min-replicas-to-write",
    Trouble.PERMISSIONS: "give its user the permissions in docs/threat-model.md",
    Trouble.UNFIT: "LANES_REDIS_URL must name a primary that is not in a cluster, and a database that it has",
    Trouble.PASSWORD: "put user and password into LANES_REDIS_URL",
}


def unavailable(error: Exception, *, sent: bool = False) -> RedisUnavailableError:
    """Return the error for a failed call; `sent` tells whether the call was sent."""
    if isinstance(error, AuthenticationError | AuthorizationError):
        message = f"Redis refused the password or user of LANES_REDIS_URL: {error}"
        return RedisUnavailableError(message, Trouble.PASSWORD)
    if isinstance(error, BusyLoadingError):
        return RedisUnavailableError(f"Redis refuses: {error}; {_ADVICE[Trouble.LOADING]}", Trouble.LOADING)
    trouble, question = Trouble.AWAY, "is it running, and is LANES_REDIS_URL right?"
    if (of_tls := _of_tls(error)) is not None:
        question = "does it use TLS, and is its certificate (ssl_ca_certs) right?"
        if not isinstance(of_tls, ssl.SSLEOFError | ssl.SSLZeroReturnError):  # these may be a start or a shutdown
            trouble = Trouble.TLS
    text = str(error).rstrip(".: ")
    return RedisUnavailableError(f"Redis cannot be reached: {text}; {question}", trouble, may_be_done=sent)


def _of_tls(error: BaseException | None) -> ssl.SSLError | None:
    while error is not None and not isinstance(error, ssl.SSLError):
        error = error.__cause__ or error.__context__
    return error


def refuses(error: ResponseError) -> RedisUnavailableError | None:
    """Return the error if Redis runs but refuses: full, read-only, or not permitted; else None."""
    text = str(error)
    found = _REFUSAL.search(text)
    trouble = _CLASSES.get(type(error))
    if trouble is None and found is not None:
        trouble = _CODES.get(found[0], Trouble.PERMISSIONS)
    if trouble is None and _UNFIT.search(text):
        trouble = Trouble.UNFIT
    if trouble is None:
        return None
    text = _OF_SCRIPT.sub("", text).rstrip(".: ")
    return RedisUnavailableError(f"Redis refuses: {text}; {_ADVICE[trouble]}", trouble)


def is_demoted(error: ResponseError) -> bool:
    """Return whether the server is a replica now: a new connection may reach the new primary."""
    refusal = refuses(error)
    return refusal is not None and refusal.trouble is Trouble.READ_ONLY


def is_wrong_type(error: Exception) -> bool:
    """Return whether a command met a key of another Redis type."""
    return "WRONGTYPE" in str(error)


def explain(script: Script, error: ResponseError) -> ScriptError | RedisUnavailableError:
    """Return the error of a script: where it failed, or why Redis refuses."""
    return refuses(error) or ScriptError(f"{script.name}: {script.explain(str(error))}{_advice(error)}")


def _advice(error: ResponseError) -> str:
    return "; lanes check names the key and offers its repair" if is_wrong_type(error) else ""


@contextlib.contextmanager
def own_errors() -> Iterator[None]:
    """Raise errors of Redis in the block as errors of this package."""
    try:
        yield
    except UNAVAILABLE as error:
        raise unavailable(error) from error
    except ResponseError as error:
        raise (refuses(error) or ScriptError(f"{error}{_advice(error)}")) from error
