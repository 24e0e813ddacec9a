"""Dead letters by the thousand, and what is asked of them."""

import json
import time
from collections.abc import Sequence
from typing import Any

from lanes import letters
from lanes.job import Attempt, Reason
from lanes.letter import Letter
from lanes.order import Order
from lanes.results import Released
from lanes.store import LaneStore
from lanes.transitions import Limits, Report, Seat

BATCH = 5000
SEAT = Seat("test", lease=60, retention=3600, limits=Limits(burst=100_000, window=10, daily=1_000_000))
# What they die of, in turn.
CAUSES: tuple[tuple[Reason, int | None, str | None, str], ...] = (
    (Reason.REFUSED, 422, "OPPORTUNITY_BAD_PIPELINE", "The pipeline id is invalid."),
    (Reason.EXHAUSTED, 503, None, "HTTP 503 with an HTML page"),
    (Reason.REFUSED, 400, None, "No contact c{number:015d} in this location"),
    (Reason.EXPIRED, None, None, ""),
)


def letter(number: int, died_at: float | None = None, **fields: object) -> Letter:
    """Return a letter; it died so many seconds ago as its number is."""
    reason, status, code, message = CAUSES[number % len(CAUSES)]
    at = time.time() - number - 1 if died_at is None else died_at
    detail: dict[str, Any] = {"message": message.format(number=number), "trace_id": f"trace-{number}", "seconds": 0.25}
    detail |= {name: value for name, value in (("status", status), ("code", code)) if value is not None}
    location = f"loc{number % 3}"
    body = {"pipelineId": "pipe", "locationId": location, "contactId": f"contact{number}", **fields}
    order = Order(
        f"job{number:06d}",
        location,
        f"pipe/contact{number}",
        json.dumps(body, separators=(",", ":")).encode(),
        service="shop" if number % 2 else "crm",
    )
    attempts = (Attempt(1, reason.value, at - 1, at - 0.75, detail),) if message else ()
    return Letter(order, reason, at - 60, at, attempts)


def seed(store: LaneStore, numbers: Sequence[int]) -> list[str]:
    """Put these letters there; return their ids."""
    for start in range(0, len(numbers), BATCH):
        letters.restore(store, [letter(number) for number in numbers[start : start + BATCH]])
    return [f"job{number:06d}" for number in numbers]


# What `seed` does, for very many in little time: without what only a replay would need.
SEED_MANY = """
local now = tonumber(ARGV[3])
for n = tonumber(ARGV[1]), tonumber(ARGV[2]) do
  local id, cause = string.format('job%06d', n), cjson.decode(ARGV[5 + n % (#ARGV - 4)])
  local at = string.format('%.0f', (now - n - 1) * 1e6)
  local state = cause.reason == 'expired' and 'expired' or 'dead'
  redis.call('HSET', ARGV[4] .. 'job:' .. id, 'state', state, 'reason', cause.reason, 'location', 'loc' .. n % 3,
    'record', 'pipe/contact' .. n, 'seq', n + 1, 'accepted_at', at, 'ended_at', at, 'failures', 0,
    'service', n % 2 == 1 and 'shop' or 'crm')
  redis.call('SET', ARGV[4] .. 'body:' .. id, '{}')
  if cause.message ~= '' then
    local message = string.gsub(cause.message, '{number:015d}', string.format('%015d', n))
    local detail = cjson.encode({ status = cause.status, code = cause.code, message = message })
    redis.call('RPUSH', ARGV[4] .. 'attempts:' .. id, '1 ' .. cause.reason .. ' ' .. at .. ' ' .. at .. ' ' .. detail)
  end
  redis.call('ZADD', ARGV[4] .. 'dead', at, id)
  redis.call('HINCRBY', ARGV[4] .. 'counts', state, 1)
  redis.call('HINCRBY', ARGV[4] .. 'counts', 'accepted', 1)
end
"""


def seed_many(store: LaneStore, count: int) -> None:
    """Put that many letters there, as `seed` does."""
    names = ("reason", "status", "code", "message")
    causes = [
        json.dumps({name: value for name, value in zip(names, cause, strict=True) if value is not None})
        for cause in CAUSES
    ]
    for start in range(0, count, BATCH):
        last = min(start + BATCH, count) - 1
        store.client.eval(SEED_MANY, 0, str(start), str(last), str(time.time()), store.prefix, *causes)


def overtake(store: LaneStore, number: int) -> str:
    """Deliver a newer job of the record of a letter; return its id. Nothing else may wait."""
    old = letter(number).order
    newer = Order(f"newer{number:06d}", old.location_id, old.record, old.body)
    store.enqueue(newer, 60)
    released = store.release(SEAT).next
    assert isinstance(released, Released)
    assert released.id == newer.id
    store.deliver(Report(newer.id, released.attempt, "{}", SEAT.limits), retention=3600)
    return newer.id


def die_again(store: LaneStore, job_id: str) -> None:
    """Replay a letter, and let it die again. Nothing else may wait."""
    assert store.replay(job_id) == "replayed"
    released = store.release(SEAT).next
    assert isinstance(released, Released)
    detail = '{"status": 500, "message": "again"}'
    assert store.bury(Report(job_id, released.attempt, detail, SEAT.limits), reason="refused").code == "buried"
