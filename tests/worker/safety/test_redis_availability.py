"""One line for each change of state, for all processes together, and a reminder now and then."""

import subprocess
import sys

import pytest
import structlog
from structlog.testing import LogCapture

from worker.safety.redis_availability import REMIND_SECONDS, SETTLE_SECONDS, RedisAvailability

ERROR = OSError("refused")


class Clock:
    now = 1_000.0

    def monotonic(self) -> float:
        return self.now


@pytest.fixture
def clock(monkeypatch: pytest.MonkeyPatch) -> Clock:
    made = Clock()
    monkeypatch.setattr("worker.safety.redis_availability.time", made)
    return made


@pytest.fixture
def logged(monkeypatch: pytest.MonkeyPatch) -> LogCapture:
    made = LogCapture()
    monkeypatch.setattr(
        "worker.safety.redis_availability.log", structlog.wrap_logger(structlog.PrintLogger(), processors=[made])
    )
    return made


def test_what_is_logged_and_when(clock: Clock, logged: LogCapture) -> None:
    availability = RedisAvailability()

    def said() -> list[str]:
        return [entry["event"] for entry in logged.entries]

    availability.mark_available(clock.now)
    assert said() == []
    for _ in range(100):
        availability.mark_unavailable(ERROR)
        clock.now += REMIND_SECONDS / 101
    assert said() == ["redis_unavailable"]
    clock.now += REMIND_SECONDS
    availability.mark_unavailable(ERROR)
    availability.mark_unavailable(ERROR)
    assert said() == ["redis_unavailable", "redis_still_unavailable"]
    availability.mark_available(1_000.0 - 1)  # by who was answered just before it went away
    assert availability.is_unavailable
    assert said()[2:] == []
    for _ in range(3):
        availability.mark_available(clock.now)
    assert said()[2:] == ["redis_available"]
    assert not availability.is_unavailable
    availability.mark_unavailable(ERROR)  # by who was in the middle of a call
    availability.mark_available(clock.now)
    assert said()[3:] == []
    clock.now += SETTLE_SECONDS
    availability.mark_unavailable(ERROR)
    availability.mark_available(clock.now)
    assert said()[3:] == ["redis_unavailable", "redis_available"]


FORKS = """
import os, sys, time
from worker.safety.redis_availability import RedisAvailability

availability, (start, go) = RedisAvailability(), os.pipe()
children = []
for _ in range(8):
    child = os.fork()
    if child == 0:
        os.close(go)
        os.read(start, 1)
        for _ in range(50):
            availability.mark_unavailable(OSError("refused"))
        for _ in range(50):
            availability.mark_available(time.monotonic())
        sys.stdout.flush()
        os._exit(0)
    children.append(child)
os.close(go)  # all begin at once
for child in children:
    os.waitpid(child, 0)
"""


def test_of_many_processes_one_logs() -> None:
    said = subprocess.run([sys.executable, "-c", FORKS], capture_output=True, text=True, check=True, timeout=60).stdout
    assert said.count("redis_unavailable") == said.count("redis_available") == 1
