"""The part of the consistency check for lanes: their fields agree, and the counts add up.

A count that needs several steps is reported as wrong only if no job of its lane moved meanwhile.
"""

from collections import Counter
from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import replace
from itertools import islice

from lanes.checks.check_store import STEP, CheckStore, LaneCheck
from lanes.checks.finding import RUN_REPAIR, Finding, Repair, Severity, unreadable
from lanes.checks.values import GLOBAL_NUMBERS, LANE_NUMBERS, not_numbers, unreadable_fields
from lanes.errors import ScriptError
from lanes.queue.job import State
from lanes.queue.lane import COUNTS, read_counts
from lanes.storage.stored import bytes_of, text_of

# Every move of a job changes one of these.
WATCHED = (*(name.encode() for name in COUNTS), b"seq", b"released")
TRIES = 3
IDLE_SECONDS = 86_400.0  # after which a lane should have ended
LANES = {
    "unlisted": "list its location",
    "held": "correct its held time by its hold and its brake",
    "hold": "complete its hold, or remove what is left of one",
    "brake": "end its incomplete brake",
    "due": "make it due when its jobs are",
    "dead-letters": "recount its dead letters",
    "numbers": "correct its numbers of requests by what it sent",
    "redundant": "recount its requests in flight for delivered jobs",
}


def check_lanes(store: CheckStore, locations: Sequence[str], *, clean: bool) -> Iterator[Finding]:
    """Yield findings about the global state, the lanes and the counts.

    Counts are compared with the jobs only if no job is misplaced (`clean`).
    """
    yield from check_global_state(store)
    lane_checks: dict[str, LaneCheck] = {}
    for location in locations:
        try:
            lane_check = store.check_lane(location)
        except ScriptError as error:
            yield unreadable(f"lane:{location}", error)
            continue
        for kind, text in lane_check.wrong:
            repair = Repair("repair_lane", (location,), LANES[kind])
            yield Finding(f"lane-{kind}", Severity.ERROR, f"lane:{location}", text, RUN_REPAIR, repair)
        if clean and lane_check.found is None:
            lane_check = count_all(store, location, lane_check)
        yield from unreadable_fields(store.lanes, f"lane:{location}", not_numbers(lane_check.fields, LANE_NUMBERS))
        lane_checks[location] = lane_check
    yield from not_ended(lane_checks)
    dead_letters = count_dead_letters(store) if clean else None
    for location, lane_check in lane_checks.items():
        compared = lane_check if clean else replace(lane_check, found=None)
        yield from check_lane_counts(store, location, compared, dead_letters)
    yield from read_all_counts(store, locations)


def not_ended(lane_checks: Mapping[str, LaneCheck]) -> Iterator[Finding]:
    """Yield a note if workers should have ended some of these lanes long ago."""
    idle = [location for location, lane_check in lane_checks.items() if lane_check.idle_seconds > IDLE_SECONDS]
    if idle:
        text = f"lanes that nobody has needed for more than a day: {len(idle)}, the first of {idle[0]}"
        yield Finding("lanes-idle", Severity.NOTE, "locations", text, "start a worker: workers end such lanes")


def check_global_state(store: CheckStore) -> Iterator[Finding]:
    """Yield what is wrong with the global state."""
    fields = store.lanes.read_hash("global_state")
    yield from unreadable_fields(store.lanes, "global_state", not_numbers(fields, GLOBAL_NUMBERS))
    if text := store.check_global_state():
        repair = Repair("repair_lane", ("",), "correct the global state")
        yield Finding("global_state", Severity.ERROR, "global_state", text, RUN_REPAIR, repair)


def recount(store: CheckStore, location: str, *, dead_letters: bool) -> Finding | None:
    """Check the counts of a lane, or (without a location) over all lanes, again; None if they are right by now."""
    if not location:
        found = [finding for finding in read_all_counts(store, ()) if finding.repair]
        return found[0] if found else None
    lane_check = store.check_lane(location)
    if lane_check.found is None:
        lane_check = count_all(store, location, lane_check)
    counted = count_dead_letters(store) if dead_letters else None
    return next(check_lane_counts(store, location, lane_check, counted), None)


