"""The whole of a Redis in plain words, and what a call changed of it.

Times read as seconds since the start of the test: `t+30`. What lives for a while has its minutes, rounded up, under its
name and `ttl`.
"""

import json
import re
from collections.abc import Iterator
from contextlib import contextmanager
from math import ceil
from typing import Any

from lanes.activity.series import last_day
from lanes.queue.lane import COUNTS
from lanes.queue.results import Released
from lanes.queue.transitions import AttemptReport, Consumer, DefaultLimits, RateLimitInfo
from lanes.storage.stored import MICROSECONDS, pairs_of
from tests.lanes.conftest import START, ClockedStore

LIMITS = DefaultLimits(burst=2, window=10, daily=1000)
KEPT = 3600  # seconds for which what is done can be read
KNOWN = 7200  # seconds for which idempotency keys and event times are known
LEASE = 60

# What happened lately has tests of its own; what never becomes less must agree with it.
SERIES = ("sampled", "recent:", "history:", "lane_history:")
SAMPLED = ("sampled", "dead_total", "expired_total", "cancelled_total")  # fields of a lane
MONOTONIC = ("accepted", "merged", "delivered", "retried", "throttled", "reclaimed")

# Fields of an unfinished job that a delivered one does not keep.
UNTOLD = (
    *("seq", "failures", "released_at", "worker", "number", "probe", "field_times", "held_before", "replayed_at"),
    *("expires_while_held", "merged_count", "retention"),
)

_JSON = re.compile(r"\{.*\}$")
_TIME = re.compile(r"(?<!\d)1[78]\d{14}(?!\d)")


def whole_state(store: ClockedStore) -> dict[str, str]:
    """Return every value in Redis, each under the name of its key, a point and its field or member.

    The counts of all lanes together must add up to those of the cell, which are then left out.
    """
    store.client.hdel(store.key("sampled"), "at")  # sample again, however little time has passed
    assert store.record_statistics({})
    state: dict[str, str] = {}
    totals = dict.fromkeys(COUNTS, 0)
    for key in sorted(store.client.scan_iter(match=f"{store.prefix}*")):
        name = key.decode().removeprefix(store.prefix)
        if name in ("test-clock", "counts", "totals", "schema", "done_ids", "memory_checked") or name.startswith(
            SERIES
        ):
            continue
        if name.startswith("done:"):
            state |= _done_job(store, name.removeprefix("done:"))
            continue
        for field, value in _values(store.client, key).items():
            # Tested in `test_history.py`; in `test_day_in_virtual_time.py`: which requests told nothing of the day.
            if field in ("kept_until", "lost"):
                continue
            if name.startswith("lane:") and field in SAMPLED:
                continue
            state[f"{name}.{field}" if field else name] = _TIME.sub(_seconds, value)
            if name.startswith("lane:") and field in totals:
                totals[field] += int(value)
        life = store.client.pttl(key)
        if life > 0:
            state[f"{name} ttl"] = f"{ceil(life / 60_000)} min"
    assert store.counts() == totals
    happened = last_day(store)
    assert {name: happened.total(name) for name in MONOTONIC} == {name: totals[name] for name in MONOTONIC}
    return state


def _done_job(store: ClockedStore, job_id: str) -> dict[str, str]:
    """Return what a done job tells, as if it had the keys of an unfinished one: see `test_history.py`."""
    (fields, _, lines, _), *_ = store.run_reader("read_jobs", job_id)
    shown = {f"job:{job_id}.{name.decode()}": value.decode() for name, value in pairs_of(fields).items()}
    if lines:
        shown[f"attempts:{job_id}"] = ", ".join(_JSON.sub(_sorted, line.decode()) for line in lines)
    life = store.client.pttl(store.key("done", job_id))
    if life > 0:
        kinds = ("job", "attempts") if lines else ("job",)
        shown |= {f"{kind}:{job_id} ttl": f"{ceil(life / 60_000)} min" for kind in kinds}
    return {name: _TIME.sub(_seconds, value) for name, value in shown.items()}


