"""Errors as problem details (RFC 9457)."""

import json
import logging
import math
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from functools import partial
from http import HTTPStatus
from typing import Any, Self

from fastapi import FastAPI, Request
from fastapi.exceptions import RequestValidationError
from fastapi.routing import iter_route_contexts
from starlette.exceptions import HTTPException
from starlette.requests import ClientDisconnect
from starlette.responses import Response
from starlette.routing import compile_path

from lanes.errors import LanesError, OverQuotaError, RedisUnavailableError, Trouble
from lanes.outcomes.stream import CursorError, NoOutcomesError
from lanes.queue.job import Job
from producers.errors import (
    DurabilityError,
    EnqueueFailedError,
    IdempotencyConflictError,
    InvalidJobError,
    UnknownJobError,
)
from producers.model import shorten
from producers.receipt import FieldError

log = logging.getLogger(__name__)
# Its lines are throttled: during an outage of Redis each request would write one.
redis_log = logging.getLogger("producers.gateway.redis")

MEDIA_TYPE = "application/problem+json"
# A client that repeats waits this long while Redis is away or full.
RETRY_SECONDS = 5
BROKEN_DATA = "the stored data cannot be read; an operator sees why with: lanes check"
NO_JOB = "no job has this id: mistyped, of another service, or done and no longer kept"


@dataclass(frozen=True, slots=True)
class ProblemType:
    """A kind of problem: its name in the `type`, its status, and what it means."""

    name: str
    status: HTTPStatus
    title: str


UNREADABLE = ProblemType("unreadable", HTTPStatus.BAD_REQUEST, "The request cannot be read")
NO_KEY = ProblemType("no-key", HTTPStatus.UNAUTHORIZED, "The key is missing or unknown")
NOT_FOUND = ProblemType("not-found", HTTPStatus.NOT_FOUND, "There is no such job or page, or no outcomes")
NO_METHOD = ProblemType("method", HTTPStatus.METHOD_NOT_ALLOWED, "The page does not take this method")
TOO_SLOW = ProblemType("too-slow", HTTPStatus.REQUEST_TIMEOUT, "The body did not arrive in time")
CONFLICT = ProblemType("conflict", HTTPStatus.CONFLICT, "The idempotency key or job id was used for something else")
NOT_PENDING = ProblemType("not-pending", HTTPStatus.CONFLICT, "The job cannot be cancelled any more")
TOO_LARGE = ProblemType("too-large", HTTPStatus.REQUEST_ENTITY_TOO_LARGE, "The body is too large")
MEDIA = ProblemType("media-type", HTTPStatus.UNSUPPORTED_MEDIA_TYPE, "The body has another content type")
INVALID = ProblemType("invalid", HTTPStatus.UNPROCESSABLE_ENTITY, "A field or a parameter is invalid")
QUOTA = ProblemType("quota", HTTPStatus.TOO_MANY_REQUESTS, "A quota of the service is used up")
HEADERS = ProblemType("headers", HTTPStatus.REQUEST_HEADER_FIELDS_TOO_LARGE, "The headers are too long")
POLLS = ProblemType("polls", HTTPStatus.TOO_MANY_REQUESTS, "The key has too many long polls")
BROKEN = ProblemType("broken", HTTPStatus.INTERNAL_SERVER_ERROR, "The gateway failed")
UNAVAILABLE = ProblemType("unavailable", HTTPStatus.SERVICE_UNAVAILABLE, "Redis is unreachable, or refuses")
ALL = (
    *(UNREADABLE, NO_KEY, NOT_FOUND, NO_METHOD, TOO_SLOW, CONFLICT, NOT_PENDING, TOO_LARGE, MEDIA, INVALID, QUOTA),
    *(POLLS, HEADERS, BROKEN, UNAVAILABLE),
)
_BY_STATUS = {each.status: each for each in (UNREADABLE, NOT_FOUND, NO_METHOD)}


class ProblemError(Exception):
    """Ends a request with a problem. `members` are further members of its JSON object."""

    def __init__(
        self, kind: ProblemType, detail: str, headers: Mapping[str, str] | None = None, **members: object
    ) -> None:
        super().__init__(detail)
        self.kind = kind
        self.detail = detail
        self.headers = dict(headers or {})
        self.members = members

    def adding(self, members: Mapping[str, object]) -> Self:
        """Add members, and return the problem."""
        self.members = {**self.members, **members}
        return self

    def response(self) -> Response:
        """Return the response."""
        kind = self.kind
        body = {"type": f"/docs#{kind.name}", "title": kind.title, "status": int(kind.status), "detail": self.detail}
        content = json.dumps({**body, **self.members})
        return Response(content, kind.status, self.headers, MEDIA_TYPE)


def errors_of(field_errors: tuple[FieldError, ...]) -> list[dict[str, str]]:
    """Return every problem of a row as plain values."""
    return [{"field": each.field, "value": each.value, "message": each.message} for each in field_errors]