def count_all(store: CheckStore, location: str, lane_check: LaneCheck) -> LaneCheck:
    """Count the jobs of a lane with many records in steps, without result if they move meanwhile."""
    counted: Counter[str] = Counter()
    for records in steps(store.lanes.client.hscan_iter(bytes_of(store.lanes.key("active", location)), count=STEP)):
        counted.update(store.count_records(location, records))
    if not same(lane_check.fields, fields_of(store, location)):
        return lane_check
    return replace(lane_check, found={name: counted[name] for name in ("pending", "in_flight")})


def count_dead_letters(store: CheckStore) -> Counter[tuple[str, str]]:
    """Count the dead letters by location and state."""
    counted: Counter[tuple[str, str]] = Counter()
    for ids in steps(store.lanes.client.zscan_iter(store.lanes.key("dead"), count=STEP)):
        counted.update(store.count_dead_letters(ids))
    return counted


def steps(found: Iterable[tuple[bytes, object]]) -> Iterator[list[str]]:
    """Yield the names that a scan finds, each once, in batches of `STEP`."""
    names = iter(dict.fromkeys(text_of(name) for name, _ in found))
    while some := list(islice(names, STEP)):
        yield some


def check_lane_counts(
    store: CheckStore, location: str, lane_check: LaneCheck, dead_letters: Counter[tuple[str, str]] | None
) -> Iterator[Finding]:
    """Yield what is wrong with the counts of a lane."""
    fields = lane_check.fields
    said = read_counts(fields)
    right = said | (lane_check.found or {})
    if dead_letters is not None:
        counted = {state.value: dead_letters[location, state.value] for state in (State.DEAD, State.EXPIRED)}
        if any(said[name] != jobs for name, jobs in counted.items()) and same(fields, fields_of(store, location)):
            right |= counted
    right["accepted"] = sum(right[state.value] for state in State)
    yield from drifted(location, fields, right)


def drifted(location: str, fields: Mapping[bytes, bytes], right: Mapping[str, int]) -> Iterator[Finding]:
    """Yield a finding for wrong counts of a lane, or (without a location) over all lanes."""
    said = read_counts(dict(fields))
    unreadable_counts = {name for name, _ in not_numbers(fields, COUNTS)}
    wrong = {name: value for name, value in right.items() if said[name] != value or name in unreadable_counts}
    if not wrong:
        return
    triples = ((name.decode(), fields.get(name, b""), wrong.get(name.decode(), "")) for name in WATCHED)
    repair = Repair("repair_counts", (location, *(value for triple in triples for value in triple)), "recount")
    text = ", ".join(f"{name} is {said[name]}, should be {value}" for name, value in wrong.items())
    yield Finding("count", Severity.ERROR, f"lane:{location}" if location else "counts", text, RUN_REPAIR, repair)


def read_all_counts(store: CheckStore, locations: Sequence[str]) -> Iterator[Finding]:
    """Yield what is wrong with the counts over all lanes: each is the sum of those of the lanes, and of ended lanes."""
    for _ in range(TRIES):
        before, total = fields_of(store, ""), Counter[str]()
        ended_before = store.lanes.read_hash("ended_lanes")
        listed = store.lanes.locations()
        names = sorted(listed | set(locations))
        known = True
        for start in range(0, max(1, len(names)), STEP):
            lanes, (now, ended, *hashes) = store.read_all_counts(names[start : start + STEP])
            known = known and lanes == len(listed) and ended == ended_before
            before = now if len(names) <= STEP else before
            for fields in hashes:
                total.update(read_counts(fields))
        total.update(read_counts(ended_before))
        if known and (len(names) <= STEP or same(before, fields_of(store, ""))):
            yield from drifted("", before, {name: total[name] for name in COUNTS})
            return
    text = "they changed during the check, so they were not compared with those of the lanes"
    yield Finding("counts-moved", Severity.NOTE, "counts", text, "check again when there is less traffic")


def fields_of(store: CheckStore, location: str) -> dict[bytes, bytes]:
    """Return the hash of a lane, or (without a location) the counts over all lanes."""
    return store.lanes.read_hash("lane", location) if location else store.lanes.read_hash("counts")


def same(before: Mapping[bytes, bytes], after: Mapping[bytes, bytes]) -> bool:
    """Return whether nothing was counted in between."""
    return all(before.get(name) == after.get(name) for name in WATCHED)
