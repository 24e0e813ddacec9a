"""The models of an upsert's body and options, and their error messages."""

import re
from collections.abc import Collection, Iterable, Mapping
from dataclasses import dataclass
from datetime import datetime
from decimal import Decimal
from difflib import get_close_matches
from types import MappingProxyType
from typing import Annotated, Any, ClassVar, Literal, TypedDict, TypeVar

from pydantic import AwareDatetime, BaseModel, ConfigDict, Field, ValidationError, field_serializer, field_validator
from pydantic.alias_generators import to_camel

from lanes.ids import ID, SERVICE
from lanes.versions import ApiVersion
from producers.errors import InvalidJobError
from producers.receipt import FieldError

MAX_BODY_BYTES = 64 * 1024
MAX_FIELDS = 64  # of a body or its options, and reported problems of one
MAX_EXACT = 2**53
_MAX_SHOWN = 60
_WITH_ZONE = "must be a time with a zone, like 2026-05-01T09:00:00Z"
_YEARS = range(1715, 2255)  # in these the microseconds since 1970 are exact
_DATE = re.compile(r"\d{4}-\d\d-\d\d")

Model = TypeVar("Model", bound=BaseModel)

Id = Annotated[str, Field(pattern=f"^{ID}$")]
Text = Annotated[str, Field(max_length=2048)]
Number = Annotated[float, Field(allow_inf_nan=False)]
Status = Literal["open", "won", "lost", "abandoned", "all"]


class Upsert(BaseModel):
    """The base of the bodies of all API versions.

    Fields have their Python names or the API's (`pipeline_id` or `pipelineId`). A field that is not set is not sent,
    so the API does not change it.
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
        # Beyond 2**53 a float is not exact; a very large int cannot be a float at all.
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
        """The key of the record within the location."""
        raise NotImplementedError

    @property
    def unmergeable(self) -> str | None:
        """Why it cannot be merged or have an event time, else None."""
        return None

    def to_json(self) -> bytes:
        """Return the body as sent: the API's names, only fields that are set, integers without a decimal point."""
        return self.__pydantic_serializer__.to_json(self, by_alias=True, exclude_none=True)


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


@dataclass(frozen=True, slots=True)
class UnreadableValue:
    """A value of a file that is no number. No field accepts it, and the error has its problem."""

    text: str
    problem: str

    def __str__(self) -> str:
        return self.text


class Options(TypedDict, total=False):
    """The arguments for `EnqueueOptions`, for type checkers and editors."""

    idempotency_key: str | None
    not_before: datetime | str | None
    expires_at: datetime | str | None
    expires_while_held: bool
    service: str | None
    priority: int
    merge: bool | None
    event_time: datetime | str | None


class EnqueueOptions(BaseModel):
    """The options of a job; in a row of a file, under `_options`.

    Args:
        idempotency_key: enqueueing the same key and body again within `LANES_IDEMPOTENCY_SECONDS` returns the same job.
        not_before: earliest time to send it; later jobs of the opportunity wait for it.
        expires_at: it is not sent from this time on.
        expires_while_held: whether it can expire while its lane is held or an outage stops all lanes.
        service: name of the service that enqueues it.
        priority: 0 to 9; higher goes first within the lane, but never before an older job of the opportunity.
        merge: join a pending job of the opportunity that was never sent. One request with the newest value of each
            field delivers both jobs. Default: `LANES_MERGE`.
        event_time: when the change happened in the service; an older event never overwrites a newer one.

    A v3 upsert without `id`, or one that changes followers, is not merged and cannot have an event time: it must be
    sent complete.
    """

    model_config = ConfigDict(extra="forbid", frozen=True, hide_input_in_errors=True)

    idempotency_key: Annotated[str, Field(pattern=r"^[!-~]{1,128}$")] | None = None
    not_before: AwareDatetime | None = None
    expires_at: AwareDatetime | None = None
    expires_while_held: bool = False
    service: Annotated[str, Field(pattern=f"^{SERVICE}$")] | None = None
    priority: Annotated[int, Field(ge=0, le=9)] = 0
    merge: bool | None = None
    event_time: AwareDatetime | None = None

    @field_validator("not_before", "expires_at", "event_time", mode="before")
    @classmethod
    def _check_time(cls, value: object) -> object:
        if not isinstance(value, datetime | None) and not (isinstance(value, str) and _DATE.match(value)):
            raise ValueError(_WITH_ZONE)
        return value

    @field_validator("not_before", "expires_at", "event_time")
    @classmethod
    def _check_year(cls, value: datetime | None) -> datetime | None:
        if value is not None and value.year not in _YEARS:
            raise ValueError(f"must be in the years {_YEARS.start} to {_YEARS.stop - 1}")
        return value

    @field_validator("expires_at")
    @classmethod
    def _check_expires_at(cls, value: datetime | None, info: Any) -> datetime | None:
        not_before = info.data.get("not_before")
        if value is not None and not_before is not None and value <= not_before:
            raise ValueError("must be later than not_before")
        return value


