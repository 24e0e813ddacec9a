"""Classifies answers of the API. Pure.

Facts: HighLevel's published specification (2021-07-28 and v3) for 200, 400, 401 and 422; the rest was observed.
"""

import math
import re
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from email.utils import parsedate_to_datetime
from enum import StrEnum
from functools import partial
from typing import Any

from worker.highlevel.confirmation import OTHER_CONTACT, confirms, differing_field, fields_of, reports_failure
from worker.highlevel.content import mask_content
from worker.highlevel.envelope import code_of, cut, describe, is_html, message_of, parse_body, text_of
from worker.highlevel.rate_limits import RateLimitHeaders, read_rate_limits

DAY_SECONDS = 86_400.0
# RFC 9110, 15.6.3 and 15.6.5: a gateway got no valid answer (502), or none in time (504), from its server, which may
# have processed the request. 520 and 524 are the same of the edge network (observed).
LOST_BY_GATEWAY = frozenset({502, 504, 520, 524})
OTHER_BODY_HINT = "the API asks for the other published body of 2021-07-28, with follower fields instead of contactId"
_NO_CONTACT = re.compile(r"\bcontactId should not exist\b")
_FOLLOWERS = re.compile(r"\b(?:followers|isRemoveAllFollowers|followersActionType)\b[^;]*\b(?:must|should)\b")


class OutcomeKind(StrEnum):
    """What happens to the job."""

    DELIVERED = "delivered"
    RETRY = "retry"
    UNCONFIRMED = "unconfirmed"
    THROTTLED = "throttled"
    REFUSED = "refused"
    UNAUTHORIZED = "unauthorized"
    REQUEUE = "requeued"  # not from an answer: while a token is renewed, and for local failures


@dataclass(frozen=True, slots=True)
class Answer:
    """A response: header names in lower case, the body up to the size limit.

    `cut`: the body is incomplete or broken; only for a 2xx.
    """

    status: int
    headers: Mapping[str, str]
    body: bytes
    cut: bool = False


@dataclass(frozen=True, slots=True)
class RequestFailure:
    """No response, or no complete one in time.

    `sent`: a byte of the request may have reached the server. `local`: an error of this machine; nothing was sent.
    """

    message: str
    sent: bool = True
    local: bool = False


@dataclass(frozen=True, slots=True)
class Outcome:
    """The outcome of an attempt.

    `wait` (seconds): how long the lane waits (`throttled`, `requeue`), or the shortest wait before a retry (`retry`,
    `unconfirmed`); None if the answer asks for none. `code`: the API's error code, such as `OPPORTUNITY_NO_DUPLICATE`.
    `in_doubt`: it is unknown whether the API accepted the upsert. `other_contact`: the answer names another contact.
    `local`: an error of this worker; nothing was sent.
    """

    kind: OutcomeKind
    status: int | None = None
    message: str | None = None
    trace_id: str | None = None
    opportunity_id: str | None = None
    new: bool | None = None
    warning: str | None = None
    wait: float | None = None
    rate_limits: RateLimitHeaders | None = None
    code: str | None = None
    in_doubt: bool = False
    other_contact: bool = False
    local: bool = False


def classify(answer: Answer | RequestFailure, window: float, sent: bytes = b"") -> Outcome:
    """Return the outcome of an answer.

    `window` (seconds) is the rate window, the wait after a 429 that names none. The answer is compared with the body
    that was `sent`. Rate limits are read only from an answer whose body is a JSON object.
    """
    if isinstance(answer, RequestFailure):
        if answer.local:
            return Outcome(OutcomeKind.REQUEUE, message=answer.message, wait=0.0, local=True)
        return Outcome(OutcomeKind.RETRY, message=answer.message, in_doubt=answer.sent)
    found = parse_body(answer.body)
    rate_limits = None if found is None or answer.cut else read_rate_limits(answer.headers)
    body = found or {}
    trace_id = text_of(body.get("traceId")) or text_of(answer.headers.get("x-trace-id"))
    outcome = partial(Outcome, status=answer.status, trace_id=trace_id, rate_limits=rate_limits)
    if 200 <= answer.status < 300:
        return _success(answer, body, outcome, sent)
    return _error(answer, body, outcome, window, sent)


def _error(
    answer: Answer, body: Mapping[str, Any], outcome: Callable[..., Outcome], window: float, sent: bytes
) -> Outcome:
    said, code = message_of(body), code_of(body)
    # A page of the edge network is recognized by its body; an answer with a message is the API's, whatever its type.
    edge = not said and (is_html(answer.headers, answer.body) or b"error code: 1010" in answer.body[:2048])
    message = said or describe(answer.status, answer.headers, answer.body)
    if answer.status == 429:
        return outcome(OutcomeKind.THROTTLED, message=cut(message), wait=_wait(answer.headers, window), code=code)
    kind = _kind_of_error(answer.status, message, edge=edge)
    if kind is OutcomeKind.UNAUTHORIZED:
        message = mask_content(message, sent)  # becomes the reason of a hold
    return outcome(
        kind,
        message=cut(message),
        warning=_other_body_hint(message, fields_of(sent)) if answer.status == 422 else None,
        code=code,
        wait=_retry_after(answer.headers) if kind is OutcomeKind.RETRY else None,
        in_doubt=answer.status in LOST_BY_GATEWAY,
    )


