"""Faults of Redis."""

import os
import resource
import shutil
import signal
import time
from collections.abc import Iterator

import redis

from lanes.queue.store import LaneStore
from ops.embedded.stored_data import AOF_FOLDER
from tests.chaos.environment import WORKERS, Environment
from tests.chaos.fault import REQUESTS_PER_WORKER, Fault, wait
from tests.chaos.sentinel import Sentinel
from tests.chaos.small_disk import no_small_disk

REQUESTS_OF_ALL_WORKERS = REQUESTS_PER_WORKER * len(WORKERS)
FILLERS, FILLER_BYTES = 1500, 8192
# Microseconds a key: it answers LOADING for seconds, as it does for a file of gigabytes.
SLOW_LOADING = "\nkey-load-delay 1000\n"


class RedisFault(Fault):
    """A fault of Redis itself. Reports that it does not accept are retried; some may come too late."""

    targets = frozenset({"Redis"})


class RedisKilled(RedisFault):
    """SIGKILL; it comes back with its append-only file, before or after a lease has ended."""

    name = "Redis killed"
    repeats: int | None = REQUESTS_OF_ALL_WORKERS
    min_seconds, max_seconds = 0.1, 7.0

    def begin(self, environment: Environment) -> None:
        environment.redis.kill()

    def end(self, environment: Environment) -> None:
        environment.redis.start()


class RedisRestarted(RedisKilled):
    """Stopped gracefully and started again."""

    name = "Redis restarted"
    min_seconds, max_seconds = 0.1, 0.5

    def begin(self, environment: Environment) -> None:
        environment.redis.stop()


class RedisEmptied(RedisKilled):
    """It comes back empty: the accepted jobs are gone, and counting starts again."""

    name = "Redis restarted empty"
    repeats = None
    min_seconds, max_seconds = 0.1, 1.0

    def begin(self, environment: Environment) -> None:
        with environment.client as client:
            environment.findings += environment.jobs.before_it_is_emptied(
                LaneStore(client), environment.accepted_jobs()
            )
        super().begin(environment)

    def end(self, environment: Environment) -> None:
        shutil.rmtree(environment.redis.folder / AOF_FOLDER)
        environment.start_empty_redis()
        self.emptied_at = time.monotonic()
        environment.jobs.emptied(self.emptied_at)


class RedisPaused(RedisFault):
    """SIGSTOP: connections stay open and silent."""

    name = "Redis paused"
    repeats = REQUESTS_OF_ALL_WORKERS
    min_seconds, max_seconds = 1, 7

    def begin(self, environment: Environment) -> None:
        os.kill(environment.redis.pid, signal.SIGSTOP)

    def end(self, environment: Environment) -> None:
        os.kill(environment.redis.pid, signal.SIGCONT)


class RedisLoading(RedisFault):
    """Killed, with a file that takes seconds to load; it answers LOADING meanwhile."""

    name = "Redis loading a large file"
    repeats = REQUESTS_OF_ALL_WORKERS
    min_seconds, max_seconds = 0.1, 0.2

    def begin(self, environment: Environment) -> None:
        with environment.client as client:
            client.execute_command("DEBUG", "POPULATE", FILLERS, "filler", FILLER_BYTES)
            client.bgrewriteaof()
            wait(lambda: not rewriting(client), "the append-only file rewritten")
        own = environment.redis.folder / "redis.conf"
        before = own.read_text("utf-8")
        own.write_text(before + SLOW_LOADING, "utf-8")
        environment.redis.kill()
        environment.redis.start(timeout=120)
        own.write_text(before, "utf-8")

    def end(self, environment: Environment) -> None:
        with environment.client as client:
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
    """The remaining memory is kept for accepted jobs: new jobs are refused, the rest goes on."""

    name = "Redis nearly full"
    min_seconds, max_seconds = 2, 4

    def begin(self, environment: Environment) -> None:
        ids = [one.job_id for one in environment.accepted_jobs()]
        with environment.client as client:
            environment.jobs.before_memory_is_full(LaneStore(client), ids)
            used = client.info("memory")["used_memory"]
            client.config_set("maxmemory", round(used * 1.04) + (1 << 19))

    def end(self, environment: Environment) -> None:
        with environment.client as client:
            client.config_set("maxmemory", 0)


