"""Validates an upsert and its options and makes them a `NewJob`: for models, dicts, rows and messages."""

import hashlib
import json
import os
import re
from binascii import b2a_base64
from collections.abc import Callable, Mapping
from datetime import UTC, datetime, timedelta
from typing import Any

from lanes.queue.new_job import NewJob
from lanes.settings import ProducerSettings
from lanes.versions import DEFAULT_VERSION, ApiVersion
from producers.errors import InvalidJobError
from producers.model import MAX_BODY_BYTES, EnqueueOptions, check, shorten
from producers.model_versions import AnyUpsert, check_body, location_of
from producers.receipt import FieldError

OPTIONS_FIELD = "_options"
MAX_JOB_ID = 128
_JOB_ID = re.compile(r"[A-Za-z0-9_.:-]+")
_ID_LETTERS = bytes.maketrans(b"+/", b"__")
_NO_OPTIONS = EnqueueOptions()
Opportunity = AnyUpsert | Mapping[str, Any]


def make_new_job(
    opportunity: object,
    options: EnqueueOptions | Mapping[str, Any] | None = None,
    *,
    service: str | None = None,
    merge: bool = False,
    version_of: Callable[[str], ApiVersion] | None = None,
    job_id: str | None = None,
    max_not_before_days: float | None = None,
) -> NewJob:
    """Validate an upsert (a model or a mapping) and its options and return it as a new job.

    `_options` in a mapping override `options`. `service` and `merge` are defaults. `version_of` returns the API version
    of a location, by default 2021-07-28. `max_not_before_days`: how far ahead `not_before` may be, by this clock.

    Raises:
        InvalidJobError: with every problem of the body and the options.
    """
    if isinstance(opportunity, (dict, Mapping)) and OPTIONS_FIELD in opportunity:
        opportunity = dict(opportunity)
        options = _merge_options(options, opportunity.pop(OPTIONS_FIELD))
    problems: list[FieldError] = []
    body: AnyUpsert | None = None
    version = version_of(location_of(opportunity) or "") if version_of else DEFAULT_VERSION
    try:
        body = check_body(opportunity, version)
    except InvalidJobError as error:
        problems.extend(error.field_errors)
    if not isinstance(options, EnqueueOptions):
        try:
            options = _NO_OPTIONS if options is None else check(EnqueueOptions, options, OPTIONS_FIELD)
        except InvalidJobError as error:
            problems.extend(error.field_errors)
    if problems or body is None or not isinstance(options, EnqueueOptions):
        raise InvalidJobError(problems)
    if options.event_time is not None and body.unmergeable:
        raise InvalidJobError([FieldError(f"{OPTIONS_FIELD}.event_time", "", f"cannot be kept: {body.unmergeable}")])
    if options.not_before is not None and max_not_before_days is not None:
        _check_not_before(options.not_before, max_not_before_days)
    encoded = body.to_json()
    if len(encoded) > MAX_BODY_BYTES:
        size = shorten(f"{len(encoded)} bytes")
        raise InvalidJobError([FieldError("", size, f"must be at most {MAX_BODY_BYTES} bytes")])
    new_job = NewJob(job_id or new_id(), body.location_id, body.record, encoded, service=service, version=version)
    if options is not _NO_OPTIONS:
        _set_options(new_job, options)
    new_job.merge = (merge if options.merge is None else options.merge) and body.unmergeable is None
    return new_job


def _check_not_before(not_before: datetime, max_days: float) -> None:
    if not_before > datetime.now(UTC) + timedelta(days=max_days):
        message = f"must be at most {max_days:g} days ahead (LANES_MAX_NOT_BEFORE_DAYS)"
        raise InvalidJobError([FieldError(f"{OPTIONS_FIELD}.not_before", shorten(not_before), message)])


def _set_options(new_job: NewJob, options: EnqueueOptions) -> None:
    """Set all options but `merge`, which is also a setting."""
    new_job.not_before = _timestamp(options.not_before)
    new_job.expires_at = _timestamp(options.expires_at)
    new_job.service = options.service or new_job.service
    new_job.idempotency_key = options.idempotency_key
    new_job.fingerprint = _fingerprint(new_job.body) if options.idempotency_key else ""
    new_job.priority = options.priority
    new_job.event_time = _timestamp(options.event_time)
    new_job.expires_while_held = options.expires_while_held


def check_job_id(job_id: object, max_length: int = MAX_JOB_ID) -> None:
    """Check a job id.

    Raises:
        InvalidJobError: it is invalid.
    """
    if not isinstance(job_id, str) or len(job_id) > max_length or not _JOB_ID.fullmatch(job_id):
        message = f"must be text of 1 to {max_length} letters, digits, or any of -_.:"
        raise InvalidJobError([FieldError("job_id", shorten(job_id), message)])


def new_job_for(
    settings: ProducerSettings,
    opportunity: object,
    options: EnqueueOptions | Mapping[str, Any] | None,
    job_id: str | None = None,
) -> NewJob:
    """`make_new_job` with the defaults of the settings; `job_id` is checked too."""
    if job_id is not None:
        check_job_id(job_id)
    return make_new_job(
        opportunity,
        options,
        service=settings.service,
        merge=settings.merge,
        version_of=settings.version_of,
        job_id=job_id,
        max_not_before_days=settings.max_not_before_days,
    )


def _merge_options(common: object, own: object) -> Any:
    """Return the options of a row over the options for all rows."""
    if isinstance(common, EnqueueOptions):
        common = common.model_dump(exclude_none=True)
    if own is None:
        return common
    if isinstance(own, EnqueueOptions):
        own = own.model_dump(exclude_none=True, exclude_unset=True)
    return {**common, **own} if isinstance(common, Mapping) and isinstance(own, Mapping) else own


def new_id() -> str:
    """Return 20 letters, digits and underscores: 15 random bytes. Redis has four copies of a waiting job's id."""
    return b2a_base64(os.urandom(15), newline=False).translate(_ID_LETTERS).decode()


def _timestamp(value: datetime | None) -> float | None:
    return None if value is None else value.timestamp()


def _fingerprint(body: bytes) -> str:
    canonical = json.dumps(json.loads(body), sort_keys=True)
    return hashlib.sha256(canonical.encode()).hexdigest()[:32]
