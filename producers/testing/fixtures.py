"""Fixtures for pytest: `pytest_plugins = ["producers.testing.fixtures"]` in a test file or the root conftest.

Only this module needs pytest.
"""

import pytest

from producers.testing.recording import AsyncRecordingProducer, RecordingProducer


@pytest.fixture
def opportunity_producer() -> RecordingProducer:
    """A new recording producer for each test."""
    return RecordingProducer()


@pytest.fixture
def async_opportunity_producer() -> AsyncRecordingProducer:
    """The same for services with an event loop."""
    return AsyncRecordingProducer()