class RedisFull(RedisNearlyFull):
    """At `maxmemory` for longer than a shift: the workers' messages are refused, too."""

    name = "Redis at maxmemory"
    repeats = REQUESTS_OF_ALL_WORKERS
    min_seconds, max_seconds = 3, 6

    def begin(self, environment: Environment) -> None:
        ids = [one.job_id for one in environment.accepted_jobs()]
        with environment.client as client:
            environment.jobs.before_memory_is_full(LaneStore(client), ids)
            client.config_set("maxmemory", 1 << 20)


class RedisReadOnly(RedisFault):
    """A replica of a missing primary: it answers reads and refuses writes."""

    name = "Redis read-only"
    repeats = REQUESTS_OF_ALL_WORKERS
    min_seconds, max_seconds = 1, 6

    def begin(self, environment: Environment) -> None:
        with environment.client as client:
            client.replicaof("127.0.0.1", "1")

    def end(self, environment: Environment) -> None:
        with environment.client as client:
            client.replicaof("NO", "ONE")


class DiskFails(RedisKilled):
    """A write to the append-only file fails in the middle; Redis exits."""

    name = "disk of the append-only file fails"
    min_seconds, max_seconds = 1.0, 4.0

    def begin(self, environment: Environment) -> None:
        files = (environment.redis.folder / AOF_FOLDER).glob("*.incr.aof")  # two during a rewrite
        size = max(files, key=lambda file: file.stat().st_mtime_ns).stat().st_size
        resource.prlimit(environment.redis.pid, resource.RLIMIT_FSIZE, (size + 1000, resource.RLIM_INFINITY))
        wait(lambda: not environment.redis.alive, "Redis to exit after the failed write")


class DiskFull(RedisKilled):
    """The disk of Redis is full: with `appendfsync always` it exits instead of acknowledging what it cannot store."""

    name = "disk full"
    min_seconds, max_seconds = 1.0, 4.0

    @classmethod
    def missing(cls) -> str | None:
        return no_small_disk()

    def begin(self, environment: Environment) -> None:
        self._filler = environment.redis.folder / "filler"
        with self._filler.open("wb", buffering=0) as file:
            try:
                while file.write(bytes(1 << 20)):
                    pass
            except OSError:
                pass  # full
        wait(lambda: not environment.redis.alive, "Redis to exit, its disk being full")

    def end(self, environment: Environment) -> None:
        self._filler.unlink()
        super().end(environment)


class FailedOver(RedisFault):
    """Killed while it has a replica: Sentinel promotes the replica, and clients are led to it.

    Writes at the moment of the kill may be lost, since replication is asynchronous; see `durability`.
    """

    name = "failed over by Sentinel"
    repeats = REQUESTS_OF_ALL_WORKERS
    min_seconds, max_seconds = 0.1, 0.5

    def begin(self, environment: Environment) -> None:
        replica = environment.make_redis(f"redis-{time.monotonic_ns()}")
        replica.start()
        with redis.Redis(port=replica.port) as client:
            client.replicaof("127.0.0.1", str(environment.redis.port))
            wait(lambda: client.info("replication")["master_link_status"] == "up", "a replica in step")
        with Sentinel(environment.folder, environment.redis.port) as sentinel:
            wait(sentinel.knows_replica, "Sentinel to know the replica")
            environment.redis.kill()
            wait(lambda: sentinel.primary() == replica.port, "Sentinel to promote the replica")
            with redis.Redis(port=replica.port) as client:
                wait(lambda: client.info("replication")["role"] == "master", "the replica to be the primary")
        environment.switch_redis(replica)

    def end(self, environment: Environment) -> None:
        """There is nothing to undo."""


class ScriptsFlushed(RedisFault):
    """`SCRIPT FLUSH`, several times."""

    name = "scripts flushed"
    min_seconds, max_seconds = 0.1, 0.5

    def begin(self, environment: Environment) -> None:
        self._flush(environment)

    def end(self, environment: Environment) -> None:
        self._flush(environment)

    def _flush(self, environment: Environment) -> None:
        with environment.client as client:
            client.script_flush()


class ClientsKilled(RedisFault):
    """`CLIENT KILL` of all clients."""

    name = "clients killed"
    min_seconds, max_seconds = 0.1, 0.5

    def begin(self, environment: Environment) -> None:
        with environment.client as client:
            for kind in ("normal", "pubsub"):
                client.execute_command("CLIENT", "KILL", "TYPE", kind, "SKIPME", "yes")

    def end(self, environment: Environment) -> None:
        self.begin(environment)


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
