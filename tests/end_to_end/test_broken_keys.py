"""A key that holds what it should not stops its own lane or job, and no other; a repair lets them go on."""

from collections.abc import Callable

from lanes.checks.consistency import check_consistency
from lanes.checks.repair import RepairDefaults, Repairer
from lanes.queue.store import LaneStore
from ops.command.check import read_body
from ops.embedded.stack import Stack
from tests.end_to_end.conftest import all_done, producer_of, store_of
from tests.helpers import row, until


def break_keys(store: LaneStore, jobs: dict[str, list[str]]) -> None:
    """Break a key of some lanes and jobs, and let these go before all others."""
    client = store.client
    client.rpush(store.key("day", "day"), "x")
    client.delete(store.key("lane", "lane"))
    client.set(store.key("lane", "lane"), "x")
    client.hset(store.key("lane", "gap"), mapping={"released": "nan", "seq": "x"})
    for location, key in (("job", "job"), ("body", "body")):
        client.delete(store.key(key, jobs[location][0]))
        client.sadd(store.key(key, jobs[location][0]), "x")
    client.hset(store.key("job", jobs["late"][0]), "expires_at", "x")
    client.zadd(store.key("expiring"), {jobs["late"][0]: 1, jobs["job"][0]: 1})
    client.zadd(store.key("leases"), {jobs["job"][0]: 1})
    for location in jobs:
        client.zadd(store.key("due"), {location: 1})


def repaired(stack: Stack, store: LaneStore) -> bool:
    """Repair all that can be repaired, while the worker works; return whether all jobs are done."""
    settings = stack.load_settings()
    repairer = Repairer(store, RepairDefaults(60, 10, 3600), lambda job_id, body: read_body(settings, job_id, body))
    for _ in range(6):
        for finding in [finding for finding in check_consistency(store) if finding.repair]:
            repairer.repair(finding)
    return all_done(store)


def test_broken_keys_stop_their_own_lanes_and_jobs_only(make_stack: Callable[..., Stack]) -> None:
    stack = make_stack()
    store, producer = store_of(stack), producer_of(stack)

    def enqueue(location: str, jobs: int) -> list[str]:
        return [producer.enqueue(row(location, f"contact-{number}")).job_id for number in range(jobs)]

    broken = {location: enqueue(location, 2) for location in ("lane", "day", "gap", "job", "body", "late")}
    whole = [job_id for number in range(4) for job_id in enqueue(f"whole-{number}", 3)]
    break_keys(store, broken)
    stack.start_worker("one", "--pool", "threads", "--concurrency", "3")
    whole += [broken["job"][1], broken["body"][1], *broken["late"]]
    until(lambda: all(job and job.state == "delivered" for job in store.read_jobs(whole)), "all others delivered")
    named = ["lanes:lane:lane is a string, not a hash", "lanes:day:day is a list, not a hash"]
    named += [
        f"lanes:job:{broken['job'][0]} is a set, not a hash",
        f"lanes:body:{broken['body'][0]} is a set, not a string",
        "lanes:lane:gap released is no number",
    ]
    log = stack.folder / "one.log"
    until(lambda: all(text in log.read_text() for text in named), "the log names each broken key")
    assert "redis_unavailable" not in log.read_text()
    until(lambda: repaired(stack, store), "the rest delivered")
    assert store.purge(broken["body"][0], 60) == "purged"  # nothing can be sent without its body
    assert [finding for finding in check_consistency(store) if finding.severity == "error"] == []
