"""Reports of every outcome, and the changes that they have in common."""

from collections.abc import Callable

from lanes.queue.results import Released, Result
from lanes.queue.transitions import AttemptReport
from tests.lanes.conftest import START, ClockedStore, Orders
from tests.lanes.whole_state import (
    KEPT,
    KNOWN,
    send,
)

RECORD = "pipe/contact"
OUTCOMES: dict[str, Callable[[ClockedStore, AttemptReport], Result]] = {
    "deliver": lambda store, about: store.deliver(about, retention=KEPT),
    "retry": lambda store, about: store.retry(about, delay=9),
    "throttle": lambda store, about: store.throttle(about, wait=4),
    "bury": lambda store, about: store.bury(about, reason="refused", hold="no access"),
}

WRITTEN = {"deliver": "delivered", "retry": "retry", "throttle": "throttled", "bury": "refused"}


def ends(outcome: str, state: str) -> dict[str, str]:
    """What every outcome of a job in flight changes, two seconds after its release."""
    return {
        "attempts:job1": f'1 {outcome} t+0 t+2 {{"status":200}}',
        "job:job1.state": f"in_flight -> {state}",
        "leases.job1": "t+60 -> gone",
        "rate_slots:loc.job1:1": "t+70 -> t+12",
        "lane:loc.in_flight": "1 -> 0",
    }


def advances(to: str | None = None) -> dict[str, str]:
    """The changes of a record when its active job is finished."""
    if to is None:
        return {f"active:loc.{RECORD}": "job1 -> gone"}
    return {f"active:loc.{RECORD}": f"job1 -> {to}", f"blocked:loc:{RECORD}": f"{to} -> gone"}


def in_flight(store: ClockedStore, order: Orders) -> Released:
    """A job that went out two seconds ago."""
    store.enqueue(order(expires_at=START + 100), KNOWN)
    job = send(store)
    store.pass_time(2)
    return job
