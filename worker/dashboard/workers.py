"""A worker, as the dashboard knows it."""

from dataclasses import dataclass


@dataclass(frozen=True, slots=True)
class LiveWorker:
    """A live worker. `slots` and `is_prefork` are None until it has reported its pool.

    A slot of a prefork pool is a process with sender threads; any other slot sends one job at a time.
    """

    name: str
    slots: int | None = None
    is_prefork: bool | None = None

    def capacity(self, threads: int) -> int | None:
        """Return how many jobs it can send at once. One slot is kept for other tasks."""
        return None if self.slots is None else max(1, self.slots - 1) * (threads if self.is_prefork else 1)
