"""What befalls Redis."""

import os
import resource
import signal
import time
from collections.abc import Iterator

import redis

from tests.chaos.fault import HANDS, Fault, wait
from tests.chaos.scene import WORKERS, Scene
from tests.chaos.sentinel import Sentinel
from tests.chaos.small_disk import no_small_disk

ALL_HANDS = HANDS * len(WORKERS)
FILLERS, FILLER_BYTES = 1500, 8192
# Microseconds a key: it answers LOADING for seconds, as it does for a file of gigabytes.
SLOW_LOADING = "\nkey-load-delay 1000\n"


class RedisFault(Fault):
    """Befalls Redis itself. Reports that it does not take are insisted on; some may come too late."""

    places = frozenset({"Redis"})


class RedisKilled(RedisFault):
    """SIGKILL; it comes back with its append-only file, sooner or later than a lease."""

    name = "Redis killed"
    repeats: int | None = ALL_HANDS
    least, most = 0.1, 7.0

    def begin(self, scene: Scene) -> None:
        scene.redis.kill()

    def end(self, scene: Scene) -> None:
        scene.redis.start()


class RedisRestarted(RedisKilled):
    """Ended in good order and started again."""

    name = "Redis restarted"
    least, most = 0.1, 0.5

    def begin(self, scene: Scene) -> None:
        scene.redis.stop()


class RedisEmptied(RedisKilled):
    """It comes back with nothing: what was accepted is gone, and the accounting begins anew."""

    name = "Redis restarted empty"
    repeats = None
    least, most = 0.1, 1.0

    def end(self, scene: Scene) -> None:
        for file in ("appendonly.aof", "dump.rdb"):
            (scene.redis.folder / file).unlink(missing_ok=True)
        super().end(scene)
        self.emptied_at = time.monotonic()


class RedisPaused(RedisFault):
    """SIGSTOP: connections stay open and silent."""

    name = "Redis paused"
    repeats = ALL_HANDS
    least, most = 1, 7

    def begin(self, scene: Scene) -> None:
        os.kill(scene.redis.pid, signal.SIGSTOP)

    def end(self, scene: Scene) -> None:
        os.kill(scene.redis.pid, signal.SIGCONT)


class RedisLoading(RedisFault):
    """Killed, with a file that takes seconds to load; it answers LOADING meanwhile."""

    name = "Redis loading a large file"
    repeats = ALL_HANDS
    least, most = 0.1, 0.2

    def begin(self, scene: Scene) -> None:
        with scene.client as client:
            client.execute_command("DEBUG", "POPULATE", FILLERS, "filler", FILLER_BYTES)
            client.bgrewriteaof()
            wait(lambda: not rewriting(client), "the append-only file rewritten")
        own = scene.redis.folder / "redis.conf"
        before = own.read_text("utf-8")
        own.write_text(before + SLOW_LOADING, "utf-8")
        scene.redis.kill()
        scene.redis.start(patience=120)
        own.write_text(before, "utf-8")

    def end(self, scene: Scene) -> None:
        with scene.client as client:
            for keys in fillers(client):
                client.unlink(*keys)


def rewriting(client: "redis.Redis") -> bool:
    """Whether the append-only file is being rewritten, or soon will be."""
    info = client.info("persistence")
    return bool(info["aof_rewrite_in_progress"] or info["aof_rewrite_scheduled"])


def fillers(client: "redis.Redis") -> Iterator[list[bytes]]:
    """Yield the keys that made the file large."""
    found = list(client.scan_iter(match="filler:*", count=5000))
    for start in range(0, len(found), 5000):
        yield found[start : start + 5000]


class RedisNearlyFull(RedisFault):
    """What memory is left is for what was accepted: nothing new comes in, all else goes on."""

    name = "Redis nearly full"
    least, most = 2, 4

    def begin(self, scene: Scene) -> None:
        with scene.client as client:
            used = client.info("memory")["used_memory"]
            client.config_set("maxmemory", round(used * 1.04) + (1 << 19))

    def end(self, scene: Scene) -> None:
        with scene.client as client:
            client.config_set("maxmemory", 0)


