"""Whether a refusal comes of the two bodies that are published for version 2021-07-28. Pure.

Facts: the version was republished in May 2026 without `contactId` and with three required fields about followers.
Which of the two the API takes is not known.
"""

import re
from collections.abc import Mapping
from typing import Any

HINT = "the API asks for the other published body of 2021-07-28, with follower fields instead of contactId"

_NO_CONTACT = re.compile(r"\bcontactId should not exist\b")
_FOLLOWERS = re.compile(r"\b(?:followers|isRemoveAllFollowers|followersActionType)\b[^;]*\b(?:must|should)\b")


def other_body_hint(message: str, sent: Mapping[str, Any]) -> str | None:
    """Return what to say of a 422 with this message to this body: None unless it asks for the other body."""
    if "contactId" not in sent or "followers" in sent:
        return None
    return HINT if _NO_CONTACT.search(message) or _FOLLOWERS.search(message) else None
