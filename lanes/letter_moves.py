"""Replay and purge of dead letters: what can be done to many, and rehearsed."""

from collections.abc import Callable, Sequence
from dataclasses import dataclass

from lanes import letters
from lanes.letter import Moved
from lanes.store import LaneStore

Call = Callable[[LaneStore, Sequence[str]], list[Moved]]


@dataclass(frozen=True, slots=True)
class Move:
    """What to do with each: its verb, the lanes' answer when it was done, the call, and the call that only tells."""

    verb: str
    done: str
    call: Call
    rehearse: Call


def replay_move(*, even_if_newer: bool = False) -> Move:
    """Return what sends letters again."""

    def call(store: LaneStore, job_ids: Sequence[str]) -> list[Moved]:
        return letters.replay(store, job_ids, even_if_newer=even_if_newer)

    def rehearse(store: LaneStore, job_ids: Sequence[str]) -> list[Moved]:
        return letters.replay(store, job_ids, even_if_newer=even_if_newer, rehearsal=True)

    return Move("replay", "replayed", call, rehearse)


def purge_move(retention: float) -> Move:
    """Return what gives letters up; they can be read for `retention` more seconds, without their bodies."""

    def call(store: LaneStore, job_ids: Sequence[str]) -> list[Moved]:
        return letters.purge(store, job_ids, retention)

    def rehearse(store: LaneStore, job_ids: Sequence[str]) -> list[Moved]:
        found = store.summarize(job_ids)
        others = [job_id for job_id, letter in zip(job_ids, found, strict=True) if letter is None]
        states = {job.id: job.state.value for job in store.read_jobs(others) if job} if others else {}
        return [
            Moved(job_id, states.get(job_id, "unknown") if letter is None else "purged")
            for job_id, letter in zip(job_ids, found, strict=True)
        ]

    return Move("purge", "purged", call, rehearse)


def unconfirmed_warning(count: int) -> str:
    """Return a warning that the API may already have this many dead letters; empty for none."""
    if not count:
        return ""
    if count == 1:
        return "1 of them is unconfirmed: the API may have it already, and a replay sends it once more"
    return f"{count:,} of them are unconfirmed: the API may have them already, and a replay sends them once more"


def why_not(moved: Moved) -> str:
    """Say why a letter was not moved."""
    if moved.answer == "overtaken":
        return f"overtaken by {moved.newer}, which is newer: it would overwrite that"
    if moved.answer == "unknown":
        return "no such job: mistyped, or done so long ago that it was pruned"
    if moved.answer == "changed":
        return "it changed in this moment, and was left alone"
    return f"no dead letter: it is {moved.answer.replace('_', ' ')}"
