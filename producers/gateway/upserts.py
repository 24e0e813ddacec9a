"""`POST /v1/upserts`: one row."""

import contextlib
import json

from fastapi import Request
from starlette.responses import Response

from lanes.errors import OverQuotaError, RedisUnavailableError
from lanes.queue.job import State
from producers.async_producer import AsyncOpportunityProducer
from producers.errors import IdempotencyConflictError, InvalidJobError, UnknownJobError, WaitTimeoutError
from producers.files.text import MAX_ROW_BYTES
from producers.gateway import schemas
from producers.gateway.bodies import JSON, media_type, read_body
from producers.gateway.gateway import Gateway, gateway_of
from producers.gateway.jobs import job_response
from producers.gateway.keys import RequestCall, caller_of, router_of_calls
from producers.gateway.long_polls import preferred_wait, unless_ending
from producers.gateway.metrics import count_rows
from producers.gateway.problems import CONFLICT, MEDIA, ProblemError
from producers.gateway.rows import KEY_HEADER, check_service, may_merge, read_row, with_key
from producers.gateway.service_lanes import job_id_of
from producers.receipt import Receipt

router = router_of_calls(RequestCall)


@router.post("/upserts", status_code=202, **schemas.ENQUEUE)
async def enqueue(request: Request) -> Response:
    """Enqueue one upsert."""
    caller, gateway = caller_of(request), gateway_of(request.app)
    if not media_type(request).endswith("json"):
        raise ProblemError(MEDIA, f"the body must be {JSON}")
    body, producer = await read_body(request, MAX_ROW_BYTES), gateway.producer(caller)
    chosen = request.query_params.get("job_id")
    try:
        row = with_key(read_row(body), request.headers.getlist(KEY_HEADER))
        check_service(row, caller, gateway.settings)
        receipt = await producer.enqueue(row, job_id=job_id_of(caller, chosen))
    except (InvalidJobError, IdempotencyConflictError, OverQuotaError):
        count_rows(caller, refused=1)
        raise
    count_rows(caller, accepted=not receipt.duplicate, duplicates=receipt.duplicate)
    may_differ = receipt.duplicate or chosen is not None or may_merge(row, gateway.settings)
    state = await state_of(producer, receipt, may_differ=may_differ, is_chosen=chosen is not None)
    wait = preferred_wait(request.headers.get("prefer"))
    answer = {"Location": f"/v1/jobs/{receipt.job_id}"}
    if wait:
        # It is accepted, whatever happens to Redis from here on.
        with contextlib.suppress(RedisUnavailableError, UnknownJobError):
            state = await _wait(request, gateway, caller, receipt.job_id, wait) or state
            if state is not None and state.final:
                return await job_response(
                    gateway, caller, receipt.job_id, {**answer, "Preference-Applied": f"wait={wait}"}
                )
    accepted = {"job_id": receipt.job_id, "state": state, "duplicate": receipt.duplicate}
    return Response(json.dumps(accepted), 202, answer, JSON)


async def state_of(
    producer: AsyncOpportunityProducer, receipt: Receipt, *, may_differ: bool, is_chosen: bool = False
) -> State | None:
    """Return the state of an accepted job; None if it cannot be read, or is no longer kept.

    Args:
        producer: of the service.
        receipt: of the job.
        may_differ: whether it may be in another state than pending.
        is_chosen: whether the caller chose its id, so that it may be the id of another job.

    Raises:
        RedisUnavailableError: whose job has the chosen id is not known; a repeat finds it again.
        ProblemError: the chosen id is that of a job of another service.
    """
    if not may_differ:
        return State.PENDING
    try:
        return (await producer.status(receipt.job_id)).state
    except RedisUnavailableError:
        if is_chosen:
            raise
    except UnknownJobError:
        if is_chosen:
            detail = f"the job_id {receipt.job_id} was used for another job: choose another one"
            raise ProblemError(CONFLICT, detail) from None
    return None


async def _wait(request: Request, gateway: Gateway, caller: str, job_id: str, seconds: int) -> State | None:
    """Wait until a job is done, and return its state; None if too many others wait, or the request ends."""
    with gateway.long_polls.slot(caller) as is_free:
        if not is_free:
            return None
        try:
            job = await unless_ending(request, gateway.producer(caller).wait(job_id, seconds))
        except WaitTimeoutError as error:
            return error.job.state
        return None if job is None else job.state
