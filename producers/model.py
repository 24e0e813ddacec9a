"""The body of an upsert and its options, checked where they enter."""

import re
from collections.abc import Collection, Mapping
from datetime import datetime
from decimal import Decimal
from difflib import get_close_matches
from types import MappingProxyType
from typing import Annotated, Any, ClassVar, Literal, TypedDict, TypeVar

from pydantic import AwareDatetime, BaseModel, ConfigDict, Field, ValidationError, field_serializer, field_validator
from pydantic.alias_generators import to_camel

from lanes.versions import ApiVersion
from producers.errors import InvalidJobError
from producers.receipt import FieldError

MAX_BODY_BYTES = 64 * 1024
MAX_FIELDS = 64  # of a body or its options, and problems that are told of one
MAX_EXACT = 2**53
_MAX_SHOWN = 60
_WITH_ZONE = "must be a time with a zone, like 2026-05-01T09:00:00Z"
_DATE = re.compile(r"\d{4}-\d\d-\d\d")

Model = TypeVar("Model", bound=BaseModel)

Id = Annotated[str, Field(pattern=r"^[A-Za-z0-9_-]{1,64}$")]
Text = Annotated[str, Field(max_length=2048)]
Number = Annotated[float, Field(allow_inf_nan=False)]
Status = Literal["open", "won", "lost", "abandoned", "all"]


class Upsert(BaseModel):
    """What the bodies of all versions share.

    Fields go by their Python names, which type checkers know, or by the API's own (`pipeline_id` or `pipelineId`). A
    field that is not set is not sent, and so left as it is.
    """

    model_config = ConfigDict(
        alias_generator=to_camel,
        populate_by_name=True,
        extra="forbid",
        frozen=True,
        strict=True,
        revalidate_instances="always",  # `model_copy(update=...)` checks nothing
        hide_input_in_errors=True,
    )

    version: ClassVar[ApiVersion]

    @field_validator("monetary_value", "forecast_probability", mode="before", check_fields=False)
    @classmethod
    def _check_number(cls, value: object) -> object:
        # 1e400 is what JSON makes of a number too large; an int may be too large for a float.
        if isinstance(value, int) and not isinstance(value, bool) and abs(value) > MAX_EXACT:
            raise ValueError("must be between -2**53 and 2**53, where numbers are exact")
        if isinstance(value, Decimal) and value.is_finite() and Decimal(repr(float(value))) != value:
            raise ValueError("must have no more digits than a number in JSON keeps, about 15")
        return value

    @field_serializer("monetary_value", "forecast_probability", check_fields=False)
    def _write_number(self, value: float | None) -> int | float | None:
        return int(value) if value is not None and value.is_integer() and abs(value) <= MAX_EXACT else value

    @property
    def record(self) -> str:
        """What it writes, within its location."""
        raise NotImplementedError

    @property
    def unmergeable(self) -> str | None:
        """Why it may neither join another upsert of its record nor have an event time; None when it may."""
        return None

    def to_json(self) -> bytes:
        """Return the body as it is sent: the API's names, no field that was not set, whole numbers without a point."""
        return self.model_dump_json(by_alias=True, exclude_none=True).encode()


class UpsertOpportunity(Upsert):
    """The body of `POST /opportunities/upsert`, version 2021-07-28 (HighLevel's published OpenAPI specification).

    The API knows a record by contact and pipeline within the location: another upsert for the same three overwrites it.
    """

    version = ApiVersion.V2021_07_28

    pipeline_id: Id
    location_id: Id
    contact_id: Id
    name: Text | None = None
    status: Status | None = None
    pipeline_stage_id: Id | None = None
    monetary_value: Number | None = None
    assigned_to: Id | None = None

    @property
    def record(self) -> str:
        """The API's match key (observed): pipeline and contact."""
        return f"{self.pipeline_id}/{self.contact_id}"


class Options(TypedDict, total=False):
    """The fields of `EnqueueOptions`, each as it may be given: for type checkers and editors."""

    idempotency_key: str | None
    not_before: datetime | str | None
    expires_at: datetime | str | None
    expires_while_held: bool
    service: str | None
    priority: int
    merge: bool | None
    event_time: datetime | str | None


