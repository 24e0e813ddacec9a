"""`GET /v1/outcomes`: what became of the jobs of the caller's service."""

import json
from typing import Annotated

from fastapi import Query, Request
from starlette.responses import Response

from lanes.outcomes.stream import BEGINNING, OutcomePage
from producers.gateway import schemas
from producers.gateway.bodies import JSON
from producers.gateway.gateway import gateway_of
from producers.gateway.keys import caller_of, router_of_calls
from producers.gateway.long_polls import MAX_PER_SERVICE, MAX_SECONDS, unless_ending
from producers.gateway.problems import POLLS, ProblemError

router = router_of_calls()
MAX_OUTCOMES = 1000
After = Annotated[str | None, Query(description="The `cursor` of the page before; without it, from the oldest on.")]
Limit = Annotated[int, Query(ge=1, le=MAX_OUTCOMES, description="Outcomes to return; there may be some hundred more.")]
Wait = Annotated[int, Query(ge=0, le=MAX_SECONDS, description="Seconds to wait for an outcome, if there is none yet.")]


@router.get("/outcomes", **schemas.OUTCOMES)
async def read_outcomes(request: Request, after: After = None, limit: Limit = 100, wait: Wait = 0) -> Response:
    """Return the outcomes of your service's jobs after a cursor, in the order of their ends.

    Keep the cursor once you have stored what became of these jobs, and send it with the next request. The same outcome
    may come again: it is known by `job_id` and `end`.
    """
    caller, gateway = caller_of(request), gateway_of(request.app)
    reading = gateway.producer(caller).read_outcomes(after=after, count=limit, wait=wait)
    if not wait:
        page: OutcomePage | None = await reading
    else:
        with gateway.long_polls.slot(caller) as is_free:
            if not is_free:
                reading.close()
                detail = f"at most {MAX_PER_SERVICE} requests of a service wait at a time; ask without `wait`"
                raise ProblemError(POLLS, detail, {"Retry-After": "1"})
            page = await unless_ending(request, reading)
    page = page or OutcomePage((), after or BEGINNING)
    body = {"outcomes": [each.as_json() for each in page.outcomes], "cursor": page.cursor, "trimmed": page.trimmed}
    return Response(json.dumps(body), media_type=JSON)
