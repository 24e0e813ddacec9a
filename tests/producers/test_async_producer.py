"""What only the producer for event loops has: tasks that share it, asynchronous iterables, cancelled waits."""

import asyncio
from collections.abc import AsyncIterator, Awaitable, Callable
from typing import Any

import pytest

from lanes.checks.consistency import check_consistency
from lanes.queue.store import LaneStore
from ops.embedded.redis_server import RedisServer
from producers import AsyncOpportunityProducer, EnqueueInterruptedError, EnqueueReport, State
from tests.helpers import until
from tests.producers.conftest import OK, connections, deliver

MANY = 1201
CROWD = 300  # more tasks than any client opens connections
Work = Callable[[AsyncOpportunityProducer], Awaitable[Any]]


def run(redis_url: str, work: Work) -> Any:
    """Run some work with a producer in a loop of its own."""

    async def main() -> Any:
        async with AsyncOpportunityProducer.from_url(redis_url) as producer:
            return await work(producer)

    return asyncio.run(main())


async def rows(most: int) -> AsyncIterator[dict[str, Any]]:
    """Yield rows, letting other tasks run between them; every hundredth is wrong."""
    for number in range(1, most + 1):
        if number % 50 == 0:
            await asyncio.sleep(0)
        yield {**OK, "contactId": f"c {number}" if number % 100 == 0 else f"c{number}"}


@pytest.mark.parametrize("most", [0, 1, 499, 500, 501, 1000, MANY])
def test_an_asynchronous_iterable(redis_url: str, store: LaneStore, most: int) -> None:
    report: EnqueueReport = run(redis_url, lambda producer: producer.enqueue_many(rows(most)))
    wrong = list(range(100, most + 1, 100))
    assert [rejected.row for rejected in report.refused] == wrong
    assert (report.rows, report.last_row, report.accepted) == (most, most, most - len(wrong))
    bodies = [job.body for job in store.jobs(report.job_ids) if job is not None]
    assert [body["contactId"] for body in bodies if body] == [f"c{n}" for n in range(1, most + 1) if n not in wrong]


def test_an_asynchronous_iterable_when_redis_dies_half_way(tmp_path_factory: pytest.TempPathFactory) -> None:
    with RedisServer(tmp_path_factory.mktemp("redis")) as server:

        async def dying() -> AsyncIterator[dict[str, Any]]:
            async for row in rows(MANY):
                yield row
            server.kill()
            async for row in rows(MANY):
                yield row

        with pytest.raises(EnqueueInterruptedError) as caught:
            run(server.url, lambda producer: producer.enqueue_many(dying()))
        report = caught.value.report
        assert 0 < report.last_row == report.rows <= MANY
        server.start()
        job = run(server.url, lambda producer: producer.status(report.job_ids[-1]))
        assert job.body["contactId"] == f"c{report.last_row if report.last_row % 100 else report.last_row - 1}"


def test_tasks_share_a_producer(redis_url: str, store: LaneStore) -> None:
    async def work(producer: AsyncOpportunityProducer) -> list[str]:
        one_by_one = (producer.enqueue({**OK, "contactId": f"c{number}"}) for number in range(CROWD))
        many = (producer.enqueue_many(rows(99)) for _ in range(2))
        receipts, reports = await asyncio.gather(asyncio.gather(*one_by_one), asyncio.gather(*many))
        return [receipt.job_id for receipt in receipts] + [job_id for report in reports for job_id in report.job_ids]

    job_ids = run(redis_url, work)
    assert len(set(job_ids)) == CROWD + 198 == store.counts()["accepted"]
    bodies = [job.body for job in store.jobs(job_ids[:CROWD]) if job is not None]
    assert [body["contactId"] for body in bodies if body] == [f"c{number}" for number in range(CROWD)]
    assert list(check_consistency(store)) == []


def test_a_task_that_waits_lets_another_cancel_the_job(redis_url: str) -> None:
    async def work(producer: AsyncOpportunityProducer) -> None:
        job_id = (await producer.enqueue(OK)).job_id
        waiting = asyncio.create_task(producer.wait(job_id, 60))
        await producer.status(job_id)
        assert not waiting.done()
        assert await producer.cancel(job_id)
        assert (await waiting).state is State.CANCELLED

    run(redis_url, work)


def test_many_tasks_wait_for_their_own_jobs(redis_url: str, store: LaneStore) -> None:
    async def work(producer: AsyncOpportunityProducer) -> None:
        job_ids = (await producer.enqueue_many({**OK, "contactId": f"c{n}"} for n in range(20))).job_ids
        waiting = [asyncio.create_task(producer.wait(job_id, 60)) for job_id in job_ids]
        for job_id in job_ids:
            await asyncio.to_thread(deliver, store, job_id)
        done = await asyncio.gather(*waiting)
        assert [(job.id, job.state) for job in done] == [(job_id, State.DELIVERED) for job_id in job_ids]

    run(redis_url, work)


def test_a_wait_that_is_cancelled_leaves_the_producer_usable(redis_url: str) -> None:
    async def work(producer: AsyncOpportunityProducer) -> None:
        job_id = (await producer.enqueue(OK)).job_id
        for pause in (0, 0.001, 0.01):
            with pytest.raises(TimeoutError):
                await asyncio.wait_for(producer.wait(job_id, 60), pause)
            assert (await producer.status(job_id)).state is State.PENDING
        assert await producer.cancel(job_id)

    run(redis_url, work)


def test_leaving_the_with_block_closes_the_producer(redis_url: str, store: LaneStore) -> None:
    others = connections(store)
    own: set[str] = set()

    async def work(producer: AsyncOpportunityProducer) -> None:
        await producer.enqueue(OK)
        own.update(connections(store) - others)

    run(redis_url, work)
    assert own
    until(lambda: not own & connections(store), "the connection closed")
