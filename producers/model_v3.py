"""The body of an upsert in version v3 of the API."""

import hashlib
import re
from datetime import date, datetime
from typing import Annotated, Literal

from pydantic import AfterValidator

from lanes.versions import ApiVersion
from producers.model import Id, Number, Status, Text, Upsert

_DATE = re.compile(
    r"(?P<year>\d{4})(?P<a>[-/.])(?P<month>\d\d)(?P=a)(?P<day>\d\d)"
    r"|(?P<month2>\d\d)(?P<b>[-/.])(?P<day2>\d\d)(?P=b)(?P<year2>\d{4})"
)


def _check_date(text: str) -> str:
    """Accept the formats of the specification: three with the year first, three with it last, and ISO 8601."""
    found = _DATE.fullmatch(text)
    try:
        if found is None:
            if not text[:1].isdigit() or len(text) > 40:
                raise ValueError  # noqa: TRY301 - replaced below, like the error of fromisoformat
            datetime.fromisoformat(text)
        else:
            parts = [found[name] or found[f"{name}2"] for name in ("year", "month", "day")]
            date(*map(int, parts))
    except ValueError:
        raise ValueError("must be a date like 2026-04-23 or 04/23/2026, or a time of ISO 8601") from None
    return text


class UpsertOpportunityV3(Upsert):
    """The body of `POST /opportunities/upsert`, version v3 (HighLevel's published OpenAPI specification).

    With `id` it changes that opportunity, and may move it to another pipeline. It is not documented what the API
    matches without `id`. Such upserts are delivered in order per pipeline and followers, and never merged.
    """

    version = ApiVersion.V3

    id: Id | None = None
    pipeline_id: Id
    location_id: Id
    followers: list[Id]
    is_remove_all_followers: bool
    followers_action_type: Literal["add", "remove"]
    name: Text | None = None
    status: Status | None = None
    pipeline_stage_id: Id | None = None
    monetary_value: Number | None = None
    forecast_expected_close_date: Annotated[str, AfterValidator(_check_date)] | None = None
    forecast_probability: Number | None = None
    assigned_to: Id | None = None
    lost_reason_id: Id | None = None

    @property
    def record(self) -> str:
        """The opportunity's id, or else pipeline and followers (the specification says `contactId`)."""
        if self.id is not None:
            return self.id
        followers = " ".join(sorted(set(self.followers)))
        return f"{self.pipeline_id}//{hashlib.sha256(followers.encode()).hexdigest()[:16]}"

    @property
    def unmergeable(self) -> str | None:
        """Why it must be sent complete: it has no id, or changes followers."""
        if self.id is None:
            return "without an id, a v3 body names no opportunity"
        if self.followers or self.is_remove_all_followers:
            return "a v3 body that changes followers is always sent whole"
        return None
