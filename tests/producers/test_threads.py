"""What only the producer for threads has: threads that share it, progress, and rows that bring their own numbers."""

import io
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from threading import Barrier

import pytest

from lanes.checks.consistency import check_consistency
from lanes.queue.store import LaneStore
from producers import OpportunityProducer, Receipt
from producers.files.rows import read_rows
from tests.producers.conftest import OK

THREADS = 8
EACH = 40
CROWD = 200  # more threads than a client opens connections by default


@pytest.fixture
def shared(redis_url: str) -> Iterator[OpportunityProducer]:
    """A producer that threads share."""
    with OpportunityProducer.from_url(redis_url) as producer:
        yield producer


def test_threads_that_share_a_producer_enqueue_exactly_what_they_say(
    shared: OpportunityProducer, store: LaneStore
) -> None:
    begin = Barrier(THREADS)

    def work(thread: int) -> list[Receipt]:
        begin.wait()
        one_by_one = [shared.enqueue({**OK, "contactId": f"t{thread}-{number}"}) for number in range(EACH)]
        report = shared.enqueue_many({**OK, "contactId": f"t{thread}-many-{number}"} for number in range(EACH))
        return one_by_one + [Receipt(job_id, "loc") for job_id in report.job_ids]

    with ThreadPoolExecutor(THREADS) as pool:
        receipts = [receipt for found in pool.map(work, range(THREADS)) for receipt in found]
    total = THREADS * EACH * 2
    jobs = store.jobs([receipt.job_id for receipt in receipts])
    names = [job.body["contactId"] for job in jobs if job is not None and job.body is not None]
    expected = [
        f"t{thread}-{kind}{number}" for thread in range(THREADS) for kind in ("", "many-") for number in range(EACH)
    ]
    assert names == expected
    assert store.counts()["accepted"] == total == len({receipt.job_id for receipt in receipts})
    assert list(check_consistency(store)) == []


def test_of_many_threads_with_one_key_one_makes_the_job(shared: OpportunityProducer, store: LaneStore) -> None:
    begin = Barrier(CROWD)

    def work(_: int) -> Receipt:
        begin.wait()
        return shared.enqueue(OK, idempotency_key="k")

    with ThreadPoolExecutor(CROWD) as pool:
        receipts = list(pool.map(work, range(CROWD)))
    assert len({receipt.job_id for receipt in receipts}) == 1
    assert sorted(receipt.duplicate for receipt in receipts) == [False] + [True] * (CROWD - 1)
    assert store.counts()["accepted"] == 1


def test_progress_is_reported_after_each_round_trip(shared: OpportunityProducer, store: LaneStore) -> None:
    seen: list[tuple[int, int]] = []
    rows = ({**OK, "contactId": f"c{number}"} for number in range(1201))
    report = shared.enqueue_many(
        rows, progress=lambda so_far: seen.append((so_far.last_row, store.counts()["accepted"]))
    )
    assert len(seen) > 1
    assert seen == sorted(seen)
    assert all(last_row == accepted for last_row, accepted in seen)
    assert seen[-1] == (report.last_row, report.accepted) == (1201, 1201)


def test_rows_of_a_file_keep_the_numbers_of_their_lines(shared: OpportunityProducer, store: LaneStore) -> None:
    table = 'pipelineId,locationId,contactId,name\n\np,l,c1,"two\nlines"\np,l,c 2,\nbroken\np,l,c3,\n'
    report = shared.enqueue_rows(read_rows(io.BytesIO(table.encode()), "csv"), service="import")
    assert [rejected.row for rejected in report.refused] == [5, 6]
    assert (report.accepted, report.rows, report.last_row) == (2, 4, 7)
    jobs = [job for job in store.jobs(report.job_ids) if job is not None]
    assert [job.body and job.body.get("name") for job in jobs] == ["two\nlines", None]
    assert {job.service for job in jobs} == {"import"}
