"""Fixtures for all tests, and which tests are slow."""

from collections.abc import Iterator
from pathlib import Path

import pytest
import redis
from hypothesis import HealthCheck, settings

from ops.embedded.redis_server import RedisServer
from tests.redis_programs import PROGRAMS, missing_servers, redis_program

# The speed of a machine fails no test.
settings.register_profile("any machine", deadline=None, suppress_health_check=[HealthCheck.too_slow])
settings.load_profile("any machine")

TESTS = Path(__file__).parent
# `make test-fast` leaves out the tests marked `slow`: these folders and files, and users of these fixtures.
SLOW = (
    *("benchmarks/", "end_to_end/", "fuzzing/", "lanes/state_machine/"),
    *("ops/test_acl", "ops/command/test_terminal", "ops/command/test_failing", "worker/delivery/test_answers"),
    *("chaos/test_overload", "chaos/test_soak", "worker/dashboard/test_access.py"),
    *(f"producers/gateway/test_{name}" for name in ("openapi", "node_client", "server", "unavailable", "secrets")),
    *(
        "lanes/checks/test_consistency_at_full_traffic",
        "lanes/queue/test_isolation",
        "lanes/queue/test_order_and_merging",
    ),
    *(
        "ops/command/test_many_dead_letters",
        "producers/testing/test_against_the_lanes",
        "worker/tokens/test_lost_answers",
    ),
)
SLOW_FIXTURES = {"browser", "inject_faults", "make_site", "run"}  # `run` starts a command as a process


@pytest.hookimpl(tryfirst=True)  # before `-m` selects
def pytest_collection_modifyitems(items: list[pytest.Item]) -> None:
    """Mark the slow tests: workers, dashboards, browsers, injected faults, virtual time, properties of a real Redis."""
    for item in items:
        path = item.path.relative_to(TESTS).as_posix()
        fixtures = set(getattr(item, "fixturenames", ()))
        on_redis = "redis_server" in fixtures and getattr(getattr(item, "obj", None), "is_hypothesis_test", False)
        if path.startswith(SLOW) or "virtual_time" in path or SLOW_FIXTURES & fixtures or on_redis:
            item.add_marker(pytest.mark.slow)


def pytest_addoption(parser: pytest.Parser) -> None:
    """`--redis-server redis-6.2` runs the tests of the shared server on that one."""
    parser.addoption("--redis-server", choices=PROGRAMS, default="valkey-9.1", help="the server that tests share")


def pytest_terminal_summary(terminalreporter: pytest.TerminalReporter) -> None:
    """Print which servers the tests of their differences ran on, and which were missing."""
    lacking = missing_servers()
    present = ", ".join(name for name in PROGRAMS if name not in lacking)
    missing = "".join(f"; {name} is missing: {why}" for name, why in lacking.items())
    terminalreporter.write_line(f"{len(PROGRAMS) - len(lacking)} of {len(PROGRAMS)} Redis servers: {present}{missing}")


@pytest.fixture(scope="session")
def redis_server(tmp_path_factory: pytest.TempPathFactory, pytestconfig: pytest.Config) -> Iterator[RedisServer]:
    """A server with AOF that all tests share; a test that kills servers starts its own."""
    program = redis_program(pytestconfig.getoption("--redis-server"))
    with RedisServer(tmp_path_factory.mktemp("redis"), program=program) as server:
        yield server


@pytest.fixture
def redis_url(redis_server: RedisServer) -> str:
    """The URL of an empty Redis."""
    with redis.Redis.from_url(redis_server.url) as client:
        client.flushall()
    return redis_server.url
