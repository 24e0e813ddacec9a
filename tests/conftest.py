"""Fixtures for all tests, and which tests are slow."""

from collections.abc import Iterator
from pathlib import Path

import pytest
import redis

from ops.embedded.redis_server import RedisServer

TESTS = Path(__file__).parent
# `make test-fast` leaves out the tests marked `slow`: these folders and files, and users of these fixtures. Other slow
# tests carry the mark themselves.
SLOW = ("benchmarks/", "end_to_end/", "fuzzing/", "lanes/state_machine/", "chaos/test_overload", "chaos/test_soak")
SLOW_FIXTURES = {"browser", "inject_faults", "make_site"}


@pytest.hookimpl(tryfirst=True)  # before `-m` selects
def pytest_collection_modifyitems(items: list[pytest.Item]) -> None:
    """Mark the slow tests: those with workers, dashboards, browsers or injected faults."""
    for item in items:
        path = item.path.relative_to(TESTS).as_posix()
        if path.startswith(SLOW) or SLOW_FIXTURES & set(getattr(item, "fixturenames", ())):
            item.add_marker(pytest.mark.slow)


@pytest.fixture(scope="session")
def redis_server(tmp_path_factory: pytest.TempPathFactory) -> Iterator[RedisServer]:
    """A server with AOF that all tests share; a test that kills servers starts its own."""
    with RedisServer(tmp_path_factory.mktemp("redis")) as server:
        yield server


@pytest.fixture
def redis_url(redis_server: RedisServer) -> str:
    """The URL of an empty Redis."""
    with redis.Redis.from_url(redis_server.url) as client:
        client.flushall()
    return redis_server.url
