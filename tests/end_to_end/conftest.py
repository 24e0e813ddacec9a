"""End to end: a real Redis, real workers, and the sandbox, which counts requests."""

from collections.abc import Callable, Iterator
from contextlib import ExitStack
from pathlib import Path

import pytest

from lanes.queue.connecting import connect
from lanes.queue.store import LaneStore
from ops.embedded.stack import Stack
from producers import OpportunityProducer

DEADLINE_SECONDS = 120.0

# The clients of the running test: closed with it, not by the garbage collector.
clients = ExitStack()


@pytest.fixture
def make_stack(tmp_path: Path) -> Iterator[Callable[..., Stack]]:
    """Start Redis and a sandbox with these `LANES_` settings; everything ends with the test."""
    stacks: list[Stack] = []

    def make(*sandbox_options: str, **settings: object) -> Stack:
        texts = {f"LANES_{name.upper()}": str(value) for name, value in settings.items()}
        stack = Stack(tmp_path / f"stack-{len(stacks)}", texts)
        stacks.append(stack)
        stack.start_redis()
        stack.start_sandbox(*sandbox_options)
        return stack

    yield make
    clients.close()
    for stack in stacks:
        stack.stop()


def store_of(stack: Stack) -> LaneStore:
    return LaneStore(clients.enter_context(connect(stack.redis.url)))


def producer_of(stack: Stack) -> OpportunityProducer:
    return clients.enter_context(OpportunityProducer.from_settings(stack.load_settings()))


def all_done(store: LaneStore) -> bool:
    counts = store.counts()
    return counts["pending"] == 0 and counts["in_flight"] == 0
