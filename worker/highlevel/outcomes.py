"""What an answer of the API means. Pure: values in, one small value out.

Facts: HighLevel's published specification (2021-07-28 and v3) for 200, 400, 401 and 422; all else was observed.
"""

import json
import math
from collections.abc import Mapping
from dataclasses import dataclass, replace
from email.utils import parsedate_to_datetime
from enum import StrEnum
from typing import Any

from worker.highlevel.rate_limits import RateLimits, read_rate_limits

MAX_MESSAGE = 500
DAY_SECONDS = 86_400.0


class Kind(StrEnum):
    """What is to be done about the job."""

    DELIVERED = "delivered"
    RETRY = "retry"
    THROTTLED = "throttled"
    REFUSED = "refused"
    UNAUTHORIZED = "unauthorized"
    AGAIN = "again"  # no answer means this: it is for who looks after the location's token, and for local troubles


@dataclass(frozen=True, slots=True)
class Answer:
    """A response as it came: header names in lower case, the body cut at a limit."""

    status: int
    headers: Mapping[str, str]
    body: bytes


@dataclass(frozen=True, slots=True)
class Failure:
    """No response, or none that ended in time. `local`: by a trouble of this machine, and nothing was sent."""

    message: str
    local: bool = False


@dataclass(frozen=True, slots=True)
class Outcome:
    """What an attempt came to. `wait` is in seconds and goes with `throttled` and `again`.

    `code` is the API's own for an error, such as `OPPORTUNITY_NO_DUPLICATE`. `rate_limits` is what the answer told of
    the location's budgets, whatever else it said. `local`: a trouble of this worker, so nothing was sent.
    """

    kind: Kind
    status: int | None = None
    message: str | None = None
    trace_id: str | None = None
    opportunity_id: str | None = None
    new: bool | None = None
    warning: str | None = None
    wait: float | None = None
    rate_limits: RateLimits | None = None
    code: str | None = None
    local: bool = False


def classify(answer: Answer | Failure, window: float) -> Outcome:
    """Return what an answer means. `window` is the burst window in seconds, the wait after a 429 that names none."""
    if isinstance(answer, Failure):
        if answer.local:
            return Outcome(Kind.AGAIN, message=answer.message, wait=0.0, local=True)
        return Outcome(Kind.RETRY, message=answer.message)
    return replace(_classify(answer, window), rate_limits=read_rate_limits(answer.headers))


def _classify(answer: Answer, window: float) -> Outcome:
    body = _parse(answer.body)
    trace_id = _text(body.get("traceId")) or _text(answer.headers.get("x-trace-id"))
    if 200 <= answer.status < 300:
        return _delivered(answer.status, body, trace_id)
    message, code = _message(body), _code(body)
    if answer.status == 429:
        wait = _wait(answer.headers, window)
        return Outcome(Kind.THROTTLED, 429, message or _describe(answer), trace_id, wait=wait, code=code)
    # A page of the edge network says so by its body; an answer of the API's is one under any content type.
    edge = not message and (_is_html(answer) or b"error code: 1010" in answer.body[:2048])
    message = message or _describe(answer)
    return Outcome(_kind_of_error(answer.status, message, edge=edge), answer.status, message, trace_id, code=code)


def _delivered(status: int, body: Mapping[str, Any], trace_id: str | None) -> Outcome:
    opportunity = body.get("opportunity")
    opportunity_id = _text(opportunity.get("id")) if isinstance(opportunity, dict) else None
    new = body.get("new")
    warning = None if opportunity_id and isinstance(new, bool) else "the answer does not hold the promised body"
    return Outcome(
        Kind.DELIVERED,
        status,
        trace_id=trace_id,
        opportunity_id=opportunity_id,
        new=new if isinstance(new, bool) else None,
        warning=warning,
    )


def _kind_of_error(status: int, message: str, *, edge: bool) -> Kind:
    if status == 401:
        return Kind.UNAUTHORIZED
    if status == 403:
        # The edge network refusing the client is nothing that the job or its token can be blamed for (observed).
        if edge:
            return Kind.RETRY
        about_access = any(word in message.lower() for word in ("access", "scope", "authorized", "permission"))
        return Kind.UNAUTHORIZED if about_access else Kind.REFUSED
    # A redirect is never followed: a token would go where it leads. Whoever put it there may take it away again.
    if status < 400 or status >= 500 or status == 408:
        return Kind.RETRY
    return Kind.REFUSED


def _wait(headers: Mapping[str, str], window: float) -> float:
    if headers.get("x-ratelimit-daily-remaining", "").strip() == "0":
        reset = _number(headers.get("x-ratelimit-daily-reset"))
        return min(max(reset / 1000, window), DAY_SECONDS) if reset is not None else 3600.0
    retry_after = headers.get("retry-after")
    seconds = _number(retry_after)
    if seconds is None and retry_after and (date := headers.get("date")):
        try:
            seconds = (parsedate_to_datetime(retry_after) - parsedate_to_datetime(date)).total_seconds()
        except (TypeError, ValueError, OverflowError):
            seconds = None
    # "At once" is no answer to a 429: the same request would go round and round.
    if seconds is not None and seconds > 0:
        return min(seconds, DAY_SECONDS)
    # What the window has left is learned from the same answer; then the lane's own account says when to go on.
    return window / 10 if headers.get("x-ratelimit-remaining", "").strip() == "0" else window


def _number(text: str | None) -> float | None:
    try:
        number = float(text or "")
    except ValueError:
        return None
    return number if math.isfinite(number) and number >= 0 else None


def _parse(body: bytes) -> Mapping[str, Any]:
    try:
        try:
            parsed = json.loads(body)
        except UnicodeDecodeError:  # a broken character is no reason to lose the rest of what was said
            parsed = json.loads(body.decode("utf-8", "replace"))
    except (ValueError, RecursionError):
        return {}
    return parsed if isinstance(parsed, dict) else {}


def _message(body: Mapping[str, Any]) -> str | None:
    """Return the message of either envelope: `message` a string or an array, or `error` an object with one."""
    message = body.get("message")
    error = body.get("error")
    if message is None and isinstance(error, dict):
        message = error.get("message")
    if isinstance(message, list):
        message = "; ".join(str(part) for part in message)
    return _text(message) or _text(error)


def _code(body: Mapping[str, Any]) -> str | None:
    """Return the error code of either envelope, like `OPPORTUNITY_NO_DUPLICATE` (observed)."""
    error = body.get("error")
    return _text(body.get("code")) or (_text(error.get("code")) if isinstance(error, dict) else None)


def _describe(answer: Answer) -> str:
    if _is_html(answer):
        return f"HTTP {answer.status} with an HTML page"
    if answer.headers.get("content-type", "").lower().startswith("text/plain"):
        return _text(answer.body.decode("utf-8", "replace")) or f"HTTP {answer.status} without a message"
    return f"HTTP {answer.status} without a message"


def _is_html(answer: Answer) -> bool:
    return "html" in answer.headers.get("content-type", "").lower() or answer.body[:256].lstrip().startswith(b"<")


def _text(value: object) -> str | None:
    """Return a non-empty string as one line of printable characters, cut to a length that a list can show."""
    if not isinstance(value, str) or not value.strip():
        return None
    line = value.strip()
    if not line.isprintable():
        line = "".join(character if character.isprintable() else " " for character in line)
    return line if len(line) <= MAX_MESSAGE else line[: MAX_MESSAGE - 1] + "…"
