"""A Redis Sentinel that watches one primary."""

from pathlib import Path
from types import TracebackType
from typing import Any, Self

import redis

from ops.embedded.processes import Child
from ops.embedded.redis_server import find_redis_server, free_port

CONFIGURATION = """\
bind 127.0.0.1
port {port}
dir {folder}
sentinel monitor lanes 127.0.0.1 {primary} 1
sentinel down-after-milliseconds lanes 500
sentinel failover-timeout lanes 5000
"""


class Sentinel:
    """One Sentinel with a quorum of one, from `with` to the end of the block."""

    def __init__(self, folder: Path, primary: int) -> None:
        self._folder = folder / f"sentinel-{primary}"
        self._primary = primary

    def __enter__(self) -> Self:
        self._folder.mkdir()
        port = free_port()
        own = self._folder / "sentinel.conf"
        own.write_text(CONFIGURATION.format(port=port, folder=self._folder, primary=self._primary), "utf-8")
        command = [find_redis_server(), str(own), "--sentinel"]
        self._child = Child("sentinel", command, self._folder / "sentinel.log")
        self._client = redis.Redis(port=port)
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self._client.close()
        self._child.stop()

    def _ask(self, *command: str) -> Any:
        return self._client.execute_command("SENTINEL", *command)  # type: ignore[no-untyped-call]

    def knows_replica(self) -> bool:
        """Whether it has found the replica of the primary."""
        try:
            return bool(self._ask("REPLICAS", "lanes"))
        except redis.RedisError:  # it is only about to start
            return False

    def primary(self) -> int:
        """Return the port of what it holds to be the primary."""
        _, port = self._ask("GET-MASTER-ADDR-BY-NAME", "lanes")
        return int(port)
