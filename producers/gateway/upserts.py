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
from producers.gateway.keys import caller_of, router_of_calls
from producers.gateway.long_polls import preferred_wait, unless_ending
from producers.gateway.metrics import count_rows
from producers.gateway.problems import CONFLICT, MEDIA, ProblemError
from producers.gateway.rows import check_service, read_row, with_key
from producers.new_job import OPTIONS_FIELD
from producers.receipt import Receipt

router = router_of_calls()


@router.post("/upserts", status_code=202, **schemas.ENQUEUE)
async def enqueue(request: Request) -> Response:
    """Enqueue one upsert."""
    caller, headers, job_id = caller_of(request), request.headers, request.query_params.get("job_id")
    if not media_type(request).endswith("json"):
        raise ProblemError(MEDIA, f"the body must be {JSON}")
    gateway = gateway_of(request.app)
    producer = gateway.producer(caller)
    body = await read_body(request, MAX_ROW_BYTES)
    try:
        row = with_key(read_row(body), headers.get("idempotency-key"))
        check_service(row, caller, gateway.settings)
        receipt = await producer.enqueue(row, job_id=job_id)
    except (InvalidJobError, IdempotencyConflictError, OverQuotaError):
        count_rows(caller, refused=1)
        raise
    state = await _state(gateway, producer, receipt, row, own_id=job_id is not None)
    count_rows(caller, accepted=not receipt.duplicate, duplicates=receipt.duplicate)
    wait = preferred_wait(headers.get("prefer"))
    answer = {"Location": f"/v1/jobs/{receipt.job_id}"}
    if wait and state is not None:
        # It is accepted, whatever happens to Redis from here on.
        with contextlib.suppress(RedisUnavailableError, UnknownJobError):
            state = await _wait(request, gateway, caller, receipt.job_id, wait) or state
            if state.final:
                return await job_response(
                    gateway, caller, receipt.job_id, {**answer, "Preference-Applied": f"wait={wait}"}
                )
    accepted = {"job_id": receipt.job_id, "state": state, "duplicate": receipt.duplicate}
    return Response(json.dumps(accepted), 202, answer, JSON)


async def _state(
    gateway: Gateway,
    producer: AsyncOpportunityProducer,
    receipt: Receipt,
    row: dict[str, object],
    *,
    own_id: bool,
) -> State | None:
    """Return the state of an accepted job, None if it is done and no longer kept. A new one is pending.

    Raises:
        ProblemError: its id belongs to a job of another service.
    """
    may_exist = receipt.duplicate or own_id
    options = row.get(OPTIONS_FIELD)
    asked = options if isinstance(options, dict) else {}
    if not (may_exist or gateway.settings.merge or asked.get("merge") or asked.get("event_time")):
        return State.PENDING
    try:
        return (await producer.status(receipt.job_id)).state
    except RedisUnavailableError:
        if may_exist:  # a repeat finds it again
            raise
        return State.PENDING
    except UnknownJobError:
        if own_id:
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
