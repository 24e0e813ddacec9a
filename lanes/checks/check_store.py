"""The calls of the scripts that audit and mend, each of them over a bounded number of things."""

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any, NamedTuple, cast

from lanes.queue.store import LaneStore
from lanes.storage.scripts import Argument

# What one call of a script looks at, so that no other client waits for more than a millisecond or two: of a job it asks
# about twenty things, of anything else a few.
STEP = 100
JOBS_STEP = 25


class Member(NamedTuple):
    """Something that stands under a key: the key's name, its location and record (or ''), and the member."""

    name: str
    location: str
    record: str
    member: str


@dataclass(frozen=True, slots=True)
class LaneCheck:
    """What `check_lane` tells: kinds and texts of what is wrong, the lane's hash, and how many jobs its records hold.

    `found` is None where the records are too many for one call.
    """

    wrong: list[tuple[str, str]]
    fields: dict[bytes, bytes]
    found: dict[str, int] | None


class CheckStore:
    """The audit's view of a store. Errors as those of `LaneStore`."""

    def __init__(self, lanes: LaneStore) -> None:
        self.lanes = lanes

    def check_jobs(self, job_ids: Sequence[str]) -> list[tuple[str, str, str]]:
        """Return (id, kind, text) for each thing that is wrong with the place of a job."""
        texts = [text.decode() for text in self.lanes.run("check_jobs", *job_ids)]
        return list(zip(texts[::3], texts[1::3], texts[2::3], strict=True))

    def check_members(self, members: Sequence[Member]) -> list[Member]:
        """Return those that stand where they do not belong."""
        arguments = [value for member in members for value in member]
        return [members[position - 1] for position in self.lanes.run("check_members", *arguments)]

    def check_lane(self, location: str, max_count: int = STEP) -> LaneCheck:
        """Look at a lane as a whole; at the jobs of its records when there are at most `max_count` of these."""
        return parse_lane_check(self.lanes.run("check_lane", location, max_count))

    def check_global_state(self) -> str:
        """Return what is wrong with the gate of all lanes, or ''."""
        return cast("bytes", self.lanes.run("check_global_state")).decode()

    def read_all_counts(self, locations: Sequence[str]) -> tuple[int, list[dict[bytes, bytes]]]:
        """Return how many lanes there are; the counts of the cell, then the hash of each of these; at one moment."""
        lanes, *replies = self.lanes.run("read_all_counts", *locations)
        return lanes, [dict(zip(fields[::2], fields[1::2], strict=True)) for fields in replies]

    def count_records(self, location: str, records: Sequence[str]) -> dict[str, int]:
        """Return how many jobs some records of a lane hold, `pending` and `in_flight`."""
        pending, in_flight = self.lanes.run("count_records", location, *records)
        return {"pending": pending, "in_flight": in_flight}

    def count_dead_letters(self, job_ids: Sequence[str]) -> list[tuple[str, str]]:
        """Return location and state of each of these dead letters."""
        texts = [text.decode() for text in self.lanes.run("count_dead_letters", *job_ids)]
        return list(zip(texts[::2], texts[1::2], strict=True))

    def repair_job(self, job_id: str, *terms: Argument) -> str:
        """Put a job where it should be; `terms` are ARGV 2 to 6 of the script."""
        return self.repair("repair_job", job_id, *terms)

    def repair(self, script: str, *arguments: Argument) -> str:
        """Run a script that mends; return its answer."""
        return cast("bytes", self.lanes.run(script, *arguments)).decode()


def parse_lane_check(reply: Sequence[Any]) -> LaneCheck:
    """Read the reply of `check_lane.lua`."""
    wrong, fields, found = reply
    texts = [text.decode() for text in wrong]
    return LaneCheck(
        list(zip(texts[::2], texts[1::2], strict=True)),
        dict(zip(fields[::2], fields[1::2], strict=True)),
        {"pending": found[0], "in_flight": found[1]} if found else None,
    )
