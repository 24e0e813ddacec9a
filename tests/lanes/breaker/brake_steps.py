"""Lanes on the brake, made step by step."""

from collections.abc import Sequence
from dataclasses import replace

from lanes.queue.global_state import AllBrake
from lanes.queue.lane import Brake
from lanes.queue.results import Released
from lanes.queue.transitions import AttemptReport, BreakerPolicy, CountedRefusal, DefaultLimits, RateLimitInfo
from tests.lanes.conftest import ClockedStore, Orders, make_consumer

LIMITS = DefaultLimits(burst=100, window=10, daily=1000)
REFUSAL = CountedRefusal(limit=3, gap=1, max_gap=8, status=403, shape="forbidden")
OUTAGE = BreakerPolicy(failures=50, locations=3, gap=1, max_gap=8)
OTHER_STATUS = replace(REFUSAL, status=404)
OTHER_SHAPE = replace(REFUSAL, shape="unknown")


def enqueue(store: ClockedStore, order: Orders, location: str = "loc", jobs: int = 8) -> None:
    """Put jobs of different records into a lane."""
    for number in range(jobs):
        store.enqueue(order(location, f"{location}{number}"), 60)


def send(store: ClockedStore, worker: str = "w") -> Released:
    """Release the next job, which there must be, to a worker of this name."""
    job = store.release(make_consumer(f"{worker}{store.now}", LIMITS)).next
    assert isinstance(job, Released)
    return job


def send_many(store: ClockedStore, jobs: int) -> list[Released]:
    """Release so many jobs, each to a worker of its own."""
    return [send(store, f"w{number}-") for number in range(jobs)]


def is_idle(store: ClockedStore) -> bool:
    """Whether nothing can be released."""
    return not isinstance(store.release(make_consumer(f"idle{store.now}", LIMITS)).next, Released)


def report(job: Released) -> AttemptReport:
    """The report of an attempt that was answered."""
    return AttemptReport(job.id, job.attempt, '{"status":403}', LIMITS, RateLimitInfo())


def refuse(store: ClockedStore, job: Released, refusal: CountedRefusal | None = REFUSAL) -> str:
    """Report a refusal that counts."""
    return store.bury(report(job), reason="refused", refusal=refusal).code


def deliver(store: ClockedStore, job: Released) -> str:
    """Report a delivery."""
    return store.deliver(report(job), retention=3600).code


def brake_of(store: ClockedStore, location: str = "loc") -> Brake | None:
    """The brake of a lane."""
    return store.read_lanes([location])[0].brake


def close(
    store: ClockedStore, order: Orders, location: str = "loc", refusal: CountedRefusal = REFUSAL
) -> Sequence[Released]:
    """Put a lane, the only one that is due, on the brake; return the two of its requests that are out still."""
    enqueue(store, order, location)
    sent = send_many(store, refusal.limit + 2)
    for job in sent[: refusal.limit]:
        assert refuse(store, job, refusal) == "buried"
    assert brake_of(store, location) is not None
    return sent[refusal.limit :]


def brake_all(store: ClockedStore, order: Orders) -> AllBrake:
    """Put three lanes on the brake, one after the other, for the same."""
    for name in ("a", "b", "c"):
        assert store.global_state().brake is None
        close(store, order, name)
        store.pass_time(0.1)
    brake = store.global_state().brake
    assert brake is not None
    return brake


def probe(store: ClockedStore) -> Released:
    """Wait for the next probe of all lanes and send it."""
    for _ in range(100):
        store.pass_time(1)
        job = store.release(make_consumer(f"p{store.now}", LIMITS)).next
        if isinstance(job, Released):
            return job
    raise AssertionError