class EnqueueOptions(BaseModel):
    """What may be said of a job besides its body; in a row of a file, under `_options`.

    Args:
        idempotency_key: the same key and body again gives the same job back, whatever became of it, within
            `LANES_IDEMPOTENCY_SECONDS`.
        not_before: when it may be sent at the earliest; later jobs of its own opportunity wait behind it.
        expires_at: from when on it is not sent any more.
        expires_while_held: whether that time runs on while its lane is held, or all are paused by an outage.
        service: who enqueued it.
        priority: 0 to 9; the higher goes first within its lane, but never past an older job of its own opportunity.
        merge: join a job of the same opportunity that waits and was never sent: of each field the newer value is sent,
            in one request, and both jobs are delivered by it. By default as `LANES_MERGE` says.
        event_time: when the service learned what the body says; what a later event said is never overwritten.

    In version v3, an upsert that names no opportunity by `id`, or changes its followers, joins no other, and takes no
    event time: of each of them nothing may be left out.
    """

    model_config = ConfigDict(extra="forbid", frozen=True, hide_input_in_errors=True)

    idempotency_key: Annotated[str, Field(pattern=r"^[!-~]{1,128}$")] | None = None
    not_before: AwareDatetime | None = None
    expires_at: AwareDatetime | None = None
    expires_while_held: bool = False
    service: Annotated[str, Field(pattern=r"^[!-~]{1,64}$")] | None = None
    priority: Annotated[int, Field(ge=0, le=9)] = 0
    merge: bool | None = None
    event_time: AwareDatetime | None = None

    @field_validator("not_before", "expires_at", "event_time", mode="before")
    @classmethod
    def _check_time(cls, value: object) -> object:
        if not isinstance(value, datetime | None) and not (isinstance(value, str) and _DATE.match(value)):
            raise ValueError(_WITH_ZONE)
        return value

    @field_validator("expires_at")
    @classmethod
    def _check_expires_at(cls, value: datetime | None, info: Any) -> datetime | None:
        not_before = info.data.get("not_before")
        if value is not None and not_before is not None and value <= not_before:
            raise ValueError("must be later than not_before")
        return value


def api_names(model: type[BaseModel]) -> list[str]:
    """Return the fields of a model as the API, or a row, names them."""
    return [field.alias or name for name, field in model.model_fields.items()]


def check(
    model: type[Model],
    values: object,
    path: str = "",
    other_versions: Mapping[ApiVersion, Collection[str]] = MappingProxyType({}),
) -> Model:
    """Return `values` as the model. `other_versions` holds the fields of other versions, to be told of.

    Raises:
        InvalidJobError: with every problem, each naming its field, value and what would be right.
    """
    if isinstance(values, Mapping) and not isinstance(values, dict):
        values = dict(values)  # a strict model takes no other mapping
    if isinstance(values, dict) and len(values) > MAX_FIELDS:
        raise InvalidJobError([FieldError(path, f"{len(values)} fields", f"must have at most {MAX_FIELDS} fields")])
    try:
        return model.model_validate(values)
    except ValidationError as error:
        problems = error.errors(include_url=False, include_context=False)[:MAX_FIELDS]
        raise InvalidJobError(
            [_field_error(model, dict(problem), values, path, other_versions) for problem in problems]
        ) from None


def _field_error(
    model: type[BaseModel],
    problem: dict[str, Any],
    values: object,
    path: str,
    other_versions: Mapping[ApiVersion, Collection[str]],
) -> FieldError:
    location = ".".join(str(part) for part in problem["loc"])
    value: object = problem.get("input")
    if isinstance(values, Mapping) and location in values:
        value = values[location]
    name = ".".join(part for part in (path, *map(_name, problem["loc"])) if part)
    kind = problem["type"]
    if kind == "extra_forbidden":
        names = api_names(model)
        if others := [version for version, fields in other_versions.items() if location in fields]:
            own = f" in API version {model.version}" if issubclass(model, Upsert) else ""
            return FieldError(name, "", f"no such field{own}; {' and '.join(others)} has it: see LANES_API_VERSION")
        if location in model.model_fields:
            twin = model.model_fields[location].alias
            return FieldError(name, "", f"stands there as {twin} already: keep one of the two")
        close = get_close_matches(location, names, n=1, cutoff=0.6)
        return FieldError(
            name,
            "",
            f"no such field; {f'did you mean {close[0]}?' if close else 'known: ' + ', '.join(names)}",
        )
    if kind == "missing":
        return FieldError(name, "", "is required")
    if kind == "string_pattern_mismatch" and location.lower().endswith(("id", "to")):
        return FieldError(name, shorten(value), "must be 1 to 64 letters, digits, - or _")
    if kind == "string_pattern_mismatch":
        max_length = 128 if location == "idempotency_key" else 64
        return FieldError(name, shorten(value), f"must be 1 to {max_length} printable ASCII characters, no spaces")
    message = str(problem["msg"]).removeprefix("Value error, ").removeprefix("Input ").removeprefix("String ")
    if kind == "timezone_aware":
        return FieldError(name, shorten(value), _WITH_ZONE)
    if kind == "model_type":
        return FieldError(name, shorten(values), "must be an object of named fields")
    return FieldError(name, shorten(value), message)


def _name(part: object) -> str:
    """Return the name of a field as it stood there, made printable and short; in quotes when it would not show."""
    text = str(part)
    return text if text.isprintable() and text.strip() and len(text) <= _MAX_SHOWN else shorten(text)


def shorten(value: object) -> str:
    """Return a value as one short, printable line."""
    try:
        text = repr(value) if isinstance(value, (str, bytes)) else str(value)
    except (ValueError, RecursionError):  # an integer of more than 4300 digits, or nested too deeply
        text = f"{type(value).__name__} too large to show"
    text = "".join(character if character.isprintable() else "?" for character in text)
    return text if len(text) <= _MAX_SHOWN else f"{text[: _MAX_SHOWN - 1]}…"
