"""A worker, as the dashboard knows it."""

from dataclasses import dataclass


@dataclass(frozen=True, slots=True)
class LiveWorker:
    """A worker that is alive, as Flower knows it. `slots` and `is_prefork` are None until it has told about its pool.

    `is_prefork` tells whether a slot is a process with a crew of threads, or itself what sends one job at a time.
    """

    name: str
    slots: int | None = None
    is_prefork: bool | None = None

    def capacity(self, threads: int) -> int | None:
        """Return how many jobs it can send at once: one slot is kept for other tasks (see `worker/delivery/dispatcher.py`)."""
        if self.slots is None:
            return None
        return max(1, self.slots - 1) * (threads if self.is_prefork else 1)
