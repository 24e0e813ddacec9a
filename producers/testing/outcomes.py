"""Outcomes in memory, for tests."""

from collections.abc import Iterable

from lanes.errors import SettingsError
from lanes.outcomes.outcome import Outcome
from lanes.outcomes.stream import BEGINNING, CursorError, OutcomePage
from lanes.queue.job import Job
from lanes.settings import ProducerSettings


def ended(jobs: Iterable[Job], settings: ProducerSettings, service: str | None) -> list[Outcome]:
    """Return the outcomes of a service's jobs, by default of the service of the settings, in the order of their ends.

    Raises:
        SettingsError: no service is named.
    """
    name = service or settings.service
    if not name:
        raise SettingsError("whose outcomes? Set the service in the settings, or name it")
    done = [job for job in jobs if job.service == name and job.state.final]
    return [_outcome(name, job) for job in sorted(done, key=lambda job: job.ended_at or 0)]


def page_of(outcomes: list[Outcome], after: str | None, count: int) -> OutcomePage:
    """Return the outcomes after a cursor: how many were read before.

    Raises:
        CursorError: it is no cursor.
    """
    number, _, rest = (after or BEGINNING).partition("-")
    if not number.isdecimal() or rest != "0":
        raise CursorError(str(after))
    found = outcomes[int(number) :][:count]
    return OutcomePage(tuple(found), f"{int(number) + len(found)}-0")


def _outcome(service: str, job: Job) -> Outcome:
    last = job.attempts[-1].detail if job.attempts else {}
    return Outcome(
        service=service,
        job_id=job.id,
        end=1,
        state=job.state,
        reason=job.reason,
        status=last.get("status"),
        message=job.message,
        code=job.code,
        opportunity_id=job.opportunity_id,
        new=job.new,
        trace_id=last.get("trace_id"),
        accepted_at=job.accepted_at,
        ended_at=job.ended_at,
    )
