"""The bench: what the shifts of a process share, and the flag that stops those of a whole worker."""

import mmap
import threading
from dataclasses import dataclass, field

from lanes.settings import Settings
from lanes.store import LaneStore
from lanes.transitions import Limits
from worker.backoff import Backoff
from worker.bell import Bell
from worker.crew import Crew
from worker.events import JobEvents
from worker.highlevel.client import HighLevelClient
from worker.in_doubt import ThreadMemory
from worker.redis_watch import RedisWatch
from worker.tokens.tokens import Tokens


class StopFlag:
    """Tells the shifts of a worker, in threads or forked processes, to take no further job. Lives in shared memory."""

    def __init__(self) -> None:
        self._memory = mmap.mmap(-1, 1)

    def set(self) -> None:
        """From now on nothing more is released."""
        self._memory[0] = 1

    def clear(self) -> None:
        """A new start."""
        self._memory[0] = 0

    def __bool__(self) -> bool:
        return self._memory[0] == 1


@dataclass(frozen=True, slots=True)
class Bench:
    """What all shifts of a process share."""

    settings: Settings
    store: LaneStore
    client: HighLevelClient
    tokens: Tokens
    events: JobEvents
    hostname: str
    stop: StopFlag
    bell: Bell
    redis: RedisWatch
    crew: Crew | None = None
    watch: threading.Lock = field(default_factory=threading.Lock)
    memory: ThreadMemory = field(default_factory=ThreadMemory)

    @property
    def limits(self) -> Limits:
        """The budgets of every location, as far as a person set them."""
        return Limits(self.settings.burst_cap, self.settings.burst_window_seconds, self.settings.daily_cap)

    @property
    def backoff(self) -> Backoff:
        """When to try again."""
        return Backoff(self.settings.backoff_base_seconds, self.settings.backoff_max_seconds)
