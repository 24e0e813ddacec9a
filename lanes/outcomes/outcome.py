"""An outcome of a job, and the entries of a stream that have them."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from lanes.queue.job import State
from lanes.storage.stored import MICROSECONDS, JsonMixin, StoredHash, json_object_of, number_of, text_of


@dataclass(frozen=True, slots=True)
class Outcome(JsonMixin):
    """How a job ended. It has no content of the opportunity.

    `end` counts the ends of the job: one that was dead may be delivered later. The same `job_id` and `end` again is a
    repeat. A merged job has the outcome of the job that it was merged into, and its `end`.

    `state` is `delivered`, `dead`, `expired` or `cancelled`; `reason` as `Job.reason`. `status`, `message`, `code` and
    `trace_id` are of the answer to the last attempt, `opportunity_id` and `new` of the delivery. None if there is none.
    Times in seconds since the epoch, by the clock of Redis.
    """

    service: str
    job_id: str
    end: int
    state: State
    reason: str | None
    status: int | None
    message: str | None
    code: str | None
    opportunity_id: str | None
    new: bool | None
    trace_id: str | None
    accepted_at: float | None
    ended_at: float | None


@dataclass(frozen=True, slots=True)
class Entry:
    """An entry of a stream: the outcomes of a job, and of jobs of the same service that were merged into it."""

    id: str
    outcomes: tuple[Outcome, ...]


def read_entries(service: str, found: Sequence[tuple[bytes, Mapping[bytes, bytes] | None]]) -> list[Entry]:
    """Return entries as the client reads them. One that was removed meanwhile, or that cannot be read, is empty."""
    return [Entry(text_of(entry_id), _outcomes(service, fields or {})) for entry_id, fields in found]


def _outcomes(service: str, fields: Mapping[bytes, bytes]) -> tuple[Outcome, ...]:
    stored = StoredHash(fields)
    end, state = stored.number("end"), State.read(stored.text("state"))
    if end is None or state is None:
        return ()
    detail = json_object_of(fields.get(b"detail") or b"{}") or {}
    common: dict[str, Any] = {
        "end": end,
        "state": state,
        "reason": stored.text("reason") or None,
        "ended_at": stored.time("ended_at"),
        "new": detail["new"] if isinstance(detail.get("new"), bool) else None,
        "status": _whole(detail.get("status")),
        **{name: _text(detail.get(name)) for name in ("message", "code", "opportunity_id", "trace_id")},
    }
    words = fields.get(b"jobs", b"").split()
    ids, times = words[::2], words[1::2]
    return tuple(
        Outcome(service, text_of(job_id), accepted_at=_time(time), **common)
        for job_id, time in zip(ids, times, strict=False)
    )


def _time(word: bytes) -> float | None:
    return (number_of(word) or 0) / MICROSECONDS or None


def _whole(value: Any) -> int | None:
    return value if isinstance(value, int) and not isinstance(value, bool) else None


def _text(value: Any) -> str | None:
    return value if isinstance(value, str) else None
