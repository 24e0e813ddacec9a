"""Jobs in every place of a lane, made without a worker."""

import json
from datetime import UTC, datetime, timedelta
from typing import Any

from lanes.queue.results import Released
from lanes.queue.store import LaneStore
from lanes.queue.transitions import AttemptReport, Consumer, CountedRefusal, DefaultLimits, RateLimitInfo
from producers.new_job import make_new_job
from tests.helpers import row
from tests.worker.dashboard.conftest import Site

LIMITS = DefaultLimits(burst=100, window=10, daily=200_000)
SECRET = "Name-That-Stays-Masked"
REFUSAL = CountedRefusal(limit=2, gap=50, max_gap=60, status=403, shape="shape")


def make_consumer(worker: str) -> Consumer:
    return Consumer(worker, lease=600, retention=3600, limits=LIMITS)


def release_job(site: Site, job_id: str) -> Released:
    """Release this job; others that were due before it go back."""
    others: list[Released] = []
    while True:
        job = site.store.release(make_consumer(f"thread-{len(others)}-{job_id}@host")).next
        assert isinstance(job, Released), "it is not due"
        if job.id == job_id:
            break
        others.append(job)
    for other in others:
        site.store.requeue(report(other), wait=0, sent=False)
    return job


def report(job: Released, **detail: Any) -> AttemptReport:
    return AttemptReport(job.id, job.attempt, json.dumps({"seconds": 0.25, "worker": "w@host", **detail}), LIMITS)


def bury(site: Site, location: str, contact: str = "dead") -> str:
    job_id = site.producer.enqueue(row(location, contact, name=SECRET)).job_id
    refused = report(release_job(site, job_id), status=422, message=["name is wrong"], code="BAD", trace_id="trace-422")
    site.store.bury(refused, reason="refused")
    return job_id


def fail(site: Site, location: str, contact: str = "flaky", *, backoff: float = 3600) -> str:
    job_id = site.producer.enqueue(row(location, contact, name=SECRET)).job_id
    site.store.retry(report(release_job(site, job_id), status=502, trace_id="trace-502"), delay=backoff)
    return job_id


def put_in_flight(site: Site, location: str, contact: str = "flying") -> str:
    job_id = site.producer.enqueue(row(location, contact, name=SECRET)).job_id
    release_job(site, job_id)
    return job_id


def enqueue_pending(site: Site, location: str, contact: str = "waiting", **options: Any) -> str:
    """Enqueue a job that stays pending: there is no worker."""
    return site.producer.enqueue(row(location, contact, name=SECRET), **options).job_id


def put_on_brake(store: LaneStore, location: str) -> None:
    """Put a lane on the brake; a job waits in it. What else is due goes out and comes back."""
    for contact in "abc":
        store.enqueue(make_new_job(row(location, contact, name=SECRET)), 60)
    others: list[Released] = []
    refused = 0
    while refused < REFUSAL.limit:
        job = store.release(make_consumer(f"thread-{len(others)}-{refused}-{location}@host")).next
        assert isinstance(job, Released), "it is not due"
        if job.location_id != location:
            others.append(job)
            continue
        detail = json.dumps({"status": 403, "message": f"{SECRET} is forbidden"})
        said = AttemptReport(job.id, job.attempt, detail, LIMITS, RateLimitInfo())
        assert store.bury(said, reason="refused", refusal=REFUSAL).code == "buried"
        refused += 1
    for other in others:
        store.requeue(report(other), wait=0, sent=False)


def in_an_hour() -> datetime:
    return datetime.now(UTC) + timedelta(hours=1)
