"""Jobs in every place of a lane, made without a worker."""

import json
from datetime import UTC, datetime, timedelta
from typing import Any

from lanes.results import Released
from lanes.transitions import Limits, Report, Seat
from tests.worker.dashboard.conftest import Site, row

LIMITS = Limits(burst=100, window=10, daily=200_000)
SECRET = "Name-That-Stays-Masked"


def seat(worker: str) -> Seat:
    return Seat(worker, lease=600, retention=3600, limits=LIMITS)


def take(site: Site, job_id: str) -> Released:
    """Release this job; others that were due before it go back."""
    others: list[Released] = []
    while True:
        job = site.store.release(seat(f"hand-{len(others)}-{job_id}@host")).next
        assert isinstance(job, Released), "it is not due"
        if job.id == job_id:
            break
        others.append(job)
    for other in others:
        site.store.defer(report(other), wait=0, sent=False)
    return job


def report(job: Released, **detail: Any) -> Report:
    return Report(job.id, job.attempt, json.dumps({"seconds": 0.25, "worker": "w@host", **detail}), LIMITS)


def bury(site: Site, location: str, contact: str = "dead") -> str:
    job_id = site.producer.enqueue(row(location, contact, name=SECRET)).job_id
    refused = report(take(site, job_id), status=422, message=["name is wrong"], code="BAD", trace_id="trace-422")
    site.store.bury(refused, reason="refused")
    return job_id


def fail(site: Site, location: str, contact: str = "flaky", *, backoff: float = 3600) -> str:
    job_id = site.producer.enqueue(row(location, contact, name=SECRET)).job_id
    site.store.retry(report(take(site, job_id), status=502, trace_id="trace-502"), delay=backoff)
    return job_id


def fly(site: Site, location: str, contact: str = "flying") -> str:
    job_id = site.producer.enqueue(row(location, contact, name=SECRET)).job_id
    take(site, job_id)
    return job_id


def wait(site: Site, location: str, contact: str = "waiting", **options: Any) -> str:
    """Enqueue a job that stays pending: nobody takes it."""
    return site.producer.enqueue(row(location, contact, name=SECRET), **options).job_id


def in_an_hour() -> datetime:
    return datetime.now(UTC) + timedelta(hours=1)
