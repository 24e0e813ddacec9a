"""Redis that goes and comes back, many times, leaves nothing open in a worker."""

from collections.abc import Callable

from ops.embedded.stack import Stack
from tests.chaos.samples import descriptors, process_group
from tests.end_to_end.conftest import producer_of, store_of
from tests.helpers import row, until

WARM, MORE = 1, 5


def test_many_redis_outages_leak_no_descriptors(make_stack: Callable[..., Stack]) -> None:
    stack = make_stack()
    producer, client = producer_of(stack), store_of(stack).client
    worker = stack.start_worker("one", "--concurrency", "2")

    def listening() -> int:
        """Return how many connections wait for messages: those of the consumer, and of the dispatcher."""
        return sum(one["cmd"] in ("brpop", "psubscribe", "subscribe") for one in client.client_list())

    until(lambda: listening() >= 4, "the worker to listen")
    usual = listening()

    def away_and_back(number: int) -> None:
        stack.redis.stop()
        stack.redis.start()
        until(lambda: listening() >= usual, "the worker to listen again")
        assert producer.wait(producer.enqueue(row("loc", f"contact-{number}")).job_id, 60).state == "delivered"

    for number in range(WARM):
        away_and_back(number)
    before = descriptors(process_group(worker.pid))
    for number in range(MORE):
        away_and_back(WARM + number)
    until(lambda: descriptors(process_group(worker.pid)) <= before + MORE // 2, "no more descriptors than before")
