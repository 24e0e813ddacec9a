"""The opportunities that the upserts created."""

from collections.abc import Mapping
from typing import Any

from ops.sandbox.request_log import RecordKey


class Records:
    """The opportunities. The server's thread writes, any thread may read.

    A body with an `id` changes that opportunity. A body with neither `id` nor contact creates a new one each time: what
    the API does then is not documented.
    """

    def __init__(self) -> None:
        self._ids: dict[RecordKey, str] = {}
        self._opportunities: dict[tuple[str, str], dict[str, Any]] = {}

    def __contains__(self, key: RecordKey) -> bool:
        return key in self._ids or (key.location_id, key.opportunity_id) in self._opportunities

    def apply(self, body: Mapping[str, Any], at: str) -> dict[str, Any]:
        """Create or change an opportunity at this time (ISO 8601) and return it. Fields that were not sent stay."""
        key = RecordKey.of(body)
        opportunity_id = self._ids.get(key) or key.opportunity_id or f"opp{len(self._opportunities) + 1:017}"
        place = (key.location_id, opportunity_id)
        if place not in self._opportunities:
            self._ids[key if key.is_unique else RecordKey(key.location_id, "", "", opportunity_id)] = opportunity_id
        known = self._opportunities.get(place) or self._blank(opportunity_id, at)
        opportunity = self._opportunities[place] = {**known, **_state(body, known), "updatedAt": at}
        return opportunity

    def by_key(self) -> dict[RecordKey, dict[str, Any]]:
        """Return every opportunity by the key that created it."""
        return {key: self._opportunities[key.location_id, made] for key, made in self._ids.copy().items()}

    def _blank(self, opportunity_id: str, at: str) -> dict[str, Any]:
        empty = dict.fromkeys(("name", "pipelineStageId", "assignedTo", "monetaryValue"))
        return {"id": opportunity_id, "status": "open", **empty, "createdAt": at}


def _state(body: Mapping[str, Any], known: Mapping[str, Any]) -> dict[str, Any]:
    """Return the fields after an upsert; the followers are changed as the body says."""
    state = {name: value for name, value in body.items() if name not in ("isRemoveAllFollowers", "followersActionType")}
    if "followers" in body:
        before = [] if body["isRemoveAllFollowers"] else known.get("followers", [])
        named = body["followers"]
        if body["followersActionType"] == "remove":
            state["followers"] = [user for user in before if user not in named]
        else:
            state["followers"] = [*before, *(user for user in named if user not in before)]
    return state
