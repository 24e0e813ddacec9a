"""One line for each change of state, whoever of many processes notices it, and a reminder now and then."""

import subprocess
import sys

import pytest
import structlog
from structlog.testing import LogCapture

from worker.redis_watch import REMIND_SECONDS, SETTLE_SECONDS, RedisWatch

ERROR = OSError("refused")


class Clock:
    now = 1_000.0

    def monotonic(self) -> float:
        return self.now


@pytest.fixture
def clock(monkeypatch: pytest.MonkeyPatch) -> Clock:
    made = Clock()
    monkeypatch.setattr("worker.redis_watch.time", made)
    return made


@pytest.fixture
def logged(monkeypatch: pytest.MonkeyPatch) -> LogCapture:
    made = LogCapture()
    monkeypatch.setattr("worker.redis_watch.log", structlog.wrap_logger(structlog.PrintLogger(), processors=[made]))
    return made


def test_what_is_said_and_when(clock: Clock, logged: LogCapture) -> None:
    watch = RedisWatch()

    def said() -> list[str]:
        return [entry["event"] for entry in logged.entries]

    watch.found(clock.now)
    assert said() == []
    for _ in range(100):
        watch.lost(ERROR)
        clock.now += REMIND_SECONDS / 101
    assert said() == ["redis_away"]
    clock.now += REMIND_SECONDS
    watch.lost(ERROR)
    watch.lost(ERROR)
    assert said() == ["redis_away", "redis_still_away"]
    watch.found(1_000.0 - 1)  # by who was answered just before it went away
    assert watch.is_away
    assert said()[2:] == []
    for _ in range(3):
        watch.found(clock.now)
    assert said()[2:] == ["redis_back"]
    assert not watch.is_away
    watch.lost(ERROR)  # by who was in the middle of a call
    watch.found(clock.now)
    assert said()[3:] == []
    clock.now += SETTLE_SECONDS
    watch.lost(ERROR)
    watch.found(clock.now)
    assert said()[3:] == ["redis_away", "redis_back"]


FORKS = """
import os, sys, time
from worker.redis_watch import RedisWatch

watch, (start, go) = RedisWatch(), os.pipe()
children = []
for _ in range(8):
    child = os.fork()
    if child == 0:
        os.close(go)
        os.read(start, 1)
        for _ in range(50):
            watch.lost(OSError("refused"))
        for _ in range(50):
            watch.found(time.monotonic())
        sys.stdout.flush()
        os._exit(0)
    children.append(child)
os.close(go)  # all begin at once
for child in children:
    os.waitpid(child, 0)
"""


def test_of_many_processes_one_speaks() -> None:
    said = subprocess.run([sys.executable, "-c", FORKS], capture_output=True, text=True, check=True, timeout=60).stdout
    assert said.count("redis_away") == said.count("redis_back") == 1
