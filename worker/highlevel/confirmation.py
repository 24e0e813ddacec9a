"""Whether the body of a 2xx confirms the upsert that was sent. Pure.

Facts: the published specification promises `opportunity` and `new`. Failures with a 2xx are not documented: the forms
here are the API's own error envelopes and common ones.
"""

from collections.abc import Mapping
from typing import Any

from worker.highlevel.envelope import parse_body

# HighLevel spells it `succeded` in other answers (observed).
_FLAGS = ("success", "succeeded", "succeded", "ok")
_FAILED = frozenset({"error", "fail", "failed", "failure"})
_NOTHING = frozenset({"", "none", "null", "false", "no", "ok"})

OTHER_CONTACT = "the answer names another contact than was sent: contacts get merged"


def reports_failure(body: Mapping[str, Any]) -> bool:
    """Return whether a body reports a failure: by a false success flag, a status code from 400 on, or an error text.

    Only top-level fields count: those of the opportunity are content.
    """
    if any(_is_false(body[name]) for name in _FLAGS if name in body):
        return True
    if _is_error_status(body.get("statusCode")) or _is_error_status(status := body.get("status")):
        return True
    if isinstance(status, str) and status.strip().lower() in _FAILED:
        return True
    return _says_something(body.get("error")) or _says_something(body.get("errors"))


def _is_false(value: object) -> bool:
    return value is False or (isinstance(value, str) and value.strip().lower() == "false")


def _is_error_status(value: object) -> bool:
    if isinstance(value, str) and value.isascii() and value.isdigit() and len(value) <= 3:
        value = int(value)
    return isinstance(value, int) and not isinstance(value, bool) and 400 <= value <= 599


def _says_something(error: object) -> bool:
    return error.strip().lower() not in _NOTHING if isinstance(error, str) else bool(error)


def confirms(body: Mapping[str, Any]) -> bool:
    """Return whether a body has what a success promises: an `opportunity` object or a boolean `new`."""
    return isinstance(body.get("opportunity"), dict) or isinstance(body.get("new"), bool)


def differing_field(sent: Mapping[str, Any], opportunity: Mapping[str, Any]) -> str | None:
    """Return the first field in which an answer's opportunity differs from the sent body. A missing field is equal.

    `contactId` comes last: contacts get merged, so an answer with another contact may still belong to this upsert.
    """
    for name in ("locationId", "pipelineId", "id", "contactId"):
        if _differs(sent.get(name), opportunity.get(name)):
            return name
    return None


def _differs(sent: object, answered: object) -> bool:
    both = isinstance(sent, str) and isinstance(answered, str) and bool(sent) and bool(answered)
    return both and sent != answered


def fields_of(sent: bytes) -> Mapping[str, Any]:
    """Return the fields of the body that was sent; empty if it is no JSON object."""
    return parse_body(sent) or {}
