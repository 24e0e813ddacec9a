"""Producers that bring ten times what may be sent, until Redis has no memory for more; and it goes on by itself."""

import time
from dataclasses import dataclass

from lanes.audit import audit
from lanes.job import State
from lanes.store import LaneStore
from tests.chaos import journal
from tests.chaos.fault import wait
from tests.chaos.journal import Told
from tests.chaos.scene import Scene
from tests.chaos.traffic import Kind

ROOM_BYTES = 3 << 19
TIMES = 10
REFUSALS = 15  # so many are enough to see that Redis stays full
DRAINED_SECONDS = 180.0


@dataclass(frozen=True, slots=True)
class Overload:
    """What came of it: jobs promised, refusals told to producers, and what must not be."""

    promised: int
    refusals: dict[str, int]
    delivered_while_full: int
    wrong: tuple[str, ...]


def overload(scene: Scene) -> Overload:
    """Let Redis fill up, see that deliveries go on and that it takes jobs again, and let it run dry.

    `scene` must bring far more than its limits let out.
    """
    with scene.client as client:
        store = LaneStore(client)
        client.config_set("maxmemory", client.info("memory")["used_memory"] + ROOM_BYTES)

        def refused() -> int:
            return sum(journal.read(scene.journals).refusals.values())

        wait(lambda: refused() >= REFUSALS, "producers to be refused", DRAINED_SECONDS)
        full_at, before = time.monotonic(), store.counts()
        wait(lambda: refused() >= 2 * REFUSALS, "Redis to stay full", DRAINED_SECONDS)
        wait(
            lambda: store.counts()["accepted"] > before["accepted"] + 20, "jobs taken again by itself", DRAINED_SECONDS
        )
        delivered = store.counts()["delivered"] - before["delivered"]
        scene.stop_producers(DRAINED_SECONDS)
        wait(lambda: not _left(store), "every job to be done", DRAINED_SECONDS)
        told, counts = journal.read(scene.journals), store.counts()
        findings = [f"lanes check: {line}" for line in audit(store)]
    applied = {seen["body"].get("name") for seen in scene.control.requests() if seen["applied"] is not None}
    wrong = [*findings, *told.surprises, *unaccounted(told, counts, applied)]
    if not any(promise.acked_at > full_at for promise in told.promises):
        wrong.append("stuck: nothing was accepted once it had been full")
    if scene.deaths:
        wrong.append(f"died: {scene.deaths} workers")
    return Overload(len(told.promises), told.refusals, delivered, tuple(wrong))


def _left(store: LaneStore) -> int:
    counts = store.counts()
    return counts["pending"] + counts["in_flight"]


def unaccounted(told: Told, counts: dict[str, int], applied: set[str]) -> list[str]:
    """Return what is wrong by the counts and the sandbox; the jobs themselves are forgotten by then, to make room."""
    wrong = []
    if counts["accepted"] != len(told.promises):
        wrong.append(f"miscounted: {counts['accepted']} accepted, but {len(told.promises)} were promised")
    if counts["accepted"] != sum(counts[state] for state in State):
        wrong.append(f"miscounted: {counts}")
    return wrong + [
        f"not sent: {promise.uid}"
        for promise in told.promises
        if promise.kind is Kind.PLAIN and promise.uid not in applied
    ]
