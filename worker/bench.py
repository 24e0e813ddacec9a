"""The bench: what the shifts of a process share, and the flag that stops those of a whole worker."""

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
from worker.local_trouble import LocalTrouble
from worker.redis_watch import RedisWatch
from worker.shared_flag import SharedFlag
from worker.tokens.tokens import Tokens


class StopFlag(SharedFlag):
    """Tells the shifts of a worker, in threads or forked processes, to take no further job."""


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
    ready: SharedFlag = field(default_factory=SharedFlag)
    trouble: LocalTrouble = field(default_factory=LocalTrouble)

    @property
    def limits(self) -> Limits:
        """The budgets of every location, as far as a person set them."""
        return Limits(self.settings.burst_cap, self.settings.burst_window_seconds, self.settings.daily_cap)

    @property
    def backoff(self) -> Backoff:
        """When to try again."""
        return Backoff(self.settings.backoff_base_seconds, self.settings.backoff_max_seconds)