class RedisFull(RedisNearlyFull):
    """At `maxmemory`, for longer than a shift: the workers' own messages are refused, too."""

    name = "Redis at maxmemory"
    repeats = ALL_HANDS
    least, most = 3, 6

    def begin(self, scene: Scene) -> None:
        with scene.client as client:
            client.config_set("maxmemory", 1 << 20)


class RedisReadOnly(RedisFault):
    """Made a replica of a primary that is not there: it answers, and takes no write."""

    name = "Redis read-only"
    repeats = ALL_HANDS
    least, most = 1, 6

    def begin(self, scene: Scene) -> None:
        with scene.client as client:
            client.replicaof("127.0.0.1", "1")

    def end(self, scene: Scene) -> None:
        with scene.client as client:
            client.replicaof("NO", "ONE")


class DiskFails(RedisKilled):
    """The append-only file cannot be written any further, in the middle of a write; Redis dies of it."""

    name = "disk of the append-only file fails"
    least, most = 1.0, 4.0

    def begin(self, scene: Scene) -> None:
        size = (scene.redis.folder / "appendonly.aof").stat().st_size
        resource.prlimit(scene.redis.pid, resource.RLIMIT_FSIZE, (size + 1000, resource.RLIM_INFINITY))
        wait(lambda: not scene.redis.alive, "the death of Redis by its disk")


class DiskFull(RedisKilled):
    """The disk of Redis is full: with `appendfsync always` it ends rather than acknowledge what it cannot keep."""

    name = "disk full"
    least, most = 1.0, 4.0

    @classmethod
    def missing(cls) -> str | None:
        return no_small_disk()

    def begin(self, scene: Scene) -> None:
        self._filler = scene.redis.folder / "filler"
        with self._filler.open("wb", buffering=0) as file:
            try:
                while file.write(bytes(1 << 20)):
                    pass
            except OSError:
                pass  # full
        wait(lambda: not scene.redis.alive, "the death of Redis by its full disk")

    def end(self, scene: Scene) -> None:
        self._filler.unlink()
        super().end(scene)


class FailedOver(RedisFault):
    """Killed while it has a replica: Sentinel promotes that, and the address leads there.

    What is written in the very moment of the death may be lost, for replication does not wait; see `durability`.
    """

    name = "failed over by Sentinel"
    repeats = ALL_HANDS
    least, most = 0.1, 0.5

    def begin(self, scene: Scene) -> None:
        replica = scene.make_redis(f"redis-{time.monotonic_ns()}")
        replica.start()
        with redis.Redis(port=replica.port) as client:
            client.replicaof("127.0.0.1", str(scene.redis.port))
            wait(lambda: client.info("replication")["master_link_status"] == "up", "a replica in step")
        with Sentinel(scene.folder, scene.redis.port) as sentinel:
            wait(sentinel.knows_replica, "Sentinel to know the replica")
            scene.redis.kill()
            wait(lambda: sentinel.primary() == replica.port, "Sentinel to promote the replica")
            with redis.Redis(port=replica.port) as client:
                wait(lambda: client.info("replication")["role"] == "master", "the replica to be the primary")
        scene.point_to(replica)

    def end(self, scene: Scene) -> None:
        """Nothing is to be undone."""


class ScriptsFlushed(RedisFault):
    """`SCRIPT FLUSH`, several times."""

    name = "scripts flushed"
    least, most = 0.1, 0.5

    def begin(self, scene: Scene) -> None:
        self._flush(scene)

    def end(self, scene: Scene) -> None:
        self._flush(scene)

    def _flush(self, scene: Scene) -> None:
        with scene.client as client:
            client.script_flush()


class ClientsKilled(RedisFault):
    """`CLIENT KILL` of everybody."""

    name = "clients killed"
    least, most = 0.1, 0.5

    def begin(self, scene: Scene) -> None:
        with scene.client as client:
            for kind in ("normal", "pubsub"):
                client.execute_command("CLIENT", "KILL", "TYPE", kind, "SKIPME", "yes")

    def end(self, scene: Scene) -> None:
        self.begin(scene)


REDIS_FAULTS: tuple[type[Fault], ...] = (
    RedisKilled,
    RedisRestarted,
    RedisEmptied,
    RedisPaused,
    RedisLoading,
    RedisNearlyFull,
    RedisFull,
    RedisReadOnly,
    DiskFails,
    DiskFull,
    FailedOver,
    ScriptsFlushed,
    ClientsKilled,
)
