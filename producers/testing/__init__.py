"""The test kit for services: producers that need no Redis and record their jobs; the test decides how jobs end.

Fixtures for pytest are in `producers.testing.fixtures`.
"""

from producers.testing.ending import Dead, Delivered
from producers.testing.recording import AsyncRecordingProducer, RecordingProducer

__all__ = ["AsyncRecordingProducer", "Dead", "Delivered", "RecordingProducer"]
