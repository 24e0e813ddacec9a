"""The rows of a request: options of headers, and the service of the key."""

from collections.abc import Mapping, Sequence
from dataclasses import replace
from typing import Any

from lanes.settings import ProducerSettings
from producers.batching import InputRow
from producers.errors import InvalidJobError
from producers.files.json_rows import json_row
from producers.files.text import decode_utf8
from producers.model import shorten
from producers.new_job import OPTIONS_FIELD, new_job_for
from producers.receipt import FieldError

KEY_HEADER = "Idempotency-Key"
KEY_OPTION = "idempotency_key"


def read_row(body: bytes) -> dict[str, Any]:
    """Return the row of a body.

    Raises:
        InvalidJobError: it is not a JSON object in UTF-8.
    """
    text = decode_utf8(body, first=True)
    if isinstance(text, FieldError):
        raise InvalidJobError([text])
    row = json_row(1, text)
    if not isinstance(row.value, dict):
        raise InvalidJobError(row.field_errors)
    return row.value


def with_key(row: dict[str, Any], headers: Sequence[str]) -> dict[str, Any]:
    """Return a row with the idempotency key of the headers `Idempotency-Key`, which may be in quotes.

    Raises:
        InvalidJobError: the row has another one.
    """
    if not headers:
        return row
    key = ", ".join(headers)  # of several, as HTTP says; it is no valid key then
    if len(key) >= 2 and key[0] == key[-1] == '"':  # as in the draft of the header's standard
        key = key[1:-1]
    options = row.get(OPTIONS_FIELD)
    if options is not None and not isinstance(options, dict):
        return row  # the validation says so
    own = (options or {}).get(KEY_OPTION)
    if own not in (None, key):
        raise InvalidJobError([FieldError(KEY_HEADER, shorten(key), f"must be as in {OPTIONS_FIELD}.{KEY_OPTION}")])
    return {**row, OPTIONS_FIELD: {**(options or {}), KEY_OPTION: key}}


def may_merge(row: dict[str, Any], settings: ProducerSettings) -> bool:
    """Return whether a valid row may be merged, or stale, when it is accepted."""
    options = row.get(OPTIONS_FIELD) or {}
    return bool(settings.merge or options.get("merge") or options.get("event_time"))


def check_service(row: dict[str, Any], service: str, settings: ProducerSettings) -> None:
    """Check that a row names no other service than that of the key.

    Raises:
        InvalidJobError: it does; with every other problem of the row.
    """
    options = row.get(OPTIONS_FIELD)
    if not isinstance(options, Mapping) or (own := options.get("service")) is None or own == service:
        return
    found = [FieldError(f"{OPTIONS_FIELD}.service", shorten(own), f"must be {service}, the service of the key")]
    try:
        new_job_for(settings, {**row, OPTIONS_FIELD: {**options, "service": service}}, None)
    except InvalidJobError as error:
        found += error.field_errors
    raise InvalidJobError(found)


def checked(row: InputRow, service: str, settings: ProducerSettings) -> InputRow:
    """Return a row of a batch; one that names another service has the problem."""
    if isinstance(row.value, dict):
        try:
            check_service(row.value, service, settings)
        except InvalidJobError as error:
            return replace(row, value=None, field_errors=error.field_errors)
    return row
