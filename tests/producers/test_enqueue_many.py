"""Many upserts in one call: good ones go in, wrong ones are reported, in any number. Each case on both producers."""

from collections.abc import Iterator
from datetime import UTC, datetime, timedelta
from typing import Any

import pytest

from lanes.queue.store import LaneStore
from lanes.settings import ProducerSettings
from producers import EnqueueReport, InvalidJobError, UpsertOpportunity
from tests.producers.conftest import OK, MakeProducer, Opportunity, Producer

TOMORROW = datetime.now(UTC).replace(microsecond=0) + timedelta(days=1)
MANY = 1201  # more than two batches


def row(number: int, **fields: object) -> dict[str, Any]:
    return {**OK, "contactId": f"c{number}", **fields}


def contacts(store: LaneStore, job_ids: list[str]) -> list[str]:
    jobs = store.jobs(job_ids)
    return [job.body["contactId"] for job in jobs if job is not None and job.body is not None]


def refusals(report: EnqueueReport) -> list[str]:
    return [str(rejected) for rejected in report.refused]


def test_no_rows_are_no_error(producer: Producer) -> None:
    assert producer.enqueue_many([]) == EnqueueReport()
    assert producer.enqueue_many(iter(())).rows == 0


def test_models_and_mappings_side_by_side(producer: Producer, store: LaneStore) -> None:
    model = UpsertOpportunity(pipeline_id="pipe", location_id="loc", contact_id="c2")
    report = producer.enqueue_many([row(1), model, row(3)])
    assert (report.accepted, report.duplicates, report.refused, report.rows, report.last_row) == (3, 0, [], 3, 3)
    assert contacts(store, report.job_ids) == ["c1", "c2", "c3"]


def test_a_generator_of_any_length_is_read_once_and_in_order(producer: Producer, store: LaneStore) -> None:
    report = producer.enqueue_many(row(number) for number in range(1, MANY + 1))
    assert (report.accepted, report.rows, report.last_row, report.refused) == (MANY, MANY, MANY, [])
    assert contacts(store, report.job_ids) == [f"c{number}" for number in range(1, MANY + 1)]
    assert store.counts()["pending"] == MANY


def test_rows_are_enqueued_while_the_iterable_is_still_being_read(producer: Producer, store: LaneStore) -> None:
    seen = []

    def rows() -> Iterator[Opportunity]:
        for number in range(MANY):
            yield row(number)
            seen.append(number)
        seen.append(store.counts()["accepted"])

    producer.enqueue_many(rows())
    assert 0 < seen[-1] < MANY


@pytest.mark.parametrize("number", [1, 2, 499, 500, 501, 502, 1000, 1001, 1200, MANY])
def test_a_wrong_row_is_reported_by_its_number_and_stops_no_other(producer: Producer, number: int) -> None:
    report = producer.enqueue_many(row(n, **({"status": "opened"} if n == number else {})) for n in range(1, MANY + 1))
    known = "'open', 'won', 'lost', 'abandoned' or 'all'"
    assert refusals(report) == [f"row {number}: status: should be {known} (it is 'opened')"]
    assert (report.accepted, report.rows, report.last_row) == (MANY - 1, MANY, MANY)
    assert len(report.job_ids) == MANY - 1


def test_rows_that_are_no_rows_at_all(producer: Producer, store: LaneStore) -> None:
    rows: list[Any] = [None, 7, "contactId", [], {}, row(6), {**row(7), "_options": "k"}, row(8, x=1, name=2)]
    report = producer.enqueue_many(rows)
    assert [(rejected.row, len(rejected.field_errors)) for rejected in report.refused] == [
        *((number, 1) for number in (1, 2, 3, 4)),
        *((5, 3), (7, 1), (8, 2)),
    ]
    assert (report.accepted, report.rows, report.last_row) == (1, 8, 8)
    assert contacts(store, report.job_ids) == ["c6"]


def test_wrong_rows_alone(producer: Producer, store: LaneStore) -> None:
    rows: list[Any] = [{}] * MANY
    report = producer.enqueue_many(rows)
    assert [rejected.row for rejected in report.refused] == list(range(1, MANY + 1))
    assert (report.accepted, report.job_ids, report.rows, report.last_row) == (0, [], MANY, MANY)
    assert store.counts()["accepted"] == 0


def test_a_key_that_is_known_is_a_duplicate_and_with_another_body_a_refusal(
    producer: Producer, store: LaneStore
) -> None:
    before = producer.enqueue(row(1), idempotency_key="k1")
    keyed = [{**row(number), "_options": {"idempotency_key": f"k{key}"}} for number, key in ((1, 1), (2, 2), (2, 2))]
    wrong = {**row(3), "_options": {"idempotency_key": "k1"}}
    report = producer.enqueue_many([*keyed, wrong, row(5), {}])
    assert (report.accepted, report.duplicates, report.rows, report.last_row) == (2, 2, 6, 6)
    first, second, third, fourth = report.job_ids
    assert first == before.job_id
    assert second == third
    assert contacts(store, [second, fourth]) == ["c2", "c5"]
    conflict, empty = report.refused
    assert (conflict.row, empty.row) == (4, 6)
    assert [problem.field for problem in conflict.field_errors] == ["_options.idempotency_key"]
    assert before.job_id in str(conflict)
    assert store.counts()["accepted"] == 3


def test_the_same_rows_again_are_the_same_jobs(producer: Producer, store: LaneStore) -> None:
    rows = [{**row(number), "_options": {"idempotency_key": f"k{number}"}} for number in range(MANY)]
    first, second = producer.enqueue_many(rows), producer.enqueue_many(iter(rows))
    assert (first.accepted, second.accepted, second.duplicates) == (MANY, 0, MANY)
    assert first.job_ids == second.job_ids
    assert store.counts()["accepted"] == MANY


def test_options_for_all_rows_and_those_of_a_row(redis_url: str, make_producer: MakeProducer, store: LaneStore) -> None:
    producer = make_producer(ProducerSettings(redis_url=redis_url, service="settings"))
    own = {**row(2), "_options": {"service": "own"}}
    report = producer.enqueue_many([row(1), own], service="all", not_before=TOMORROW)
    jobs = [job for job in store.jobs(report.job_ids) if job is not None]
    assert [job.service for job in jobs] == ["all", "own"]
    assert {job.not_before for job in jobs} == {TOMORROW.timestamp()}
    (job_id,) = producer.enqueue_many([row(3)]).job_ids
    assert producer.status(job_id).service == "settings"


@pytest.mark.parametrize(
    ("options", "field"), [({"servic": "x"}, "servic"), ({"expires_at": "2100-01-01T00:00:00"}, "expires_at")]
)
def test_a_wrong_option_for_all_rows_is_reported_before_any_is_read(
    producer: Producer, store: LaneStore, options: dict[str, str], field: str
) -> None:
    rows = iter([row(1)])
    with pytest.raises(InvalidJobError) as caught:
        producer.enqueue_many(rows, **options)
    assert [problem.field for problem in caught.value.field_errors] == [field]
    assert list(rows) == [row(1)]
    assert store.counts()["accepted"] == 0
