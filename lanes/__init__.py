"""The queue itself: a state machine in Redis. Knows nothing of Celery or HTTP."""

from lanes.errors import LanesError, RedisUnavailableError, ScriptError, SettingsError
from lanes.job import Job, State
from lanes.settings import Settings
from lanes.store import LaneStore

__all__ = [
    "Job",
    "LaneStore",
    "LanesError",
    "RedisUnavailableError",
    "ScriptError",
    "Settings",
    "SettingsError",
    "State",
]
