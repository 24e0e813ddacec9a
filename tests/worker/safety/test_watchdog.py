"""What the watchdog thinks of silence, second by second."""

import pytest

from lanes.settings import WorkerSettings
from worker.safety.consumer_watchdog import CHECKS, SilenceDetector, WatchdogAction, max_silence_seconds

MOST = 60.0
LOOK = MOST / CHECKS


def steps(looks: list[tuple[float, int, bool]]) -> list[WatchdogAction]:
    """Look as often as there are (seconds since the last look, shifts begun, whether Redis answers)."""
    silence, now, found = SilenceDetector(MOST), 0.0, []
    for passed, begun, answers in looks:
        now += passed
        found.append(silence.check(now, begun, redis_answers=answers))
    return found


QUIET = [(LOOK, 1, True)] * (CHECKS + 1)


def test_a_worker_that_begins_shifts_is_left_alone() -> None:
    assert set(steps([(LOOK, number, True) for number in range(1, 100)])) == {WatchdogAction.NOTHING}


def test_a_silent_worker_is_restarted_then_ended() -> None:
    found = steps(QUIET * 2)
    assert [step for step in found if step is not WatchdogAction.NOTHING] == [
        WatchdogAction.RESTART,
        WatchdogAction.END,
    ]
    assert found.index(WatchdogAction.RESTART) == CHECKS


def test_a_worker_that_a_restart_helped_is_restarted_the_next_time() -> None:
    found = steps([*QUIET, (LOOK, 2, True), *[(LOOK, 2, True)] * CHECKS])
    assert [step for step in found if step is not WatchdogAction.NOTHING] == [
        WatchdogAction.RESTART,
        WatchdogAction.RESTART,
    ]


def test_time_without_redis_does_not_count() -> None:
    away = [(LOOK, 1, True)] * (CHECKS - 1) + [(LOOK, 1, False)]
    assert set(steps(away * 10)) == {WatchdogAction.NOTHING}


def test_time_in_which_the_process_did_not_run_does_not_count() -> None:
    assert set(steps([(LOOK, 1, True), (3600, 1, True), (LOOK, 1, True)])) == {WatchdogAction.NOTHING}


@pytest.mark.parametrize(
    ("settings", "seconds"),
    [
        (WorkerSettings(), 65),
        (WorkerSettings(watchdog_seconds=300), 300),
        (WorkerSettings(watchdog_seconds=1, shift_seconds=2, http_timeout_seconds=10), 32),
    ],
)
def test_no_shift_that_does_its_work_is_too_long(settings: WorkerSettings, seconds: float) -> None:
    assert max_silence_seconds(settings) == seconds
