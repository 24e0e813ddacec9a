"""What an answer of the API means. Pure: values in, one small value out.

Facts: HighLevel's published specification (2021-07-28 and v3) for 200, 400, 401 and 422; all else was observed.
"""

import math
from collections.abc import Mapping
from dataclasses import dataclass, replace
from email.utils import parsedate_to_datetime
from enum import StrEnum
from functools import partial
from typing import Any

from worker.highlevel.confirmation import OTHER_CONTACT, SAME, compare, confirms, fields_of, reports_failure
from worker.highlevel.content import mask_content
from worker.highlevel.envelope import code_of, cut, describe, is_html, message_of, parse_body, text_of
from worker.highlevel.other_body_hint import other_body_hint
from worker.highlevel.rate_limits import RateLimitHeaders, read_rate_limits

DAY_SECONDS = 86_400.0
# RFC 9110, 15.6.3 and 15.6.5: a gateway had no valid answer (502), or none in time (504), from the server behind it,
# which may have done what it was asked for. 520 and 524 are the same of the edge network (observed).
LOST_BY_GATEWAY = frozenset({502, 504, 520, 524})


class OutcomeKind(StrEnum):
    """What is to be done about the job."""

    DELIVERED = "delivered"
    RETRY = "retry"
    UNCONFIRMED = "unconfirmed"
    THROTTLED = "throttled"
    REFUSED = "refused"
    UNAUTHORIZED = "unauthorized"
    REQUEUE = "requeued"  # no answer means this: it is for who looks after the location's token, and for local troubles


@dataclass(frozen=True, slots=True)
class Answer:
    """A response as it came: header names in lower case, the body cut at a limit.

    `cut`: the body ended before its end, or was broken on the way; only an answer with a 2xx comes so.
    """

    status: int
    headers: Mapping[str, str]
    body: bytes
    cut: bool = False


@dataclass(frozen=True, slots=True)
class RequestFailure:
    """No response, or none that ended in time.

    `sent`: a byte of the request may have reached the server. `local`: a trouble of this machine, and nothing was sent.
    """

    message: str
    sent: bool = True
    local: bool = False


