"""What the body of a 2xx confirms, and whether it speaks of the upsert that was sent. Pure.

Facts: the published specification promises `opportunity` and `new`. No form of a failure under a 2xx is documented:
those here are the API's own error envelopes and the common ones.
"""

import json
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

# HighLevel spells it `succeded` in other answers (observed).
_FLAGS = ("success", "succeeded", "succeded", "ok")
_FAILED = frozenset({"error", "fail", "failed", "failure"})
_NOTHING = frozenset({"", "none", "null", "false", "no", "ok"})

OTHER_CONTACT = "the answer names another contact than was sent: contacts get merged"


def reports_failure(body: Mapping[str, Any]) -> bool:
    """Return whether an object says of itself that the request failed.

    That is: a flag of success that is false, a status code of 400 or more, or an error that says something. Only the
    outermost fields count: those of the opportunity are content.
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
    """Return whether an object is what a success promises: an `opportunity` object or a boolean `new`."""
    return isinstance(body.get("opportunity"), dict) or isinstance(body.get("new"), bool)


@dataclass(frozen=True, slots=True)
class Comparison:
    """Where an answer differs from what was sent: `field` is one that another upsert's answer would differ in."""

    field: str | None = None
    other_contact: bool = False


SAME = Comparison()


def compare(sent: Mapping[str, Any], opportunity: Mapping[str, Any]) -> Comparison:
    """Return where the opportunity of an answer is not the one that was sent. A missing field says nothing.

    Contacts get merged, so another one may still be the answer to this upsert.
    """
    for name in ("locationId", "pipelineId", "id"):
        if _differs(sent.get(name), opportunity.get(name)):
            return Comparison(name)
    return Comparison(other_contact=_differs(sent.get("contactId"), opportunity.get("contactId")))


def _differs(sent: object, answered: object) -> bool:
    both = isinstance(sent, str) and isinstance(answered, str) and bool(sent) and bool(answered)
    return both and sent != answered


def fields_of(sent: bytes) -> Mapping[str, Any]:
    """Return the fields of the body that was sent; none where it cannot be read."""
    try:
        found = json.loads(sent) if sent else {}
    except (ValueError, RecursionError):
        return {}
    return found if isinstance(found, dict) else {}
