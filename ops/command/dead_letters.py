"""Which dead letters a command is about."""

from collections.abc import Callable, Iterable, Iterator
from dataclasses import dataclass
from typing import Any

import click

from lanes.job import Job, Reason, State
from lanes.store import LaneStore
from ops.command.words import LocationId, printable
from producers.intake import batches

STEP = 200
REASONS = tuple(reason.value for reason in Reason if reason is not Reason.PURGED)


@dataclass(frozen=True, slots=True)
class Choice:
    """All dead letters, or those of a location or with a reason."""

    location_id: str | None = None
    reason: str | None = None

    def takes(self, job: Job | None) -> bool:
        """Whether it is about this job."""
        return (
            job is not None
            and job.state is State.DEAD
            and self.location_id in (None, job.location_id)
            and self.reason in (None, job.reason)
        )

    def __str__(self) -> str:
        place = f" of {self.location_id}" if self.location_id else ""
        return f"{place} ({self.reason})" if self.reason else place


def choice_options(function: Callable[..., Any]) -> Callable[..., Any]:
    """Give a command `--location` and `--reason`."""
    function = click.option("--reason", type=click.Choice(REASONS), help="Only those that died of this.")(function)
    return click.option("--location", type=LocationId(), help="Only those of this location.")(function)


def choose(store: LaneStore, choice: Choice) -> Iterator[Job]:
    """Go through the dead letters of a choice, oldest death first.

    All ids are read first: replaying and purging would move the places of the others.
    """
    for ids in batches(list(store.dead_ids()), STEP):
        yield from (job for job in store.jobs(ids) if job is not None and choice.takes(job))


def ids_of(jobs: Iterable[Job]) -> list[str]:
    """Return their ids."""
    return [job.id for job in jobs]


def last_answer(job: Job) -> str:
    """Say in one line what the last attempt came to."""
    if not job.attempts:
        return ""
    detail = job.attempts[-1].detail
    message = detail.get("message")
    shown = "; ".join(map(str, message)) if isinstance(message, list) else str(message or "")
    return printable(f"{detail['status']} {shown}".strip() if detail.get("status") else shown)
