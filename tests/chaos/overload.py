"""Producers enqueue ten times what may be sent, until Redis has no memory left; it recovers without help."""

import time
from dataclasses import dataclass

from lanes.checks.consistency import check_consistency
from lanes.queue.job import State
from lanes.queue.store import LaneStore
from tests.chaos import journal
from tests.chaos.environment import Environment
from tests.chaos.fault import wait
from tests.chaos.journal import JournalContents
from tests.chaos.traffic import RecordKind

FREE_BYTES = 3 << 19
OVERLOAD_FACTOR = 10
REFUSALS = 15  # so many are enough to see that Redis stays full
DRAINED_SECONDS = 180.0


@dataclass(frozen=True, slots=True)
class Overload:
    """The result: accepted jobs, errors that producers got, and violations."""

    accepted: int
    refusals: dict[str, int]
    delivered_while_full: int
    wrong: tuple[str, ...]


def overload(environment: Environment) -> Overload:
    """Let Redis fill up, see that deliveries go on and that it takes jobs again, and let it run dry.

    `environment` must bring far more than its limits let out.
    """
    with environment.client as client:
        store = LaneStore(client)
        client.config_set("maxmemory", client.info("memory")["used_memory"] + FREE_BYTES)

        def refused() -> int:
            return sum(journal.read(environment.journals).refusals.values())

        wait(lambda: refused() >= REFUSALS, "producers to be refused", DRAINED_SECONDS)
        full_at, before = time.monotonic(), store.counts()
        wait(lambda: refused() >= 2 * REFUSALS, "Redis to stay full", DRAINED_SECONDS)
        wait(
            lambda: store.counts()["accepted"] > before["accepted"] + 20, "jobs taken again by itself", DRAINED_SECONDS
        )
        delivered = store.counts()["delivered"] - before["delivered"]
        environment.stop_producers(DRAINED_SECONDS)
        wait(lambda: not _left(store), "every job to be done", DRAINED_SECONDS)
        recorded, counts = journal.read(environment.journals), store.counts()
        findings = [f"lanes check: {line}" for line in check_consistency(store)]
    applied = {seen["body"].get("name") for seen in environment.control.requests() if seen["applied"] is not None}
    wrong = [*findings, *environment.unexpected_exits(), *recorded.unexpected, *unaccounted(recorded, counts, applied)]
    if not any(accepted_job.acked_at > full_at for accepted_job in recorded.accepted_jobs):
        wrong.append("stuck: nothing was accepted once it had been full")
    return Overload(len(recorded.accepted_jobs), recorded.refusals, delivered, tuple(wrong))


def _left(store: LaneStore) -> int:
    counts = store.counts()
    return counts["pending"] + counts["in_flight"]


def unaccounted(recorded: JournalContents, counts: dict[str, int], applied: set[str]) -> list[str]:
    """Return what is wrong by the counts and the sandbox; the jobs themselves have expired by then, to free memory."""
    wrong = []
    if counts["accepted"] != len(recorded.accepted_jobs):
        wrong.append(f"miscounted: {counts['accepted']} accepted, but {len(recorded.accepted_jobs)} were acknowledged")
    if counts["accepted"] != sum(counts[state] for state in State):
        wrong.append(f"miscounted: {counts}")
    return wrong + [
        f"not sent: {accepted_job.uid}"
        for accepted_job in recorded.accepted_jobs
        if accepted_job.kind is RecordKind.PLAIN and accepted_job.uid not in applied
    ]
