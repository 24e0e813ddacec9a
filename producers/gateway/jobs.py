"""`GET` and `DELETE /v1/jobs/{id}`: the jobs of the caller's service."""

import asyncio
import json
from collections.abc import Mapping
from dataclasses import replace
from typing import Annotated, Any

from fastapi import Path, Request
from starlette.responses import Response

from lanes.queue.job import Job, State
from lanes.queue.store import LaneStore
from producers.errors import InvalidJobError, UnknownJobError
from producers.gateway import schemas
from producers.gateway.bodies import JSON
from producers.gateway.gateway import Gateway, gateway_of
from producers.gateway.keys import caller_of, router_of_calls
from producers.gateway.problems import NO_JOB, NOT_FOUND, ProblemError, cannot_be_cancelled
from producers.gateway.service_lanes import ids_of
from producers.new_job import check_job_id

router = router_of_calls()
MAX_MERGED_JOBS = 1000  # with more, the content is not shown
JobId = Annotated[str, Path(description="the id of a job of your service")]


@router.get("/jobs/{job_id}", **schemas.GET_JOB)
async def get_job(request: Request, job_id: JobId) -> Response:
    """Return a job of your service: its state, its attempts and the API's answers."""
    return await job_response(gateway_of(request.app), caller_of(request), job_id)


@router.delete("/jobs/{job_id}", **schemas.CANCEL_JOB)
async def cancel_job(request: Request, job_id: JobId) -> Response:
    """Cancel a pending job of your service. A job that is cancelled already stays so."""
    caller, gateway = caller_of(request), gateway_of(request.app)
    _check(job_id)
    producer = gateway.producer(caller)
    if not await producer.cancel(job_id):
        job = await producer.status(job_id)
        if job.state is not State.CANCELLED:
            raise cannot_be_cancelled(job)
    return await job_response(gateway, caller, job_id)


def _check(job_id: str) -> None:
    """Answer ids that no job can have without asking Redis."""
    try:
        check_job_id(job_id)
    except InvalidJobError:
        raise ProblemError(NOT_FOUND, NO_JOB) from None


async def job_response(
    gateway: Gateway, service: str, job_id: str, headers: Mapping[str, str] | None = None
) -> Response:
    """Return a job of a service as a response.

    Raises:
        UnknownJobError: it does not exist, or is of another service.
    """
    _check(job_id)
    found = await asyncio.to_thread(read_job, gateway.lanes, service, job_id)
    if found is None:
        raise UnknownJobError(job_id)
    return Response(json.dumps(found), headers=headers, media_type=JSON)


def read_job(lanes: LaneStore, service: str, job_id: str) -> dict[str, Any] | None:
    """Return a job as `lanes job ID --json` prints it, without the ids and content of other services' jobs.

    None if it does not exist, or is of another service.
    """
    jobs = (lanes.job(each) for each in ids_of(service, job_id))
    job = next((each for each in jobs if each is not None and each.service == service), None)
    if job is None:
        return None
    if (job.body or job.original) and not _is_content_own(lanes, service, job.id):
        job = replace(job, body=None, original=None)
    position = lanes.queue_position(job.id)
    waits = [wait.as_json() for wait in position.blockers()] if position else []
    own = _own_ids(lanes, service, {job.merged_into, *(wait["job_id"] for wait in waits)})
    found = {**job.as_json(), "merged_into": job.merged_into if job.merged_into in own else None}
    return found | {"waits": [{**wait, "job_id": wait["job_id"] if wait["job_id"] in own else None} for wait in waits]}


def _is_content_own(lanes: LaneStore, service: str, job_id: str) -> bool:
    """Return whether every job that was merged into this one is of the service."""
    merged = lanes.merged_jobs(job_id, MAX_MERGED_JOBS)
    jobs: list[Job | None] = lanes.read_jobs(merged.some) if merged.some else []
    return merged.total <= MAX_MERGED_JOBS and all(job is not None and job.service == service for job in jobs)


def _own_ids(lanes: LaneStore, service: str, job_ids: set[str | None]) -> set[str]:
    """Return those of these ids that are of jobs of the service."""
    ids = [job_id for job_id in job_ids if job_id is not None]
    return {job.id for job in lanes.read_jobs(ids) if job and job.service == service} if ids else set()
