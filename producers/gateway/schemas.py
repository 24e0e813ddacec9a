"""What the OpenAPI document says of each call: bodies, answers and problems."""

from datetime import datetime
from typing import Annotated, Any, Literal

from pydantic import BaseModel, ConfigDict, Field
from pydantic.json_schema import models_json_schema

from lanes.queue.job import State
from producers.gateway import problems
from producers.gateway.bodies import JSON, LINES
from producers.gateway.long_polls import MAX_SECONDS
from producers.gateway.problems import MEDIA_TYPE, ProblemType
from producers.model import EnqueueOptions, UpsertOpportunity
from producers.model_v3 import UpsertOpportunityV3

KEY_TEXT = (
    "The same key and body are the same job, however often it is sent. It is your service's: others may use the same. "
    "The row may have it as `_options.idempotency_key` instead."
)
PREFER_TEXT = f"`wait=20`: answer when the job is done, or after 20 seconds. At most {MAX_SECONDS}."
JOB_ID_TEXT = (
    "An id of your own for the job, instead of an idempotency key: the same id is always the same job, even with "
    "another body. It is your service's: the `job_id` of the answer begins with a prefix of your service, and can be "
    "sent, too."
)
Seconds = Annotated[float, Field(description="seconds since the epoch")]
_REF = "#/components/schemas/"


class RowOptions(EnqueueOptions):
    """The options of a row, under `_options`."""

    not_before: datetime | None = None
    expires_at: datetime | None = None
    event_time: datetime | None = None


class Row(UpsertOpportunity):
    """An upsert of API version 2021-07-28, with the API's field names, and options."""

    options: RowOptions | None = Field(None, alias="_options")


class RowV3(UpsertOpportunityV3):
    """An upsert of API version v3, with the API's field names, and options."""

    options: RowOptions | None = Field(None, alias="_options")


class Accepted(BaseModel):
    """An accepted job."""

    model_config = ConfigDict(extra="forbid")

    job_id: str
    state: State | None = Field(description="null: not known; or it is done and no longer kept")
    duplicate: bool = Field(description="an earlier request with this idempotency key made the job")


class Attempt(BaseModel):
    """A request to the API, with what is known of its answer."""

    number: int
    outcome: str
    started_at: Seconds
    ended_at: Seconds
    status: int | None = None
    message: str | None = None
    code: str | None = None
    trace_id: str | None = None
    seconds: float | None = None
    worker: str | None = None
    opportunity_id: str | None = None
    new: bool | None = None
    warning: str | None = None


class Wait(BaseModel):
    """A reason why a job waits: `words` follow "waits". `job_id` is the job that it waits for, if it is yours."""

    cause: str
    words: str
    until: Seconds | None
    job_id: str | None


class JobOfService(BaseModel):
    """A job, as `lanes job ID --json` prints it. `body` is null once it is done, or if it is not only yours."""

    id: str
    location_id: str
    record: str
    state: State
    failures: int
    accepted_at: Seconds
    ended_at: Seconds | None
    not_before: Seconds | None
    expires_at: Seconds | None
    service: str | None
    reason: str | None
    priority: int
    merged_into: str | None
    api_version: str
    body: dict[str, Any] | None
    original: dict[str, Any] | None
    edited_at: Seconds | None
    event_time: Seconds | None
    opportunity_id: str | None
    new: bool | None
    warning: str | None
    attempts: list[Attempt]
    waits: list[Wait]


class OutcomeOfJob(BaseModel):
    """How a job ended. `end` counts its ends: a dead letter may be delivered later. It has no content."""

    service: str
    job_id: str
    end: int
    state: State
    reason: str | None
    status: int | None
    message: str | None
    code: str | None
    opportunity_id: str | None
    new: bool | None
    trace_id: str | None
    accepted_at: Seconds | None
    ended_at: Seconds | None


class OutcomesAfter(BaseModel):
    """Outcomes, and the cursor for those after them. `trimmed`: some after your cursor were removed, unread."""

    outcomes: list[OutcomeOfJob]
    cursor: str
    trimmed: bool


class InvalidField(BaseModel):
    """A problem of a row: the field, its value on one line, and what would be right."""

    field: str
    value: str
    message: str


class Refusal(BaseModel):
    """A row that was not enqueued, by its line, or its place in the array (from 1)."""

    row: int
    errors: list[InvalidField]


class BatchCounts(BaseModel):
    """What became of the rows up to `last_row`, with the first 1,000 refused ones."""

    accepted: int
    duplicates: int
    refused: int
    last_row: int
    refusals: list[Refusal]


class Problem(BaseModel):
    """A problem (RFC 9457). A refused batch has the counts of the rows before, too."""

    type: str
    title: str
    status: int
    detail: str
    errors: list[InvalidField] = Field(default=[], description="every invalid field or parameter")
    job_id: str = Field(default="", description="the job in question")
    state: str = ""
    quota: Literal["", "max_pending", "max_dead", "rate"] = ""
    limit: int = 0
    accepted: int = 0
    duplicates: int = 0
    refused: int = 0
    last_row: int = 0
    refusals: list[Refusal] = []


