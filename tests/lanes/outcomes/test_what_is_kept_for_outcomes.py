"""Nothing that a service must still be told of is removed; a hostile cursor is refused."""

import pytest

from lanes.errors import LanesError
from lanes.outcomes.steps import run_steps
from lanes.outcomes.store import OutcomeStore
from lanes.outcomes.stream import CursorError, OutcomeStream
from tests.lanes.conftest import ClockedStore
from tests.lanes.outcomes.conftest import outcomes_in
from tests.lanes.outcomes.test_ends import ANSWER, report_of
from tests.lanes.scripts.test_merging import upsert
from tests.lanes.whole_state import KEPT, KNOWN, send

MANY = 700


def deliver_many(store: ClockedStore) -> None:
    """Deliver a job with so many merged ones that a worker writes some of their outcomes."""
    jobs = [upsert("a", {"n": 0}), *(upsert(f"m{n}", {"n": n}, merge=True, service="crm") for n in range(MANY))]
    store.enqueue_many(jobs, KNOWN)
    store.deliver(report_of(send(store), ANSWER), retention=KEPT)


@pytest.mark.usefixtures("crm")
def test_a_job_with_outcomes_that_are_not_written_is_not_forgotten(store: ClockedStore) -> None:
    deliver_many(store)
    store.pass_time(3600)
    outcomes = OutcomeStore(store)
    assert store.forget_jobs(["loc"], ["a"], 1) == ([], ["loc"])
    while outcomes.write_outcomes():
        pass
    assert len(outcomes_in(store)) == MANY
    assert store.forget_jobs(["loc"], ["a"], 1) == (["loc"] * (MANY + 1), [])


@pytest.mark.usefixtures("crm")
def test_a_broken_backlog_loses_the_rest_and_stops_nothing(store: ClockedStore) -> None:
    store.client.set(store.key("outcome_backlog"), "no list")
    deliver_many(store)
    outcomes = OutcomeStore(store)
    assert outcomes.write_outcomes() == 0
    assert (len(outcomes_in(store)), outcomes.totals(["crm"]).lost) == (500, MANY - 500)


@pytest.mark.usefixtures("crm")
def test_outcomes_whose_jobs_are_gone_are_counted_as_lost(store: ClockedStore) -> None:
    """No worker ran until the jobs' retention was over."""
    deliver_many(store)
    written = {outcome.job_id for outcome in outcomes_in(store)}
    gone = [f"m{n}" for n in range(MANY) if f"m{n}" not in written][:5]
    store.client.delete(*(store.key("done", job_id) for job_id in gone))
    while OutcomeStore(store).write_outcomes():
        pass
    assert len(outcomes_in(store)) == MANY - 5
    assert store.client.hget(store.key("totals"), "outcomes_lost") == b"5"


LAST = 2**64 - 1


@pytest.mark.usefixtures("crm")
@pytest.mark.parametrize(
    "cursor", [f"{LAST}-{LAST}", f"{LAST + 1}-0", "1", "-", "1-1\n", "(1-1", "\u0663-\u0660", "1-1-1", "9" * 21 + "-0"]
)
def test_a_hostile_cursor_is_no_cursor(store: ClockedStore, cursor: str) -> None:
    with pytest.raises(LanesError) as raised:
        run_steps(store.read, OutcomeStream(store.prefix, "crm").page(cursor, 10))
    assert isinstance(raised.value, CursorError)