def _values(client: Any, key: bytes) -> dict[str, str]:
    kind = client.type(key)
    if kind == b"string":
        return {"": client.get(key).decode()}
    if kind == b"list":
        return {"": ", ".join(_JSON.sub(_sorted, each.decode()) for each in client.lrange(key, 0, -1))}
    if kind == b"set":
        return {each.decode(): "in" for each in client.smembers(key)}
    if kind == b"stream":
        entries = [fields for _, fields in client.xrange(key)]
        return {
            f"{number}.{name.decode()}": value.decode()
            for number, entry in enumerate(entries)
            for name, value in entry.items()
        }
    if kind == b"zset":
        return {
            _JSON.sub(_sorted, each.decode()): f"{score:.0f}"
            for each, score in client.zrange(key, 0, -1, withscores=True)
        }
    return {field.decode(): value.decode() for field, value in client.hgetall(key).items()}


def _sorted(found: re.Match[str]) -> str:
    return json.dumps(json.loads(found[0]), sort_keys=True, separators=(",", ":"))


def _seconds(found: re.Match[str]) -> str:
    return f"t{int(found[0]) / MICROSECONDS - START:+.7g}"


@contextmanager
def watch(store: ClockedStore) -> Iterator[dict[str, str]]:
    """Yield what the block changed, filled in at its end: `new`, `old -> new` or `old -> gone` for each value."""
    before = whole_state(store)
    changed: dict[str, str] = {}
    yield changed
    after = whole_state(store)
    for name in sorted(before.keys() | after.keys()):
        if name not in before:
            changed[name] = after[name]
        elif name not in after and name.startswith("job:") and name.partition(".")[2] in UNTOLD:
            continue
        elif before[name] != after.get(name):
            changed[name] = f"{before[name]} -> {after.get(name, 'gone')}"


def fields_of(key: str, **values: str) -> dict[str, str]:
    """Return values as `watch` names them: those of several fields or members of one key."""
    return {f"{key}.{name}": value for name, value in values.items()}


def dead_letter_indexed(job_id: str = "job1", record: str = "pipe/contact") -> dict[str, str]:
    """Return what is noted of the first death of a job, the only one of its record."""
    return {f"job:{job_id}.was_dead": "1", "lane:loc.dead_letters": "1", f"dead_letter_counts:loc.{record}": "1"}


def dead_letter_unindexed(job_id: str = "job1", record: str = "pipe/contact") -> dict[str, str]:
    """Return what is gone of that once the job is done with."""
    return {
        f"job:{job_id}.was_dead": "1 -> gone",
        "lane:loc.dead_letters": "1 -> 0",
        f"dead_letter_counts:loc.{record}": "1 -> gone",
    }


def make_consumer(worker: str = "w1", limits: DefaultLimits = LIMITS) -> Consumer:
    """Return a worker as a consumer."""
    return Consumer(worker, LEASE, KEPT, limits)


def send(store: ClockedStore, worker: str = "w1") -> Released:
    """Release the next job."""
    job = store.release(make_consumer(worker)).next
    assert isinstance(job, Released)
    return job


def report(job: Released, rate_limits: RateLimitInfo | None = None) -> AttemptReport:
    """Return the report of an attempt."""
    return AttemptReport(job.id, job.attempt, '{"status":200}', LIMITS, rate_limits)


def held(location: str, by: str, reason: str, *, at: int) -> dict[str, str]:
    """Return the changes of a lane's first hold: its held time, and the first notification."""
    notice = {
        "by": by,
        "location": location,
        "id": f"{(START + at) * MICROSECONDS}-1",
        "event": "lane_held",
        "reason": reason,
    }
    return {
        **fields_of(f"lane:{location}", hold=reason, held_by=by, held_at=f"t{at:+}"),
        f"held_time.{location}": f"-t{at:+}",
        "global_state.notifications": "1",
        f"notifications.{json.dumps(notice, sort_keys=True, separators=(',', ':'))}": f"t{at:+}",
    }
