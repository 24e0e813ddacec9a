"""The same seed gives the same plans and rows; journals and recovery are read correctly. Without processes."""

import random
from collections import Counter
from itertools import islice
from pathlib import Path

import pytest

from tests.chaos import journal
from tests.chaos.environment import exit_reason
from tests.chaos.faults import FAULTS, rounds
from tests.chaos.journal import Journal
from tests.chaos.recovery import Recovery, recovery
from tests.chaos.traffic import RecordKind, Row, Traffic


def test_the_same_seed_gives_the_same_plan() -> None:
    assert list(islice(rounds(7), 40)) == list(islice(rounds(7), 40))
    assert list(islice(rounds(7), 40)) != list(islice(rounds(8), 40))


def test_a_fault_decides_by_its_seed() -> None:
    plan = [planned for round_ in islice(rounds(7), 60) for planned in round_]
    made = [(planned.make().chance.random(), planned.make().chance.random()) for planned in plan]
    assert all(first == second for first, second in made)


@pytest.mark.parametrize("seed", range(5))
def test_every_fault_comes_once_before_any_comes_again(seed: int) -> None:
    names = [planned.name for round_ in islice(rounds(seed), len(FAULTS)) for planned in round_]
    assert set(names[: len(FAULTS)]) == set(FAULTS)


@pytest.mark.parametrize("seed", range(5))
def test_no_two_faults_of_a_round_have_the_same_target(seed: int) -> None:
    several = 0
    for round_ in islice(rounds(seed), 100):
        targets = Counter(place for planned in round_ for place in FAULTS[planned.name].targets)
        assert max(targets.values()) == 1
        several += len(round_) > 1
    assert several > 10


@pytest.mark.parametrize("name", FAULTS)
def test_a_fault_has_a_name_and_a_duration(name: str) -> None:
    fault = FAULTS[name](random.Random(1))
    assert fault.name == name
    assert fault.__doc__
    assert 0 < fault.min_seconds <= fault.max_seconds
    assert fault.targets


def rows(seed: int, max_seconds: int) -> list[Row]:
    steps = islice(Traffic(seed, "p1").steps(), max_seconds)
    return [row for step in steps for row in step]


def test_the_same_seed_gives_the_same_rows() -> None:
    assert rows(3, 500) == rows(3, 500)
    assert rows(3, 500) != rows(4, 500)


def test_rows_of_a_step_are_of_different_records_in_growing_order() -> None:
    for step in islice(Traffic(3, "p1").steps(), 1000):
        assert len({(row.location, row.contact) for row in step}) == len(step)
    latest: dict[tuple[str, str], int] = {}
    late = 0
    for row in rows(3, 3000):
        record = row.location, row.contact
        if row.kind in (RecordKind.TIMED, RecordKind.TIMED_MERGED):
            late += row.n < latest.get(record, 0)
        else:
            assert row.n == latest.get(record, 0) + 1
        latest[record] = max(row.n, latest.get(record, 0))
    assert late > 20
    assert {row.kind for row in rows(3, 3000)} == set(RecordKind)


def test_a_journal_holds_the_accepted_jobs_and_no_line_that_was_cut_off(tmp_path: Path) -> None:
    path = tmp_path / "p1.journal"
    first, second = rows(3, 2)[:2]
    with Journal(path) as written:
        written.acknowledged(first, "job-1", 1.0)
        written.refused(ConnectionError("away"), 2.0)
        written.acknowledged(second, "job-2", 3.0)
        written.acknowledged(second, "job-3", 4.0)
        written.cancelled(second)
        written.unexpected_error(KeyError("x"))
    with path.open("a") as file:
        file.write('{"what": "ack", "uid": "cut o')
    with Journal(path) as goes_on:
        goes_on.refused(ConnectionError("away"), 5.0)
    recorded = journal.read([path, tmp_path / "never-written"])
    assert [(one.uid, one.job_id, one.cancelled) for one in recorded.accepted_jobs] == [
        (first.uid, "job-1", False),
        (second.uid, "job-3", True),
    ]
    assert recorded.refusals == {"ConnectionError": 2}
    assert recorded.unexpected == ("KeyError: 'x'",)
    assert journal.recent(path, 2) == ["job-2", "job-3"]


def test_recovery_is_measured_by_the_deliveries() -> None:
    steady = [number / 10 for number in range(100)]  # ten a second, until 10
    slow = [14 + number / 2 for number in range(4)]  # two a second from 14
    usual = [16 + number / 10 for number in range(100)]
    found = recovery([*steady, *slow, *usual], began_at=10, ended_at=12, until=26)
    assert (found.first, found.before, found.after, found.ratio) == (2.0, 10.0, 10.5, 1.05)
    assert found.full == pytest.approx(5.4, abs=0.2)


def test_what_never_came_back_has_no_recovery() -> None:
    steady = [number / 10 for number in range(100)]
    assert recovery(steady, began_at=10, ended_at=12, until=30) == Recovery(None, None, 10.0, 0.0)
    trickle = [13.0, 15.0, 17.0]
    assert recovery([*steady, *trickle], began_at=10, ended_at=12, until=30).full is None


def test_a_worker_that_ends_says_why() -> None:
    words = (
        '{"event": "x"}\n{"event": "Unrecoverable error: OSError(24, \'Too many open files\')", "level": "critical"}\n'
    )
    assert "Too many open files" in exit_reason(words)
    assert exit_reason("nothing\n") == "no reason logged"
