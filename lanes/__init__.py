"""The queue itself: a state machine in Redis. Knows nothing of Celery or HTTP."""

from lanes.errors import LanesError, RedisUnavailableError, ScriptError, SettingsError
from lanes.queue.job import Job, State
from lanes.queue.store import LaneStore
from lanes.settings import ProducerSettings, WorkerSettings

__all__ = [
    "Job",
    "LaneStore",
    "LanesError",
    "ProducerSettings",
    "RedisUnavailableError",
    "ScriptError",
    "SettingsError",
    "State",
    "WorkerSettings",
]
