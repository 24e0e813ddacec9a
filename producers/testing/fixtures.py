"""Fixtures for pytest: `pytest_plugins = ["producers.testing.fixtures"]` in a test file or the topmost conftest.

Only this module of the package needs pytest.
"""

import pytest

from producers.testing.recording import AsyncRecordingProducer, RecordingProducer


@pytest.fixture
def opportunity_producer() -> RecordingProducer:
    """A producer that records, anew for each test."""
    return RecordingProducer()


@pytest.fixture
def async_opportunity_producer() -> AsyncRecordingProducer:
    """The same for services that run an event loop."""
    return AsyncRecordingProducer()
