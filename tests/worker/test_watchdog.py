"""What the watchdog thinks of silence, second by second."""

import pytest

from lanes.settings import Settings
from worker.watchdog import LOOKS, Silence, Step, longest_silence

MOST = 60.0
LOOK = MOST / LOOKS


def steps(looks: list[tuple[float, int, bool]]) -> list[Step]:
    """Look as often as there are (seconds since the last look, shifts begun, whether Redis answers)."""
    silence, now, found = Silence(MOST), 0.0, []
    for passed, begun, answers in looks:
        now += passed
        found.append(silence.look(now, begun, redis_answers=answers))
    return found


QUIET = [(LOOK, 1, True)] * (LOOKS + 1)


def test_a_worker_that_begins_shifts_is_left_alone() -> None:
    assert set(steps([(LOOK, number, True) for number in range(1, 100)])) == {Step.NOTHING}


def test_a_silent_one_is_started_anew_then_ended() -> None:
    found = steps(QUIET * 2)
    assert [step for step in found if step is not Step.NOTHING] == [Step.RESTART, Step.END]
    assert found.index(Step.RESTART) == LOOKS


def test_one_that_a_restart_helped_is_started_anew_the_next_time() -> None:
    found = steps([*QUIET, (LOOK, 2, True), *[(LOOK, 2, True)] * LOOKS])
    assert [step for step in found if step is not Step.NOTHING] == [Step.RESTART, Step.RESTART]


def test_time_without_redis_does_not_count() -> None:
    away = [(LOOK, 1, True)] * (LOOKS - 1) + [(LOOK, 1, False)]
    assert set(steps(away * 10)) == {Step.NOTHING}


def test_time_in_which_the_process_did_not_run_does_not_count() -> None:
    assert set(steps([(LOOK, 1, True), (3600, 1, True), (LOOK, 1, True)])) == {Step.NOTHING}


@pytest.mark.parametrize(
    ("settings", "seconds"),
    [
        (Settings(), 65),
        (Settings(watchdog_seconds=300), 300),
        (Settings(watchdog_seconds=1, shift_seconds=2, http_timeout_seconds=10), 32),
    ],
)
def test_no_shift_that_does_its_work_is_too_long(settings: Settings, seconds: float) -> None:
    assert longest_silence(settings) == seconds
