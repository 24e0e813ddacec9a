"""Streams are bounded: what is too old or too much is removed, and what a group had not read is told."""

import json
from typing import Any

import pytest

from lanes.outcomes.steps import run_steps
from lanes.outcomes.store import OutcomeStore
from lanes.outcomes.stream import GroupReader, OutcomeStream
from lanes.services.service import Service
from lanes.services.store import ServiceStore
from tests.lanes.conftest import ClockedStore
from tests.lanes.outcomes.conftest import outcomes_in
from tests.lanes.outcomes.test_ends import enqueue

LONG = 10.0**8


@pytest.fixture
def outcomes(store: ClockedStore, crm: ServiceStore) -> OutcomeStore:
    """Nine cancelled jobs."""
    assert crm.get("crm")
    for number in range(9):
        end(store, f"j{number}")
    return OutcomeStore(store)


def end(store: ClockedStore, job_id: str, service: str = "crm") -> None:
    """A job ends."""
    enqueue(store, job_id, service=service)
    store.cancel(job_id, 60)


def read(store: ClockedStore, group: str, count: int, *, ack: bool = True) -> None:
    """A group reads some outcomes."""
    client: Any = store.client
    key = store.key("outcomes", "crm")
    if not any(each["name"] == group.encode() for each in client.xinfo_groups(key)):
        client.xgroup_create(key, group, id="0")
    found = client.xreadgroup(group, "c", {key: ">"}, count=count)[0][1] if count else []
    if ack and found:
        client.xack(key, group, *(entry_id for entry_id, _ in found))


def notices(store: ClockedStore) -> list[dict[str, Any]]:
    """Return the facts of the notifications about outcomes."""
    client: Any = store.client
    found = [json.loads(each) for each in client.zrange(store.key("notifications"), 0, -1)]
    return [{name: fact for name, fact in each.items() if name != "id"} for each in found]


def test_the_oldest_beyond_the_length_are_removed(store: ClockedStore, outcomes: OutcomeStore) -> None:
    assert outcomes.trim_outcomes(LONG, 4) is False
    assert [outcome.job_id for outcome in outcomes_in(store)] == ["j5", "j6", "j7", "j8"]
    assert notices(store) == []
    assert outcomes.trim_outcomes(LONG, 4) is False
    assert len(outcomes_in(store)) == 4


def test_those_that_are_too_old_are_removed(store: ClockedStore, outcomes: OutcomeStore) -> None:
    """Entries are numbered by the clock of Redis, and the clock of the test is ahead of it."""
    client: Any = store.client
    ids = [int(entry_id.split(b"-")[0]) for entry_id, _ in client.xrange(store.key("outcomes", "crm"))]
    outcomes.trim_outcomes(store.now - ids[0] / 1000 + 60, 100)
    assert len(outcomes_in(store)) == 9
    outcomes.trim_outcomes(store.now - ids[-1] / 1000 - 1, 100)
    assert outcomes_in(store) == []


def test_many_are_removed_step_by_step(store: ClockedStore, outcomes: OutcomeStore) -> None:
    for number in range(9, 450):
        end(store, f"j{number}")
    assert [outcomes.trim_outcomes(LONG, 0) for _ in range(3)] == [True, True, False]
    assert outcomes_in(store) == []


def test_what_a_group_had_not_read_is_told(store: ClockedStore, outcomes: OutcomeStore) -> None:
    read(store, "fast", 9)
    read(store, "slow", 2)
    read(store, "stuck", 4, ack=False)
    outcomes.trim_outcomes(LONG, 3)
    expected = {"event": "outcomes_unread", "service": "crm", "groups": "slow stuck", "outcomes": 4 + 6}
    assert notices(store) == [expected]
    assert outcomes.summary("crm").lost_unread == 10
    unacknowledged = {group.name: group.unacknowledged for group in outcomes.summary("crm").groups}
    assert unacknowledged == {"fast": 0, "slow": 0, "stuck": 0}


def test_notices_come_once_an_hour(store: ClockedStore, outcomes: OutcomeStore) -> None:
    read(store, "slow", 0)
    for length in (8, 7, 6):
        outcomes.trim_outcomes(LONG, length)
    assert [notice["outcomes"] for notice in notices(store)] == [1]
    store.pass_time(3600)
    outcomes.trim_outcomes(LONG, 6)
    assert [notice["outcomes"] for notice in notices(store)] == [1, 2]


@pytest.mark.parametrize("kind", ["string", "entry"])
def test_a_broken_stream_stops_no_other(store: ClockedStore, crm: ServiceStore, kind: str) -> None:
    crm.add(Service("web"))
    for service in ("crm", "web"):
        end(store, f"of-{service}", service=service)
    client: Any = store.client
    if kind == "string":
        client.delete(store.key("outcomes", "crm"))
        client.set(store.key("outcomes", "crm"), "text")
    else:
        client.xadd(store.key("outcomes", "crm"), {"some": "thing"})
    outcomes = OutcomeStore(store)
    outcomes.trim_outcomes(LONG, 0)
    assert outcomes_in(store, "web") == []
    assert outcomes.summary("crm").entries == 0


def test_a_summary_tells_how_far_each_group_is(store: ClockedStore, outcomes: OutcomeStore) -> None:
    read(store, "fast", 9)
    read(store, "slow", 2, ack=False)
    summary = outcomes.summary("crm")
    fast, slow = summary.groups
    assert (summary.entries, fast.name, fast.unacknowledged, slow.unacknowledged) == (9, "fast", 0, 2)
    assert fast.behind_seconds == 0
    assert summary.oldest_seconds is not None
    assert 0 < slow.behind_seconds <= summary.oldest_seconds
    assert (fast.unread, slow.unread) in ((0, 7), (None, None))
    assert OutcomeStore(store).summary("nobody").entries == 0


def test_a_cursor_that_was_trimmed_away_is_told(store: ClockedStore, outcomes: OutcomeStore) -> None:
    stream = OutcomeStream(store.prefix, "crm")
    first = run_steps(store.read, stream.page(None, 2))
    assert ([outcome.job_id for outcome in first.outcomes], first.trimmed) == (["j0", "j1"], False)
    outcomes.trim_outcomes(LONG, 7)
    assert run_steps(store.read, stream.page(first.cursor, 9)).trimmed is False  # it had read all of them
    outcomes.trim_outcomes(LONG, 4)
    page = run_steps(store.read, stream.page(first.cursor, 9))
    assert ([outcome.job_id for outcome in page.outcomes], page.trimmed) == (["j5", "j6", "j7", "j8"], True)
    assert run_steps(store.read, stream.page(page.cursor, 9)).trimmed is False
    assert run_steps(store.read, stream.page(None, 9)).trimmed is False


@pytest.mark.usefixtures("outcomes")
def test_an_entry_that_cannot_be_read_is_passed_over(store: ClockedStore) -> None:
    client: Any = store.client
    for fields in ({"x": "y"}, {"jobs": b"\xff 1", "end": "x"}, {"jobs": b"\xff 1 a", "end": "1", "state": "dead"}):
        client.xadd(store.key("outcomes", "crm"), fields)
    reader = GroupReader(OutcomeStream(store.prefix, "crm"), "group", 60)
    entries = run_steps(store.read, reader.read(0.01))
    assert [len(entry.outcomes) for entry in entries] == [1] * 10
    assert entries[-1].outcomes[0].job_id == "\udcff"
    assert client.xpending(store.key("outcomes", "crm"), "group")["pending"] == 10
