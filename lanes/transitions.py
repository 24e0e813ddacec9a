"""The calls of the scripts, in and out: arguments from values, values from replies.

Nothing here talks to Redis, so that the synchronous and the asynchronous faces share it.
"""

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

from lanes.job import MICROSECONDS, Acceptance, Accepted, Idle, Order, Reclaimed, Released, Result, Survey

Argument = str | bytes | int


@dataclass(frozen=True, slots=True)
class Limits:
    """A location's budgets: `burst` requests in `window` seconds, `daily` in 24 hours."""

    burst: int
    window: float
    daily: int


@dataclass(frozen=True, slots=True)
class Seat:
    """Who releases and under which terms: the worker's name, its lease and retention in seconds, the limits."""

    worker: str
    lease: float
    retention: float
    limits: Limits


def microseconds(seconds: float) -> int:
    """Return whole microseconds."""
    return round(seconds * MICROSECONDS)


def enqueue_arguments(order: Order, idempotency_seconds: float) -> list[Argument]:
    """Return the ARGV of `enqueue.lua`."""
    return [
        order.id,
        order.location_id,
        order.record,
        order.body,
        "" if order.not_before is None else microseconds(order.not_before),
        "" if order.expires_at is None else microseconds(order.expires_at),
        order.service or "",
        order.idempotency_key or "",
        order.fingerprint,
        round(idempotency_seconds * 1000),
    ]


def accepted(reply: Sequence[bytes]) -> Accepted:
    """Read the reply of `enqueue.lua`."""
    return Accepted(Acceptance(reply[0].decode()), reply[1].decode())


def release_arguments(seat: Seat) -> list[Argument]:
    """Return the arguments of a release: the ARGV of `release.lua`, and the last ones of each outcome."""
    return [
        seat.worker,
        microseconds(seat.lease),
        seat.limits.burst,
        microseconds(seat.limits.window),
        seat.limits.daily,
        round(seat.retention * 1000),
    ]


def result(reply: Sequence[Any]) -> Result:
    """Read the reply of an outcome, or of a release."""
    code = reply[0].decode()
    if len(reply) == 1:
        return Result(code, None)
    if not reply[1]:
        return Result(code, Idle(seconds_until(reply[2])))
    job_id, location, attempt, failures, accepted_at, released_at, *body = reply[1:]
    return Result(
        code,
        Released(
            job_id.decode(),
            location.decode(),
            attempt,
            failures,
            accepted_at / MICROSECONDS,
            released_at / MICROSECONDS,
            body[0] if body and body[0] else b"",
        ),
    )


def reclaimed(reply: Sequence[Any]) -> list[Reclaimed]:
    """Read the reply of `reclaim.lua`."""
    return [
        Reclaimed(reply[i].decode(), reply[i + 1].decode(), reply[i + 2], reply[i + 3] == b"buried")
        for i in range(0, len(reply), 4)
    ]


def survey(reply: Sequence[int]) -> Survey:
    """Read the reply of `survey.lua`."""
    return Survey(reply[0], seconds_until(reply[1]))


def seconds_until(value: int) -> float | None:
    """Read a number of microseconds, -1 for never."""
    return None if value < 0 else value / MICROSECONDS
