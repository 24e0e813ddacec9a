"""What a report with the next release asks of Redis, by Redis' own count of commands."""

import pytest

from lanes.errors import ScriptError
from lanes.queue.results import Idle, Released
from lanes.queue.transitions import AttemptReport, DefaultLimits
from tests.lanes.conftest import ClockedStore, Orders, make_consumer
from tests.lanes.whole_state import KEPT, send, whole_state

LIMITS = DefaultLimits(burst=100, window=10, daily=1000)


def deliver_and_release(store: ClockedStore, job: Released) -> Released | Idle | None:
    report = AttemptReport(job.id, job.attempt, "{}", LIMITS)
    return store.deliver(report, retention=KEPT, release_for=make_consumer(limits=LIMITS)).next


@pytest.mark.parametrize(("locations", "lanes"), [(("loc", "loc"), 1), (("loc", "other"), 2)])
def test_a_delivery_reads_and_writes_each_lane_once(
    store: ClockedStore, order: Orders, locations: tuple[str, str], lanes: int
) -> None:
    for record, location in enumerate(2 * locations):
        store.enqueue(order(location, f"r{record}"), 60)
    released = store.release(make_consumer(limits=LIMITS)).next
    assert isinstance(released, Released)
    released = deliver_and_release(store, released)
    assert isinstance(released, Released)
    store.client.script_load(store.script("deliver").text)
    store.client.config_resetstat()
    assert isinstance(deliver_and_release(store, released), Released)
    stats = store.client.info("commandstats")
    calls = {name.removeprefix("cmdstat_"): each["calls"] for name, each in stats.items()}
    assert calls["hmget"] == 2  # what stops all lanes, and the released job
    assert lanes == 2 or calls["hgetall"] == 2  # the reported job, and its lane
    # The delivery takes one from `in_flight`, and the release gives it back.
    assert calls["hincrby"] == 2
    assert not {"getdel", "zremrangebyscore", "zrangebyscore"} & calls.keys()
    assert sum(calls.values()) <= 36


def test_a_release_that_fails_leaves_the_counts_of_the_report_right(store: ClockedStore, order: Orders) -> None:
    store.enqueue(order(), 60)
    job = send(store)
    store.client.set(store.key("due"), "broken")
    with pytest.raises(ScriptError, match="WRONGTYPE"):
        deliver_and_release(store, job)
    store.client.delete(store.key("due"))
    whole_state(store)  # compares the counts of all lanes with those of each
    assert store.counts()["delivered"] == 1
