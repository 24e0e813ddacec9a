"""Background loops: what ends one, and what does not."""

import threading
from collections.abc import Iterator

import pytest
import redis
import structlog
from structlog.testing import LogCapture

from lanes.errors import RedisUnavailableError, ScriptError
from tests.helpers import until
from worker.metrics.samples import loops_collector
from worker.safety import supervisor as module
from worker.safety.supervisor import Loop, Supervisor, every


@pytest.fixture
def logged(monkeypatch: pytest.MonkeyPatch) -> LogCapture:
    logged = LogCapture()
    monkeypatch.setattr(module, "log", structlog.wrap_logger(None, processors=[logged]))
    return logged


@pytest.fixture
def supervisor(monkeypatch: pytest.MonkeyPatch) -> Iterator[Supervisor]:
    monkeypatch.setattr(module, "FIRST_PAUSE_SECONDS", 0.001)
    monkeypatch.setattr(module, "MAX_PAUSE_SECONDS", 0.01)
    supervisor = Supervisor()
    yield supervisor
    supervisor.stop()


def failures(supervisor: Supervisor) -> dict[str, float]:
    [metric] = loops_collector(supervisor.failures).collect()
    return {sample.labels["loop"]: sample.value for sample in metric.samples}


def test_a_loop_that_fails_is_started_again_logged_once_and_counted(supervisor: Supervisor, logged: LogCapture) -> None:
    errors: list[Exception] = [ValueError("a"), ValueError("b"), KeyError("c")]
    worked = threading.Event()

    def step() -> float:
        if errors:
            raise errors.pop(0)
        worked.set()
        return 0.001

    supervisor.start(Loop("one", step))
    supervisor.start(every("two", 60, lambda: None))
    assert worked.wait(30)
    assert failures(supervisor) == {"one": 3, "two": 0}
    assert [(entry["event"], entry["loop"], str(entry["exc_info"])) for entry in logged.entries] == [
        ("loop_failed", "one", "a"),
        ("loop_failed", "one", "'c'"),
    ]


def test_the_pauses_of_a_loop_that_goes_on_failing_grow(
    supervisor: Supervisor, logged: LogCapture, monkeypatch: pytest.MonkeyPatch
) -> None:
    pauses: list[float] = []
    note = supervisor.failures.note

    def noting(name: str, error: Exception, pause: float) -> None:
        pauses.append(pause)
        note(name, error, pause)

    monkeypatch.setattr(supervisor.failures, "note", noting)

    def step() -> float:
        raise ValueError

    supervisor.start(Loop("one", step))
    until(lambda: len(pauses) > 8)
    assert pauses[0] <= 0.0015
    assert 0.005 <= pauses[8] <= 0.015
    assert len(logged.entries) == 1


@pytest.mark.parametrize("error", [RedisUnavailableError("away"), redis.ConnectionError("away"), OSError("away")])
def test_a_redis_that_is_away_is_no_failure(supervisor: Supervisor, logged: LogCapture, error: Exception) -> None:
    reported: list[Exception] = []

    def step() -> float:
        raise error

    supervisor.start(Loop("one", step, away=reported.append, away_seconds=0.001))
    until(lambda: len(reported) > 2)
    assert failures(supervisor) == {"one": 0}
    assert logged.entries == []


def test_a_broken_key_is_a_failure_and_no_outage(supervisor: Supervisor, logged: LogCapture) -> None:
    reported: list[Exception] = []

    def step() -> float:
        raise ScriptError("WRONGTYPE")

    supervisor.start(Loop("one", step, away=reported.append, away_seconds=0.001))
    until(lambda: failures(supervisor)["one"] > 2 or reported)
    assert reported == []
    assert [(entry["event"], entry["loop"], str(entry["exc_info"])) for entry in logged.entries] == [
        ("loop_failed", "one", "WRONGTYPE")
    ]


def test_all_loops_stop_together_and_are_joined(supervisor: Supervisor) -> None:
    def fail() -> float:
        raise ValueError

    waiting = [every("long", 1e6, lambda: None), Loop("forever", lambda: float("inf")), Loop("fails", fail)]
    for loop in waiting:
        supervisor.start(loop)
    until(lambda: failures(supervisor)["fails"] > 0)
    threads = [thread for thread in threading.enumerate() if thread in supervisor._loops]
    assert len(threads) == 3
    supervisor.stop(within=30)
    assert not any(thread.is_alive() for thread in threads)


def test_a_loop_may_end_itself_and_another_wakes_early(supervisor: Supervisor) -> None:
    calls: list[int] = []

    def step() -> float | None:
        calls.append(1)
        return None if len(calls) == 2 else 1e6

    loop = Loop("one", step)
    supervisor.start(loop)
    until(lambda: len(calls) == 1)
    loop.wake.set()
    until(lambda: not supervisor._loops)
    assert len(calls) == 2
    assert failures(supervisor) == {"one": 0}
