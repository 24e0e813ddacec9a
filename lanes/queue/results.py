"""Results of the transitions."""

from dataclasses import dataclass


@dataclass(frozen=True, slots=True)
class Released:
    """A job to send before its lease ends. `body` is the JSON to send, `version` its API version.

    `merged_count` is the number of jobs merged into it.
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
    """Nothing could be released. `seconds` until a lane is due, None if none will be automatically.

    `reserved`: lanes are due, but a reserved consumer gets none of their jobs. It asks again after `seconds`.
    """

    seconds: float | None
    reserved: bool = False


@dataclass(frozen=True, slots=True)
class Result:
    """The answer of a transition, and the job that the same call released, if requested.

    Times in seconds: `elapsed` from release to report, if the report ended the attempt; `wait` from enqueue (or
    not-before, or replay) to delivery, if it delivered the job.
    """

    code: str
    next: Released | Idle | None
    elapsed: float | None = None
    wait: float | None = None


@dataclass(frozen=True, slots=True)
class Reclaimed:
    """A job whose attempt was lost. `buried` if that was its last."""

    id: str
    location_id: str
    attempt: int
    buried: bool


@dataclass(frozen=True, slots=True)
class DueJobs:
    """Number of jobs that could be sent now, up to a limit, and seconds until a lane is due (None: none will be)."""

    due: int
    seconds: float | None


@dataclass(frozen=True, slots=True)
class Forgotten:
    """Number of done jobs forgotten before their time, and whether there are more to forget."""

    jobs: int
    more: bool


@dataclass(frozen=True, slots=True)
class HistorySize:
    """The done jobs that can be read: how many (without merged ones), about how many bytes, and the end of the oldest.

    `forgotten` is the number of jobs that were forgotten before their time. Seconds since the epoch, None for no job.
    """

    jobs: int
    size: int
    oldest: float | None
    forgotten: int