def components() -> dict[str, Any]:
    """Return the schemas that calls refer to."""
    models = (Row, RowV3, Accepted, JobOfService, BatchCounts, OutcomesAfter, Problem)
    _, found = models_json_schema([(each, "validation") for each in models], ref_template=_REF + "{model}")
    return {name: _lean(schema) for name, schema in found["$defs"].items()}


def _lean(schema: Any) -> Any:
    """Return a schema without titles and defaults: generators of clients read a default as "always there"."""
    if isinstance(schema, list):
        return [_lean(each) for each in schema]
    if not isinstance(schema, dict):
        return schema
    found = {name: _lean(value) for name, value in schema.items() if name not in ("title", "default", "properties")}
    if "properties" in schema:
        found["properties"] = {name: _lean(value) for name, value in schema["properties"].items()}
    return found


def _content(*kinds: str, schema: dict[str, Any]) -> dict[str, Any]:
    return {kind: {"schema": schema} for kind in kinds}


def _ref(model: type[BaseModel]) -> dict[str, Any]:
    return {"$ref": _REF + model.__name__}


def _header(text: str, kind: str = "string") -> dict[str, Any]:
    return {"description": text, "schema": {"type": kind}}


def _parameter(name: str, where: str, text: str, schema: dict[str, Any]) -> dict[str, Any]:
    return {"name": name, "in": where, "required": False, "description": text, "schema": schema}


def _problems(*kinds: ProblemType) -> dict[int | str, Any]:
    """Return the answers for problems, and for those that every call may have."""
    always = (problems.UNREADABLE, problems.NO_KEY, problems.BROKEN, problems.UNAVAILABLE)
    found: dict[int | str, Any] = {}
    for kind in sorted({*always, *kinds}, key=lambda each: each.status):
        answer = found.setdefault(int(kind.status), {"content": _content(MEDIA_TYPE, schema=_ref(Problem))})
        answer["description"] = f"{answer['description']}; or: {kind.title}" if "description" in answer else kind.title
        if kind.status in (429, 503):
            answer["headers"] = {"Retry-After": _header("seconds until a repeat makes sense", "integer")}
        if kind is problems.NO_KEY:
            answer["headers"] = {"WWW-Authenticate": _header("how to send a key")}
    return found


def _answer(description: str, model: type[BaseModel], **headers: dict[str, Any]) -> dict[str, Any]:
    found = {"description": description, "content": _content(JSON, schema=_ref(model))}
    return found | ({"headers": headers} if headers else {})


_ROW = {"anyOf": [_ref(Row), _ref(RowV3)]}
_LOCATION = {"Location": _header("the path of the job")}
_SEND = (problems.TOO_SLOW, problems.TOO_LARGE, problems.MEDIA, problems.INVALID, problems.QUOTA)

ENQUEUE: dict[str, Any] = {
    "responses": {
        200: _answer("The job is done (with `Prefer: wait=N`)", JobOfService, **_LOCATION),
        202: _answer("The job is stored and will be sent, or become a dead letter", Accepted, **_LOCATION),
        **_problems(*_SEND, problems.CONFLICT),
    },
    "openapi_extra": {
        "parameters": [
            _parameter("Idempotency-Key", "header", KEY_TEXT, {"type": "string", "pattern": "^[!-~]{1,128}$"}),
            _parameter("Prefer", "header", PREFER_TEXT, {"type": "string"}),
            _parameter("job_id", "query", JOB_ID_TEXT, {"type": "string", "pattern": "^[A-Za-z0-9_.:-]{1,123}$"}),
        ],
        "requestBody": {"required": True, "content": _content(JSON, schema=_ROW)},
    },
}
BATCH: dict[str, Any] = {
    "responses": {
        200: _answer("All rows were read; those that are not in `refused` are enqueued", BatchCounts),
        **_problems(*_SEND),
    },
    "openapi_extra": {
        "requestBody": {
            "required": True,
            "content": {
                **_content(LINES[0], schema={"type": "string", "description": "a row on each line, up to 100,000"}),
                **_content(JSON, schema={"type": "array", "items": _ROW, "description": "rows, up to 1 MiB"}),
            },
        }
    },
}
GET_JOB: dict[str, Any] = {
    "responses": {200: _answer("The job", JobOfService), **_problems(problems.NOT_FOUND, problems.INVALID)}
}
CANCEL_JOB: dict[str, Any] = {
    "responses": {
        200: _answer("The job is cancelled", JobOfService),
        **_problems(problems.NOT_FOUND, problems.NOT_PENDING, problems.INVALID),
    }
}
OUTCOMES: dict[str, Any] = {
    "responses": {
        200: _answer("Outcomes, or none", OutcomesAfter),
        **_problems(problems.NOT_FOUND, problems.INVALID, problems.POLLS),
    }
}