def _success(answer: Answer, body: Mapping[str, Any], outcome: Callable[..., Outcome], sent: bytes) -> Outcome:
    """Return the outcome of a 2xx. Only its body shows whether the API accepted the upsert."""
    status = answer.status
    if not answer.cut and reports_failure(body):
        message = message_of(body) or f"HTTP {status}, and the body reports a failure"
        return outcome(OutcomeKind.REFUSED, message=cut(message), code=code_of(body))
    if answer.cut or not confirms(body):
        return _unconfirmed(answer, outcome, _describe_unconfirmed(answer))
    opportunity, new = body.get("opportunity"), body.get("new")
    named = opportunity if isinstance(opportunity, dict) else {}
    field = differing_field(fields_of(sent), named) if sent and named else None
    other_contact = field == "contactId"
    if field and not other_contact:
        return _unconfirmed(answer, outcome, f"HTTP {status} names another {field} than was sent")
    opportunity_id = text_of(named.get("id"))
    warnings = [] if opportunity_id and isinstance(new, bool) else ["the answer does not hold the promised body"]
    return outcome(
        OutcomeKind.DELIVERED,
        opportunity_id=opportunity_id,
        new=new if isinstance(new, bool) else None,
        warning="; ".join([*warnings, OTHER_CONTACT] if other_contact else warnings) or None,
        other_contact=other_contact,
    )


def _unconfirmed(answer: Answer, outcome: Callable[..., Outcome], message: str) -> Outcome:
    return outcome(OutcomeKind.UNCONFIRMED, message=message, wait=_retry_after(answer.headers), in_doubt=True)


def _describe_unconfirmed(answer: Answer) -> str:
    if answer.cut:
        return f"HTTP {answer.status} with a body that was cut off"
    if not answer.body.strip():
        return f"HTTP {answer.status} without a body"
    html = is_html(answer.headers, answer.body)
    return f"HTTP {answer.status} " + ("with an HTML page" if html else "without the promised body")


def _kind_of_error(status: int, message: str, *, edge: bool) -> OutcomeKind:
    if status == 401:
        return OutcomeKind.UNAUTHORIZED
    if status == 403:
        # The edge network refused the client; job and token are not the cause (observed).
        if edge:
            return OutcomeKind.RETRY
        about_access = any(word in message.lower() for word in ("access", "scope", "authorized", "permission"))
        return OutcomeKind.UNAUTHORIZED if about_access else OutcomeKind.REFUSED
    # A redirect is never followed, or the token would be sent there. It may be temporary, so it is retried.
    if status < 400 or status >= 500 or status == 408:
        return OutcomeKind.RETRY
    return OutcomeKind.REFUSED


def _wait(headers: Mapping[str, str], window: float) -> float:
    if headers.get("x-ratelimit-daily-remaining", "").strip() == "0":
        reset = _number(headers.get("x-ratelimit-daily-reset"))
        return min(max(reset / 1000, window), DAY_SECONDS) if reset is not None else 3600.0
    # A Retry-After of 0 after a 429 is ignored: the request would be repeated without a pause.
    if (seconds := _retry_after(headers)) is not None:
        return seconds
    # With 0 remaining, the lane's own rate slots, updated from this answer, determine when to send again.
    return window / 10 if headers.get("x-ratelimit-remaining", "").strip() == "0" else window


def _retry_after(headers: Mapping[str, str]) -> float | None:
    """Return the seconds of `Retry-After` in either form (RFC 9110, 10.2.3); None if it asks for no wait."""
    retry_after = headers.get("retry-after")
    seconds = _number(retry_after)
    if seconds is None and retry_after and (date := headers.get("date")):
        try:
            seconds = (parsedate_to_datetime(retry_after) - parsedate_to_datetime(date)).total_seconds()
        except (TypeError, ValueError, OverflowError):
            return None
    return min(seconds, DAY_SECONDS) if seconds is not None and seconds > 0 else None


def _other_body_hint(message: str, sent: Mapping[str, Any]) -> str | None:
    """Return a hint if this 422 asks for the other body of version 2021-07-28.

    Facts: it was republished in May 2026 without `contactId` and with three required fields about followers. It is not
    known which of the two bodies the API accepts.
    """
    if "contactId" not in sent or "followers" in sent:
        return None
    return OTHER_BODY_HINT if _NO_CONTACT.search(message) or _FOLLOWERS.search(message) else None


def _number(text: str | None) -> float | None:
    try:
        number = float(text or "")
    except ValueError:
        return None
    return number if math.isfinite(number) and number >= 0 else None
