"""What the transitions answer: the job that was released, or that none was; what was taken back; what is due."""

from dataclasses import dataclass


@dataclass(frozen=True, slots=True)
class Released:
    """A job that the caller must send now, before its lease ends. `body` is the JSON to send.

    `merged_count` counts the jobs that were merged into it; `version` is that of the API that the body is for.
    """

    id: str
    location_id: str
    attempt: int
    failures: int
    released_at: float
    merged_count: int
    version: str
    body: bytes


@dataclass(frozen=True, slots=True)
class Idle:
    """Nothing could be released. `seconds` until a lane is due, None when none will be by itself."""

    seconds: float | None


@dataclass(frozen=True, slots=True)
class Result:
    """What a transition answered, and the job that the same call released, if it was asked to."""

    code: str
    next: Released | Idle | None


@dataclass(frozen=True, slots=True)
class Reclaimed:
    """A job whose attempt was lost. `buried` when that was its last."""

    id: str
    location_id: str
    attempt: int
    buried: bool


@dataclass(frozen=True, slots=True)
class DueJobs:
    """Jobs that could be sent now, counted up to a limit, and seconds until a lane is due (None: none will be)."""

    due: int
    seconds: float | None
