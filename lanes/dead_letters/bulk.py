"""Replay and purge of dead letters: what can be done to many, and rehearsed."""

from collections.abc import Callable, Sequence
from dataclasses import dataclass

from lanes.dead_letters import operations
from lanes.queue.dead_letter import ActionResult
from lanes.queue.store import LaneStore

Call = Callable[[LaneStore, Sequence[str]], list[ActionResult]]


@dataclass(frozen=True, slots=True)
class BulkAction:
    """What to do with each: its verb, the lanes' answer when it was done, the call, and the call that only tells."""

    verb: str
    done: str
    call: Call
    dry_run: Call


def replay_action(*, force: bool = False) -> BulkAction:
    """Return what sends letters again."""

    def call(store: LaneStore, job_ids: Sequence[str]) -> list[ActionResult]:
        return operations.replay(store, job_ids, force=force)

    def dry_run(store: LaneStore, job_ids: Sequence[str]) -> list[ActionResult]:
        return operations.replay(store, job_ids, force=force, dry_run=True)

    return BulkAction("replay", "replayed", call, dry_run)


def purge_action(retention: float) -> BulkAction:
    """Return what gives letters up; they can be read for `retention` more seconds, without their bodies."""

    def call(store: LaneStore, job_ids: Sequence[str]) -> list[ActionResult]:
        return operations.purge(store, job_ids, retention)

    def dry_run(store: LaneStore, job_ids: Sequence[str]) -> list[ActionResult]:
        found = store.summarize(job_ids)
        not_dead = [job_id for job_id, dead_letter in zip(job_ids, found, strict=True) if dead_letter is None]
        states = {job.id: job.state.value for job in store.read_jobs(not_dead) if job} if not_dead else {}
        return [
            ActionResult(job_id, states.get(job_id, "unknown") if dead_letter is None else "purged")
            for job_id, dead_letter in zip(job_ids, found, strict=True)
        ]

    return BulkAction("purge", "purged", call, dry_run)


def unconfirmed_warning(count: int) -> str:
    """Return a warning that the API may already have this many dead letters; empty for none."""
    if not count:
        return ""
    if count == 1:
        return "1 of them is unconfirmed: the API may have it already, and a replay sends it once more"
    return f"{count:,} of them are unconfirmed: the API may have them already, and a replay sends them once more"


def why_not(moved: ActionResult) -> str:
    """Say why a letter was not moved."""
    if moved.answer == "superseded":
        return f"superseded by {moved.superseded_by}, which is newer: it would overwrite that"
    if moved.answer == "unknown":
        return "no such job: mistyped, or done so long ago that it was pruned"
    if moved.answer == "changed":
        return "it changed in this moment, and was left alone"
    return f"no dead letter: it is {moved.answer.replace('_', ' ')}"
