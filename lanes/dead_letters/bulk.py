"""Bulk actions on dead letters, each with a dry run."""

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from functools import partial

from lanes.dead_letters import operations
from lanes.queue.dead_letter import ActionResult
from lanes.queue.store import LaneStore

Call = Callable[[LaneStore, Sequence[str]], list[ActionResult]]


@dataclass(frozen=True, slots=True)
class BulkAction:
    """An action: its verb, the answer for each job that it was applied to, the call and the dry run."""

    verb: str
    done: str
    call: Call
    dry_run: Call


def replay_action(*, force: bool = False) -> BulkAction:
    """Return the action that sends dead letters again."""
    call = partial(operations.replay, force=force)
    return BulkAction("replay", "replayed", call, partial(call, dry_run=True))


def purge_action(retention: float) -> BulkAction:
    """Return the action that gives dead letters up; they can be read for `retention` more seconds, without bodies."""

    def dry_run(store: LaneStore, job_ids: Sequence[str]) -> list[ActionResult]:
        found = store.summarize(job_ids)
        not_dead = [job_id for job_id, dead_letter in zip(job_ids, found, strict=True) if dead_letter is None]
        states = {job.id: job.state.value for job in store.read_jobs(not_dead) if job} if not_dead else {}
        return [
            ActionResult(job_id, states.get(job_id, "unknown") if dead_letter is None else "purged")
            for job_id, dead_letter in zip(job_ids, found, strict=True)
        ]

    return BulkAction("purge", "purged", partial(operations.purge, retention=retention), dry_run)


def unconfirmed_warning(count: int) -> str:
    """Return a warning that the API may already have this many dead letters; empty for none."""
    if not count:
        return ""
    if count == 1:
        return "1 of them is unconfirmed: the API may have it already, and a replay sends it once more"
    return f"{count:,} of them are unconfirmed: the API may have them already, and a replay sends them once more"


def why_not(result: ActionResult) -> str:
    """Return why the action was not applied to a job."""
    if result.answer == "superseded":
        return f"superseded by {result.superseded_by}, which is newer: it would overwrite that"
    if result.answer == "unknown":
        return "no such job: mistyped, or done and no longer kept"
    if result.answer == operations.BROKEN:
        return "a stored key of it or of its lane cannot be read: lanes check --repair shows the repair"
    if result.answer == "changed":
        return "it changed meanwhile and was left alone"
    return f"no dead letter: it is {result.answer.replace('_', ' ')}"
