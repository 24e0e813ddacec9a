"""Mending the body of a dead letter: what a person may write, checked as at enqueue, and what it changes."""

import json
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from typing import Any

from lanes.job import Job
from lanes.order import Order
from lanes.versions import ApiVersion
from producers.errors import InvalidJobError, Problem
from producers.model import api_names
from producers.order import OPTIONS_FIELD, make_order
from producers.rows import decode, read_cell
from producers.versions import MODELS


@dataclass(frozen=True, slots=True)
class Difference:
    """A field that is not the same in two bodies; its values as JSON, None where it is not set."""

    field: str
    before: str | None
    after: str | None


def mended(letter: Job, body: object) -> Order:
    """Return the order that gives a letter this body, checked for the API version of the letter.

    Raises:
        InvalidJobError: with every problem of the body.
    """
    if isinstance(body, Mapping) and OPTIONS_FIELD in body:
        raise InvalidJobError([Problem(OPTIONS_FIELD, "", "has no place in a body: options stay as they are")])
    return make_order(body, version_of=lambda _: ApiVersion(letter.version), job_id=letter.id)


def parse_body(text: str) -> object:
    """Return what JSON says.

    Raises:
        InvalidJobError: it is not JSON, or names a field twice.
    """
    value = decode(text)
    if isinstance(value, Problem):
        raise InvalidJobError([value])
    return value


def differences(old: Mapping[str, Any], new: Mapping[str, Any]) -> Iterator[Difference]:
    """Tell what changes, field by field, in the order of the old body."""
    for name in [*old, *(name for name in new if name not in old)]:
        before, after = (json.dumps(body[name]) if name in body else None for body in (old, new))
        if before != after:
            yield Difference(name, before, after)


def fields_of(letter: Job) -> list[str]:
    """Return the fields that its body may have, as the API names them."""
    return api_names(MODELS[ApiVersion(letter.version)])


def api_name(letter: Job, field: str) -> str:
    """Return how the API calls a field, which may be given by its name in Python."""
    known = MODELS[ApiVersion(letter.version)].model_fields.get(field)
    return known.alias or field if known else field


def cell_of(value: object) -> str:
    """Return a value as it stands in a form: a list with ; between its values, ; alone when it is empty."""
    if value is None:
        return ""
    if isinstance(value, list):
        return ";".join(map(str, value)) or ";"
    return value if isinstance(value, str) else json.dumps(value)


def fill_in(body: Mapping[str, Any], cells: Mapping[str, str]) -> dict[str, Any]:
    """Return a body with what a form says: an untouched cell leaves its field to the letter; an empty one unsets it."""
    new = dict(body)
    for name, cell in cells.items():
        if cell == cell_of(body.get(name)):
            continue
        new.pop(name, None)
        if cell:
            new[name] = read_cell(name, cell)
    return {**{name: new[name] for name in body if name in new}, **new}