def api_names(model: type[BaseModel]) -> list[str]:
    """Return the API's names of a model's fields."""
    return [field.alias or name for name, field in model.model_fields.items()]


def check(
    model: type[Model],
    values: object,
    path: str = "",
    other_versions: Mapping[ApiVersion, Collection[str]] = MappingProxyType({}),
) -> Model:
    """Validate `values` as the model. `other_versions` has the fields of other API versions, for error messages.

    Raises:
        InvalidJobError: with every problem: the field, its value, and what is allowed.
    """
    if not isinstance(values, dict) and isinstance(values, Mapping):
        values = dict(values)  # a strict model accepts dicts only
    if isinstance(values, dict) and len(values) > MAX_FIELDS:
        raise InvalidJobError([FieldError(path, f"{len(values)} fields", f"must have at most {MAX_FIELDS} fields")])
    try:
        valid: Model = model.__pydantic_validator__.validate_python(values)  # what `model_validate` calls
    except ValidationError as error:
        found = error.errors(include_url=False, include_context=False)[:MAX_FIELDS]
        problems = [_field_error(model, dict(problem), values, path, other_versions) for problem in found]
        raise InvalidJobError(problems) from None
    return valid


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
    if kind == "float_type" and isinstance(value, UnreadableValue):
        return FieldError(name, shorten(value.text), value.problem)
    if kind == "extra_forbidden":
        return FieldError(name, "", _unknown_field(model, location, other_versions))
    if kind == "missing":
        return FieldError(name, "", "is required")
    if kind == "string_pattern_mismatch" and location.lower().endswith(("id", "to")):
        return FieldError(name, shorten(value), "must be 1 to 64 letters, digits, - or _")
    if kind == "string_pattern_mismatch":
        max_length = 128 if location == "idempotency_key" else 64
        return FieldError(name, shorten(value), f"must be 1 to {max_length} printable ASCII characters, no spaces")
    if kind == "timezone_aware":
        return FieldError(name, shorten(value), _WITH_ZONE)
    if kind == "model_type":
        return FieldError(name, shorten(values), "must be an object of named fields")
    message = str(problem["msg"]).removeprefix("Value error, ").removeprefix("Input ").removeprefix("String ")
    return FieldError(name, shorten(value), message)


def _unknown_field(model: type[BaseModel], name: str, other_versions: Mapping[ApiVersion, Collection[str]]) -> str:
    if others := [version for version, fields in other_versions.items() if name in fields]:
        own = f" in API version {model.version}" if issubclass(model, Upsert) else ""
        return f"no such field{own}; {' and '.join(others)} has it: see LANES_API_VERSION"
    if name in model.model_fields:
        return f"is also given as {model.model_fields[name].alias}: keep one of the two"
    return f"no such field; {suggest(name, api_names(model))}"


def suggest(name: str, known: Collection[str]) -> str:
    """Return which known name may be meant, or all of them."""
    close = close_name(name, known)
    return f"did you mean {close}?" if close else f"known: {', '.join(known)}"


def close_name(name: str, known: Iterable[str]) -> str | None:
    """Return the known name that is most like this one, None if none is like it."""
    names = {each.lower(): each for each in known}
    close = get_close_matches(name.lower(), names, n=1, cutoff=0.6)
    return names[close[0]] if close else None


def _name(part: object) -> str:
    """Return the name of a field, printable and shortened; in quotes if it would be invisible."""
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
