"""The part of the consistency check for single values: numbers, bodies, attempts, fields with a shape."""

import re
from collections.abc import Iterable, Iterator, Mapping, Sequence

from lanes.checks.counted_jobs import COUNTED_FIELDS, CountedJobs
from lanes.checks.finding import RUN_REPAIR, Finding, Repair, Severity
from lanes.errors import StoredJobError
from lanes.queue.job import Attempt
from lanes.queue.lane import COUNTS
from lanes.queue.store import LaneStore
from lanes.storage.stored import json_object_of, number_of, text_of

JOB_NUMBERS = (
    *("seq", "accepted_at", "attempt", "failures", "priority", "merged_count", "not_before", "expires_at", "ended_at"),
    *("released_at", "edited_at", "event_time", "replayed_at", "held_before", "first_seq", "number", "lost", "probe"),
    "ends",
)
LANE_NUMBERS = (
    *COUNTS,
    *("seq", "released", "answered", "unsent", "redundant", "lost", "lost_counted", "dead_letters", "turn", "weight"),
    *("burst", "daily", "api_burst", "api_daily", "api_window", "api_number", "day_base", "day_quarter", "day_from"),
    *("day_resets_at", "day_seen", "day_seen_at", "shared_since", "shared_until", "pacing_until", "backoff_until"),
    *("rate_limited_until", "throttled_until", "run_failures", "run_answers", "gap", "gap_at", "refused_run"),
    *("dead_total", "expired_total", "cancelled_total"),
    *("refused_status", "brake_at", "brake_gap", "brake_probe_at", "held_at", "isolated_failure_at", "kept_until"),
)
GLOBAL_NUMBERS = (
    *("held_at", "outage_since", "half_open_limit", "half_open_at", "probe_at", "gap", "run_failures", "run_answers"),
    *("run_at", "refundable_since", "notifications", "dead_above", "status"),
    *("forgotten_noticed", "forgotten_noticed_at", "outcomes_forgotten_noticed", "outcomes_forgotten_noticed_at"),
)
# Hashes whose values are all numbers, or all of one shape.
NUMBER = re.compile(rb"-?\d{1,16}")  # `number_of` is stricter
SHAPES = {
    **dict.fromkeys(
        ("counts", "totals", "sampled", "recent", "history", "lane_history", "failing", "refundable_failures"), NUMBER
    ),
    **dict.fromkeys(("dead_letter_counts", "day", "rejected_rows", "ended_lanes"), NUMBER),
    "held_time": re.compile(rb"[=-]-?\d{1,16}"),
    "newest_delivered": re.compile(rb"\d{1,16} \d{1,16} .+", re.DOTALL),
    "tokens": re.compile(rb"\d{1,16} .+", re.DOTALL),
}


def unreadable_fields(store: LaneStore, name: str, fields: Iterable[tuple[str, bytes]]) -> Iterator[Finding]:
    """Yield a finding for each of these fields of the key `name`: its value is no number, or has another shape."""
    for field, value in fields:
        repair = Repair("repair_value", (store.prefix + name, name, field, value), "move its value to broken_values")
        yield Finding("field", Severity.ERROR, name, f"its field {field!r} cannot be read", RUN_REPAIR, repair)


def not_numbers(fields: Mapping[bytes, bytes], names: Sequence[str]) -> list[tuple[str, bytes]]:
    """Return those fields that are set to something else than a number."""
    found = ((name, fields.get(name.encode())) for name in names)
    return [(name, value) for name, value in found if value is not None and number_of(value) is None]


def misshapen(kind: str, fields: Iterable[tuple[bytes, bytes]]) -> list[tuple[str, bytes]]:
    """Return the fields whose values do not have the shape of this kind of key."""
    shape = SHAPES[kind]
    return [
        (text_of(field), value)
        for field, value in fields
        if not shape.fullmatch(value) or (shape is NUMBER and number_of(value) is None)
    ]


def check_job_values(store: LaneStore, job_ids: Sequence[str], counted: CountedJobs) -> Iterator[Finding]:
    """Yield what cannot be read of some jobs: numbers, bodies, attempts. Note those that their services count."""
    missing: list[bytes | None] = []
    names = (*COUNTED_FIELDS, "location", *JOB_NUMBERS)
    hashes = store.read_keys(
        missing, [store.key("job", job_id) for job_id in job_ids], lambda client, key: client.hmget(key, names)
    )
    locations: list[bytes | None] = []
    for job_id, values in zip(job_ids, hashes, strict=True):
        state, service, is_counted, location, *numbers = values or [None] * 4
        counted.note(job_id, state, service, is_counted)
        locations.append(location)
        found = zip(JOB_NUMBERS, numbers, strict=False)
        broken = [(name, value) for name, value in found if value is not None and number_of(value) is None]
        yield from unreadable_fields(store, f"job:{job_id}", broken)
    for kind in ("body", "original"):
        yield from _check_bodies(store, kind, job_ids, locations)
    yield from _check_attempts(store, job_ids)


def _check_bodies(
    store: LaneStore, kind: str, job_ids: Sequence[str], locations: Sequence[bytes | None]
) -> Iterator[Finding]:
    none: bytes | None = None
    bodies = store.read_keys(none, [store.key(kind, job_id) for job_id in job_ids], lambda client, key: client.get(key))
    for job_id, body, location in zip(job_ids, bodies, locations, strict=True):
        fields = None if body is None else json_object_of(body)
        if (
            fields is not None
            and location is not None
            and fields.get("locationId", text_of(location)) != text_of(location)
        ):
            yield from unreadable_fields(store, f"job:{job_id}", [("location", location)])
        if body is None or fields is not None:
            continue
        name, text = f"{kind}:{job_id}", "it is no JSON object"
        if kind == "original":
            repair = Repair("repair_key", (store.key(kind, job_id), name, ""), "rename it to broken_key:...")
            yield Finding("content", Severity.ERROR, name, text, RUN_REPAIR, repair)
        else:
            advice = f"give it up, and enqueue it again: lanes cancel {job_id}, or lanes dead purge {job_id}"
            yield Finding("content", Severity.ERROR, name, text, advice)


def _check_attempts(store: LaneStore, job_ids: Sequence[str]) -> Iterator[Finding]:
    none: list[bytes] = []
    keys = [store.key("attempts", job_id) for job_id in job_ids]
    found = store.read_keys(none, keys, lambda client, key: client.lrange(key, 0, -1))
    for job_id, lines in zip(job_ids, found, strict=True):
        for number, line in enumerate(lines, 1):
            try:
                Attempt.parse(line)
            except StoredJobError:
                name, text = f"attempts:{job_id}", f"line {number} is no attempt"
                key = store.key("attempts", job_id)
                repair = Repair("repair_value", (key, name, "", line), "move the line to broken_values")
                yield Finding("content", Severity.ERROR, name, text, RUN_REPAIR, repair)
