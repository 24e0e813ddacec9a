"""Thousands of dead letters, and commands on them."""

import json
import time
from collections.abc import Sequence
from typing import Any

from lanes.dead_letters import operations
from lanes.queue.dead_letter import DeadLetter
from lanes.queue.job import Attempt, Reason
from lanes.queue.new_job import NewJob
from lanes.queue.results import Released
from lanes.queue.store import LaneStore
from lanes.queue.transitions import AttemptReport, Consumer, DefaultLimits

BATCH = 5000
CONSUMER = Consumer("test", lease=60, retention=3600, limits=DefaultLimits(burst=100_000, window=10, daily=1_000_000))
# Their errors, repeated in this order.
CAUSES: tuple[tuple[Reason, int | None, str | None, str], ...] = (
    (Reason.REFUSED, 422, "OPPORTUNITY_BAD_PIPELINE", "The pipeline id is invalid."),
    (Reason.EXHAUSTED, 503, None, "HTTP 503 with an HTML page"),
    (Reason.REFUSED, 400, None, "No contact c{number:015d} in this location"),
    (Reason.EXPIRED, None, None, ""),
)


def dead_letter(number: int, failed_at: float | None = None, **fields: object) -> DeadLetter:
    """Return a dead letter that failed `number` seconds ago."""
    reason, status, code, message = CAUSES[number % len(CAUSES)]
    at = time.time() - number - 1 if failed_at is None else failed_at
    detail: dict[str, Any] = {"message": message.format(number=number), "trace_id": f"trace-{number}", "seconds": 0.25}
    detail |= {name: value for name, value in (("status", status), ("code", code)) if value is not None}
    location = f"loc{number % 3}"
    body = {"pipelineId": "pipe", "locationId": location, "contactId": f"contact{number}", **fields}
    order = NewJob(
        f"job{number:06d}",
        location,
        f"pipe/contact{number}",
        json.dumps(body, separators=(",", ":")).encode(),
        service="shop" if number % 2 else "crm",
    )
    attempts = (Attempt(1, reason.value, at - 1, at - 0.75, detail),) if message else ()
    return DeadLetter(order, reason, at - 60, at, attempts)


def seed(store: LaneStore, numbers: Sequence[int]) -> list[str]:
    """Store these dead letters; return their ids."""
    for start in range(0, len(numbers), BATCH):
        operations.restore(store, [dead_letter(number) for number in numbers[start : start + BATCH]])
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
    """Store that many dead letters, as `seed` does."""
    names = ("reason", "status", "code", "message")
    causes = [
        json.dumps({name: value for name, value in zip(names, cause, strict=True) if value is not None})
        for cause in CAUSES
    ]
    for start in range(0, count, BATCH):
        last = min(start + BATCH, count) - 1
        store.client.eval(SEED_MANY, 0, str(start), str(last), str(time.time()), store.prefix, *causes)


def deliver_newer(store: LaneStore, number: int) -> str:
    """Deliver a newer job of a dead letter's record; return its id. No other job may be pending."""
    old = dead_letter(number).new_job
    newer = NewJob(f"newer{number:06d}", old.location_id, old.record, old.body)
    store.enqueue(newer, 60)
    released = store.release(CONSUMER).next
    assert isinstance(released, Released)
    assert released.id == newer.id
    store.deliver(AttemptReport(newer.id, released.attempt, "{}", CONSUMER.limits), retention=3600)
    return newer.id


def fail_again(store: LaneStore, job_id: str) -> None:
    """Replay a dead letter, and let it fail again. No other job may be pending."""
    assert store.replay(job_id) == "replayed"
    released = store.release(CONSUMER).next
    assert isinstance(released, Released)
    detail = '{"status": 500, "message": "again"}'
    assert (
        store.bury(AttemptReport(job_id, released.attempt, detail, CONSUMER.limits), reason="refused").code == "buried"
    )
