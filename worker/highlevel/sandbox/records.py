"""What the upserts left: every opportunity."""

from collections.abc import Mapping
from typing import Any

from worker.highlevel.sandbox.account import RecordKey


class Records:
    """The opportunities, one a record; the server's thread writes, any thread may read."""

    def __init__(self) -> None:
        self._records: dict[RecordKey, dict[str, Any]] = {}

    def __contains__(self, key: RecordKey) -> bool:
        return key in self._records

    def apply(self, body: Mapping[str, Any], at: str) -> dict[str, Any]:
        """Make or change an opportunity at this time (ISO 8601) and return it; what was not sent stays as it was."""
        key = RecordKey.of(body)
        known = self._records.get(key) or self._blank(at)
        opportunity = self._records[key] = {**known, **body, "updatedAt": at}
        return opportunity

    def by_key(self) -> dict[RecordKey, dict[str, Any]]:
        """Return every opportunity."""
        return self._records.copy()

    def _blank(self, at: str) -> dict[str, Any]:
        return {
            "id": f"opp{len(self._records) + 1:017}",
            "name": None,
            "status": "open",
            "pipelineStageId": None,
            "assignedTo": None,
            "monetaryValue": None,
            "createdAt": at,
        }
