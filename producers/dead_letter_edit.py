"""Edits of a dead letter's body: validates them as at enqueue, and shows the differences."""

import json
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from typing import Any

from lanes.queue.job import Job
from lanes.queue.new_job import NewJob
from lanes.versions import ApiVersion
from producers.errors import InvalidJobError
from producers.files.cells import parse_field
from producers.files.json_rows import decode
from producers.model import api_names
from producers.model_versions import MODELS
from producers.new_job import OPTIONS_FIELD, make_new_job
from producers.receipt import FieldError


@dataclass(frozen=True, slots=True)
class Difference:
    """A field that differs in two bodies; its values as JSON, None if not set."""

    field: str
    before: str | None
    after: str | None


def new_job_with_body(job: Job, body: object) -> NewJob:
    """Return a dead letter with this body, validated for its API version.

    Raises:
        InvalidJobError: with every problem of the body.
    """
    if isinstance(body, Mapping) and OPTIONS_FIELD in body:
        raise InvalidJobError([FieldError(OPTIONS_FIELD, "", "must not be in a body: options cannot be edited")])
    return make_new_job(body, version_of=lambda _: ApiVersion(job.version), job_id=job.id)


def parse_body(text: str) -> object:
    """Return the value of a JSON text.

    Raises:
        InvalidJobError: it is not JSON, or has a field twice.
    """
    value = decode(text)
    if isinstance(value, FieldError):
        raise InvalidJobError([value])
    return value


def differences(old: Mapping[str, Any], new: Mapping[str, Any]) -> Iterator[Difference]:
    """Yield the fields that differ, in the order of the old body."""
    for name in [*old, *(name for name in new if name not in old)]:
        before, after = (json.dumps(body[name]) if name in body else None for body in (old, new))
        if before != after:
            yield Difference(name, before, after)


def field_names(job: Job) -> list[str]:
    """Return the API's names of the fields that the body may have."""
    return api_names(MODELS[ApiVersion(job.version)])


def api_name(job: Job, field: str) -> str:
    """Return the API's name of a field, which may be given by its Python name."""
    known = MODELS[ApiVersion(job.version)].model_fields.get(field)
    return known.alias or field if known else field


def form_value(value: object) -> str:
    """Return a value as text for a form: lists separated by ;, an empty list as ; alone."""
    if value is None:
        return ""
    if isinstance(value, list):
        return ";".join(map(str, value)) or ";"
    return value if isinstance(value, str) else json.dumps(value)


def apply_form(body: Mapping[str, Any], fields: Mapping[str, str]) -> dict[str, Any]:
    """Return the body with the changes of a form. Unchanged form fields are kept, empty ones are removed."""
    new = dict(body)
    for name, field in fields.items():
        if field == form_value(body.get(name)):
            continue
        new.pop(name, None)
        if field:
            new[name] = parse_field(name, field)
    return {**{name: new[name] for name in body if name in new}, **new}