def unauthenticated(detail: str) -> ProblemError:
    """Return the problem of a request without a valid key."""
    return ProblemError(NO_KEY, detail, {"WWW-Authenticate": 'Bearer realm="lanes"'})


def cannot_be_cancelled(job: Job) -> ProblemError:
    """Return the problem of a job that is not pending any more, or that others were merged with."""
    why = "it was merged with another job" if job.merged_into or job.state == "pending" else f"it is {job.state}"
    return ProblemError(NOT_PENDING, f"job {job.id} cannot be cancelled: {why}", job_id=job.id, state=job.state)


def quota_exceeded(error: OverQuotaError, **members: object) -> ProblemError:
    """Return the problem of a service that is over a quota."""
    seconds = max(1, math.ceil(error.retry_after))
    return ProblemError(
        QUOTA, str(error), {"Retry-After": str(seconds)}, quota=error.quota, limit=error.limit, **members
    )


def unavailable(error: RedisUnavailableError, **members: object) -> ProblemError:
    """Return the problem of a Redis that is away or refuses. Its own words stay in the log: they name addresses."""
    what = "is full" if error.trouble is Trouble.FULL else "cannot be reached, or refuses"
    detail = f"Redis {what}. Send the request again, with its idempotency key or job_id: no job is made twice"
    return ProblemError(UNAVAILABLE, detail, {"Retry-After": str(RETRY_SECONDS)}, **members)


def problem_of(error: LanesError) -> ProblemError:
    """Return the problem for an error of the producer."""
    if isinstance(error, InvalidJobError):
        return ProblemError(INVALID, str(error), errors=errors_of(error.field_errors))
    if isinstance(error, IdempotencyConflictError):
        return ProblemError(CONFLICT, str(error), job_id=error.job_id)
    if isinstance(error, CursorError):
        return problem_of(InvalidJobError([FieldError("after", shorten(error.cursor), error.problem)]))
    if isinstance(error, NoOutcomesError):
        return ProblemError(NOT_FOUND, str(error))
    if isinstance(error, UnknownJobError):
        return ProblemError(NOT_FOUND, NO_JOB)
    if isinstance(error, OverQuotaError):
        return quota_exceeded(error)
    if isinstance(error, DurabilityError):
        what, job = ("the rows are", {}) if error.receipt is None else ("it is", {"job_id": error.receipt.job_id})
        detail = f"{what} accepted and will be sent, but the durability is not confirmed"
        return ProblemError(UNAVAILABLE, detail, {"Retry-After": str(RETRY_SECONDS)}, **job)
    if isinstance(error, EnqueueFailedError):
        return unavailable(error, job_id=error.job_id)
    if isinstance(error, RedisUnavailableError):
        return unavailable(error)
    return ProblemError(BROKEN, BROKEN_DATA)


def _of_http(error: HTTPException) -> ProblemError:
    return ProblemError(_BY_STATUS.get(HTTPStatus(error.status_code), UNREADABLE), str(error.detail), error.headers)


def _of_parameters(error: RequestValidationError) -> ProblemError:
    found = [
        FieldError(str(each["loc"][-1]), shorten(each.get("input")), str(each["msg"]).removeprefix("Input "))
        for each in error.errors()
    ]
    return problem_of(InvalidJobError(found))


_OF: dict[type[Exception], Callable[[Any], ProblemError]] = {
    ProblemError: lambda error: error,
    LanesError: problem_of,
    HTTPException: _of_http,
    RequestValidationError: _of_parameters,
    ClientDisconnect: lambda _: ProblemError(UNREADABLE, "the connection ended before the body did"),
    Exception: lambda _: ProblemError(BROKEN, "the gateway failed; its log says why"),  # the server logs it
}


def _methods(request: Request) -> str:
    """Return the methods that the path of a request takes."""
    path, found = request.scope["path"], set[str]()
    for each in iter_route_contexts(request.app.routes):
        if compile_path(str(each.path))[0].match(path):
            found.update(each.methods or ())
    return ", ".join(sorted(found))


async def _answer(make: Callable[[Any], ProblemError], request: Request, error: Exception) -> Response:
    problem = make(error)
    if problem.kind is NO_METHOD:
        problem.headers["Allow"] = _methods(request)  # the router names those of one route only
    if problem.kind is UNAVAILABLE:
        redis_log.warning("Redis is unavailable: %s", error.__cause__ or error)
    elif problem.kind.status >= HTTPStatus.INTERNAL_SERVER_ERROR:
        log.warning("request failed: %s", error.__cause__ or error)
    return problem.response()


def install(app: FastAPI) -> None:
    """Answer every error of the app with problem details."""
    for kind, make in _OF.items():
        app.add_exception_handler(kind, partial(_answer, make))