@dataclass(frozen=True, slots=True)
class Outcome:
    """What an attempt came to.

    `wait` is in seconds: how long the lane waits (`throttled`, `requeue`), or the shortest wait before a retry (`retry`,
    `unconfirmed`), None where the answer asked for nothing. `code` is the API's own for an error, such as
    `OPPORTUNITY_NO_DUPLICATE`. `rate_limits` is what the answer told of the location's budgets, whatever else it said.
    `in_doubt`: it is unknown whether the API took the upsert. `other_contact`: the answer names another contact.
    `local`: a trouble of this worker, so nothing was sent.
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
    """Return what an answer means.

    `window` is the burst window in seconds, the wait after a 429 that names none. `sent` is the body of the request:
    the answer is held against it. Only an answer whose body is a JSON object tells of rate limits.
    """
    if isinstance(answer, RequestFailure):
        if answer.local:
            return Outcome(OutcomeKind.REQUEUE, message=answer.message, wait=0.0, local=True)
        return Outcome(OutcomeKind.RETRY, message=answer.message, in_doubt=answer.sent)
    body = parse_body(answer.body)
    rate_limits = None if body is None or answer.cut else read_rate_limits(answer.headers)
    return replace(_classify(answer, body or {}, window, sent), rate_limits=rate_limits)


def _classify(answer: Answer, body: Mapping[str, Any], window: float, sent: bytes) -> Outcome:
    trace_id = text_of(body.get("traceId")) or text_of(answer.headers.get("x-trace-id"))
    if 200 <= answer.status < 300:
        return _success(answer, body, trace_id, sent)
    said, code = message_of(body), code_of(body)
    # A page of the edge network says so by its body; an answer of the API's is one under any content type.
    edge = not said and (is_html(answer.headers, answer.body) or b"error code: 1010" in answer.body[:2048])
    message = said or describe(answer.status, answer.headers, answer.body)
    if answer.status == 429:
        wait = _wait(answer.headers, window)
        return Outcome(OutcomeKind.THROTTLED, 429, cut(message), trace_id, wait=wait, code=code)
    kind = _kind_of_error(answer.status, message, edge=edge)
    if kind is OutcomeKind.UNAUTHORIZED:
        message = mask_content(message, sent)  # it becomes the reason of a hold
    return Outcome(
        kind,
        answer.status,
        cut(message),
        trace_id,
        warning=other_body_hint(message, fields_of(sent)) if answer.status == 422 else None,
        code=code,
        wait=_retry_after(answer.headers) if kind is OutcomeKind.RETRY else None,
        in_doubt=answer.status in LOST_BY_GATEWAY,
    )


def _success(answer: Answer, body: Mapping[str, Any], trace_id: str | None, sent: bytes) -> Outcome:
    """Return what a 2xx means: only its body tells whether the API took the upsert."""
    status = answer.status
    if not answer.cut and reports_failure(body):
        message = message_of(body) or f"HTTP {status}, and the body tells of a failure"
        return Outcome(OutcomeKind.REFUSED, status, cut(message), trace_id, code=code_of(body))
    doubt = partial(
        Outcome, OutcomeKind.UNCONFIRMED, status, trace_id=trace_id, wait=_retry_after(answer.headers), in_doubt=True
    )
    if answer.cut or not confirms(body):
        return doubt(_describe_unconfirmed(answer))
    opportunity, new = body.get("opportunity"), body.get("new")
    named = opportunity if isinstance(opportunity, dict) else {}
    found = compare(fields_of(sent), named) if sent and named else SAME
    if found.field:
        return doubt(f"HTTP {status} names another {found.field} than was sent")
    opportunity_id = text_of(named.get("id"))
    warnings = [] if opportunity_id and isinstance(new, bool) else ["the answer does not hold the promised body"]
    return Outcome(
        OutcomeKind.DELIVERED,
        status,
        trace_id=trace_id,
        opportunity_id=opportunity_id,
        new=new if isinstance(new, bool) else None,
        warning="; ".join([*warnings, OTHER_CONTACT] if found.other_contact else warnings) or None,
        other_contact=found.other_contact,
    )


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
        # The edge network refusing the client is nothing that the job or its token can be blamed for (observed).
        if edge:
            return OutcomeKind.RETRY
        about_access = any(word in message.lower() for word in ("access", "scope", "authorized", "permission"))
        return OutcomeKind.UNAUTHORIZED if about_access else OutcomeKind.REFUSED
    # A redirect is never followed: a token would go where it leads. Whoever put it there may take it away again.
    if status < 400 or status >= 500 or status == 408:
        return OutcomeKind.RETRY
    return OutcomeKind.REFUSED


def _wait(headers: Mapping[str, str], window: float) -> float:
    if headers.get("x-ratelimit-daily-remaining", "").strip() == "0":
        reset = _number(headers.get("x-ratelimit-daily-reset"))
        return min(max(reset / 1000, window), DAY_SECONDS) if reset is not None else 3600.0
    # "At once" is no answer to a 429: the same request would go round and round.
    if (seconds := _retry_after(headers)) is not None:
        return seconds
    # What the window has left is learned from the same answer; then the lane's own account says when to go on.
    return window / 10 if headers.get("x-ratelimit-remaining", "").strip() == "0" else window


def _retry_after(headers: Mapping[str, str]) -> float | None:
    """Return the seconds of `Retry-After` in either form (RFC 9110, 10.2.3); None where it asks for no wait."""
    retry_after = headers.get("retry-after")
    seconds = _number(retry_after)
    if seconds is None and retry_after and (date := headers.get("date")):
        try:
            seconds = (parsedate_to_datetime(retry_after) - parsedate_to_datetime(date)).total_seconds()
        except (TypeError, ValueError, OverflowError):
            return None
    return min(seconds, DAY_SECONDS) if seconds is not None and seconds > 0 else None


def _number(text: str | None) -> float | None:
    try:
        number = float(text or "")
    except ValueError:
        return None
    return number if math.isfinite(number) and number >= 0 else None
