"""Mending the body of a dead letter: what a person may write, checked as at enqueue, and what it changes."""

import json
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from typing import Any

from lanes.queue.job import Job
from lanes.queue.new_job import NewJob
from lanes.versions import ApiVersion
from producers.errors import InvalidJobError
from producers.files.rows import decode, parse_field
from producers.model import api_names
from producers.model_versions import MODELS
from producers.new_job import OPTIONS_FIELD, make_new_job
from producers.receipt import FieldError


@dataclass(frozen=True, slots=True)
class Difference:
    """A field that is not the same in two bodies; its values as JSON, None where it is not set."""

    field: str
    before: str | None
    after: str | None


def new_job_with_body(letter: Job, body: object) -> NewJob:
    """Return the order that gives a letter this body, checked for the API version of the letter.

    Raises:
        InvalidJobError: with every problem of the body.
    """
    if isinstance(body, Mapping) and OPTIONS_FIELD in body:
        raise InvalidJobError([FieldError(OPTIONS_FIELD, "", "has no place in a body: options stay as they are")])
    return make_new_job(body, version_of=lambda _: ApiVersion(letter.version), job_id=letter.id)


def parse_body(text: str) -> object:
    """Return what JSON says.

    Raises:
        InvalidJobError: it is not JSON, or names a field twice.
    """
    value = decode(text)
    if isinstance(value, FieldError):
        raise InvalidJobError([value])
    return value


def differences(old: Mapping[str, Any], new: Mapping[str, Any]) -> Iterator[Difference]:
    """Tell what changes, field by field, in the order of the old body."""
    for name in [*old, *(name for name in new if name not in old)]:
        before, after = (json.dumps(body[name]) if name in body else None for body in (old, new))
        if before != after:
            yield Difference(name, before, after)


def field_names(letter: Job) -> list[str]:
    """Return the fields that its body may have, as the API names them."""
    return api_names(MODELS[ApiVersion(letter.version)])


def api_name(letter: Job, field: str) -> str:
    """Return how the API calls a field, which may be given by its name in Python."""
    known = MODELS[ApiVersion(letter.version)].model_fields.get(field)
    return known.alias or field if known else field


def form_value(value: object) -> str:
    """Return a value as it stands in a form: a list with ; between its values, ; alone when it is empty."""
    if value is None:
        return ""
    if isinstance(value, list):
        return ";".join(map(str, value)) or ";"
    return value if isinstance(value, str) else json.dumps(value)


def apply_form(body: Mapping[str, Any], fields: Mapping[str, str]) -> dict[str, Any]:
    """Return a body with what a form says: an untouched cell leaves its field to the letter; an empty one unsets it."""
    new = dict(body)
    for name, field in fields.items():
        if field == form_value(body.get(name)):
            continue
        new.pop(name, None)
        if field:
            new[name] = parse_field(name, field)
    return {**{name: new[name] for name in body if name in new}, **new}
