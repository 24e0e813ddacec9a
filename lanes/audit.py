"""The audit of a live Redis: is each job in exactly one place, and do the counts add up? In bounded steps."""

from collections.abc import Iterator

from lanes.job import State
from lanes.redis_errors import own_errors
from lanes.store import LaneStore

STEP = 200


def audit(store: LaneStore) -> Iterator[str]:
    """Go through every job and yield one line for each thing that is wrong; yields nothing on a sound Redis.

    Each job is looked at atomically, so that a busy system does not look broken.
    """
    with own_errors():
        yield from audit_counts(store)
        for ids in _job_ids(store):
            yield from store.audit_jobs(ids)
        for name in ("leases", "dead", "expiring"):
            yield from _audit_index(store, name)


def audit_counts(store: LaneStore) -> Iterator[str]:
    """Yield what is wrong with the counts: those of the states must add up to what was accepted."""
    counts = store.counts()
    total = sum(counts[state.value] for state in State)
    if total != counts["accepted"]:
        yield f"counts: {counts['accepted']} accepted, but the states add up to {total}"
    yield from (f"counts: {state} is negative ({counts[state]})" for state in State if counts[state] < 0)


def _job_ids(store: LaneStore) -> Iterator[list[str]]:
    start = len(store.key("job", ""))
    batch: list[str] = []
    for key in store.client.scan_iter(match=store.key("job", "*"), count=STEP):
        batch.append(key[start:].decode())
        if len(batch) >= STEP:
            yield batch
            batch = []
    if batch:
        yield batch


def _audit_index(store: LaneStore, name: str) -> Iterator[str]:
    for member, _ in store.client.zscan_iter(store.key(name), count=STEP):
        job_id = member.decode()
        gone = not store.client.exists(store.key("job", job_id))
        if gone and store.client.zscore(store.key(name), job_id) is not None:
            yield f"{name}: {job_id} is listed, but there is no such job"
