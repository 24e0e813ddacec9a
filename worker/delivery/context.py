"""What the shifts of a process share."""

import threading
from dataclasses import dataclass, field

from lanes.queue.store import LaneStore
from lanes.queue.transitions import DefaultLimits
from lanes.settings import WorkerSettings
from worker.delivery.flower_events import JobEvents
from worker.delivery.in_doubt import SenderState
from worker.delivery.sender_gauges import ProcessGauges, SenderGauges
from worker.delivery.sender_pool import SenderPool
from worker.delivery.statistics import Statistics
from worker.delivery.wakeup import WakeupPipe
from worker.highlevel.client import HighLevelClient
from worker.highlevel.local_failures import LocalFailures
from worker.safety.redis_availability import RedisAvailability
from worker.shared_flag import SharedFlag
from worker.tokens.provider import TokenProvider


@dataclass(frozen=True, slots=True)
class WorkerContext:
    """What all shifts of a process share."""

    settings: WorkerSettings
    store: LaneStore
    client: HighLevelClient
    tokens: TokenProvider
    events: JobEvents
    hostname: str
    stop: SharedFlag  # set: no shift takes another job
    wakeup: WakeupPipe
    redis: RedisAvailability
    sender_pool: SenderPool | None = None
    all_gauges: SenderGauges = field(default_factory=SenderGauges)  # of all processes of the worker
    gauges: ProcessGauges = field(default_factory=lambda: SenderGauges().of_process(0))  # of this one
    poll_lock: threading.Lock = field(default_factory=threading.Lock)
    sender_state: SenderState = field(default_factory=SenderState)
    ready: SharedFlag = field(default_factory=SharedFlag)
    local_failures: LocalFailures = field(default_factory=LocalFailures)
    statistics: Statistics = field(default_factory=Statistics)

    @property
    def limits(self) -> DefaultLimits:
        """The configured caps of every location."""
        return DefaultLimits(self.settings.burst_cap, self.settings.burst_window_seconds, self.settings.daily_cap)
