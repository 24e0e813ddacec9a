"""What a worker needs from its machine and from Redis, computed from its processes and sender threads.

The limits in docker-compose.yml, ops/systemd and ops/redis.conf are at least these; see docs/deployment.md.
"""

from dataclasses import dataclass

from lanes.queue.connecting import SHARED_CONNECTIONS

MIB = 1 << 20
PROCESS_BYTES = 60 * MIB
THREAD_BYTES = MIB // 5  # with its connection, TLS included
OTHER_THREADS = 12  # of a process: loops, metrics, deadlines, token renewals
BROKER_CONNECTIONS = 4  # of a process
OTHER_DESCRIPTORS = 64  # of a process


@dataclass(frozen=True, slots=True)
class WorkerNeeds:
    """The needs of a worker with so many pool `processes`, each with at most `threads` sender threads."""

    processes: int
    threads: int

    @property
    def tasks(self) -> int:
        """Threads and processes together, as `pids` and `TasksMax` count them."""
        return self.processes * (self.threads + OTHER_THREADS) + OTHER_THREADS

    @property
    def memory(self) -> int:
        """Bytes."""
        return (self.processes + 1) * PROCESS_BYTES + self.processes * self.threads * THREAD_BYTES

    @property
    def descriptors(self) -> int:
        """Open files and connections of one process."""
        return self.threads + SHARED_CONNECTIONS + OTHER_DESCRIPTORS

    @property
    def redis_connections(self) -> int:
        """Connections to Redis."""
        return (self.processes + 1) * (SHARED_CONNECTIONS + BROKER_CONNECTIONS)
