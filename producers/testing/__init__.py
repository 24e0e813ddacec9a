"""The test kit for services: producers that need no Redis, record what they are given, and end jobs as they are told.

Fixtures for pytest are in `producers.testing.fixtures`.
"""

from producers.testing.ending import Dead, Delivered
from producers.testing.recording import AsyncRecordingProducer, RecordingProducer

__all__ = ["AsyncRecordingProducer", "Dead", "Delivered", "RecordingProducer"]
