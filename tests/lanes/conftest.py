"""A store whose clock the test sets."""

from collections.abc import Iterator
from dataclasses import dataclass

import pytest

from lanes.queue.connecting import connect
from lanes.queue.new_job import NewJob
from lanes.queue.store import LaneStore
from lanes.queue.transitions import Consumer, DefaultLimits
from lanes.storage.stored import MICROSECONDS

START = 1_800_000_000
BURST = 2
LIMITS = DefaultLimits(burst=BURST, window=10, daily=1000)


class ClockedStore(LaneStore):
    """A store in virtual time: `now` in seconds, moved by `pass_time`."""

    def __init__(self, url: str) -> None:
        super().__init__(connect(url), "test:", test_clock=True)
        self.now = float(START)
        self.pass_time(0)

    def time(self) -> float:
        """Return the time of the test."""
        return self.now

    def pass_time(self, seconds: float) -> None:
        """Move the clock on."""
        self.now += seconds
        self.client.set("test:test-clock", round(self.now * MICROSECONDS))


@dataclass
class Orders:
    """Makes orders with short ids."""

    made: int = 0

    def __call__(self, location: str = "loc", record: str = "pipe/contact", **options: object) -> NewJob:
        self.made += 1
        return NewJob(f"job{self.made}", location, record, b'{"n":%d}' % self.made, **options)  # type: ignore[arg-type]


@pytest.fixture
def store(redis_url: str) -> Iterator[ClockedStore]:
    """An empty store at a time of its own."""
    store = ClockedStore(redis_url)
    yield store
    store.close()


@pytest.fixture
def order() -> Orders:
    """Makes orders."""
    return Orders()


def make_consumer(name: str = "w1", limits: DefaultLimits = LIMITS) -> Consumer:
    """A worker as a consumer."""
    return Consumer(name, lease=30, retention=3600, limits=limits)
