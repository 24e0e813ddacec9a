"""The calls of the scripts that check and repair. Each takes a bounded number of items."""

from collections.abc import Sequence
from dataclasses import dataclass
from typing import NamedTuple

from lanes.queue.store import LaneStore
from lanes.storage.scripts import Argument
from lanes.storage.stored import MICROSECONDS, pairs_of, text_of

# Items of one call, so that it blocks Redis for at most two milliseconds. A job needs about twenty reads, others a few.
STEP = 100
JOBS_STEP = 25


class Member(NamedTuple):
    """A member of a key: the key's name, its location and record (or ''), and the member."""

    name: str
    location: str
    record: str
    member: str


@dataclass(frozen=True, slots=True)
class LaneCheck:
    """Kinds and texts of what is wrong with a lane, its hash, and how many jobs its records have.

    `found` is None if there are too many records for one call. `idle_seconds`: since when nobody needs the lane; 0 if
    it is needed, or if that is unknown.
    """

    wrong: list[tuple[str, str]]
    fields: dict[bytes, bytes]
    found: dict[str, int] | None
    idle_seconds: float


class CheckStore:
    """Runs the scripts of the consistency check. Errors are those of `LaneStore`."""

    def __init__(self, lanes: LaneStore) -> None:
        self.lanes = lanes

    def check_jobs(self, job_ids: Sequence[str]) -> list[tuple[str, str, str]]:
        """Return (id, kind, text) for each problem of a job."""
        texts = [text_of(text) for text in self.lanes.run_reader("check_jobs", *job_ids)]
        return list(zip(texts[::3], texts[1::3], texts[2::3], strict=True))

    def check_members(self, members: Sequence[Member]) -> list[Member]:
        """Return the members that do not belong under their key."""
        arguments = [value for member in members for value in member]
        return [members[position - 1] for position in self.lanes.run_reader("check_members", *arguments)]

    def check_lane(self, location: str, max_count: int = STEP) -> LaneCheck:
        """Check a lane; count the jobs of its records if there are at most `max_count` records."""
        wrong, fields, found, idle = self.lanes.run_reader("check_lane", location, max_count)
        texts = [text_of(text) for text in wrong]
        return LaneCheck(
            list(zip(texts[::2], texts[1::2], strict=True)),
            pairs_of(fields),
            {"pending": found[0], "in_flight": found[1]} if found else None,
            max(0, idle) / MICROSECONDS,
        )

    def check_global_state(self) -> str:
        """Return what is wrong with the global state, or ''."""
        return text_of(self.lanes.run_reader("check_global_state"))

    def read_all_counts(self, locations: Sequence[str]) -> tuple[int, list[dict[bytes, bytes]]]:
        """Return, in one step, the number of lanes, and hashes: all counts, those of ended lanes, each location's."""
        lanes, *replies = self.lanes.run_reader("read_all_counts", *locations)
        return lanes, [pairs_of(fields) for fields in replies]

    def count_records(self, location: str, records: Sequence[str]) -> dict[str, int]:
        """Return how many `pending` and `in_flight` jobs some records of a lane have."""
        pending, in_flight = self.lanes.run_reader("count_records", location, *records)
        return {"pending": pending, "in_flight": in_flight}

    def count_dead_letters(self, job_ids: Sequence[str]) -> list[tuple[str, str]]:
        """Return location and state of dead letters."""
        texts = [text_of(text) for text in self.lanes.run_reader("count_dead_letters", *job_ids)]
        return list(zip(texts[::2], texts[1::2], strict=True))

    def repair(self, script: str, *arguments: Argument) -> str:
        """Run a script that repairs; return its answer."""
        return self.lanes.run_text(script, *arguments)
