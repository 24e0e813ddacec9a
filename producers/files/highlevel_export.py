"""HighLevel's own export of opportunities: which column is which field (`--preset highlevel-export`)."""

from collections.abc import Mapping

from lanes.versions import ApiVersion

_COLUMNS = {
    "Opportunity Name": "name",
    "Lead Value": "monetaryValue",
    "Contact ID": "contactId",
    "Pipeline ID": "pipelineId",
    "Pipeline Stage ID": "pipelineStageId",
    "Opportunity ID": "id",
    "status": "status",
}
# The API writes them in lower case, HighLevel's pages do not.
STATUSES = frozenset({"open", "won", "lost", "abandoned"})
# v3 requires these fields. With these values an upsert changes no followers.
_NO_FOLLOWERS = {
    "followers": [],
    "isRemoveAllFollowers": False,
    "followersActionType": "add",
}


def columns_of(version: ApiVersion) -> dict[str, str]:
    """Return the field of each column. Only v3 has `id`, and it has no `contactId`."""
    dropped = "contactId" if version is ApiVersion.V3 else "id"
    return {column: name for column, name in _COLUMNS.items() if name != dropped}


def defaults_of(version: ApiVersion) -> Mapping[str, object]:
    """Return the required fields that the export does not have."""
    return _NO_FOLLOWERS if version is ApiVersion.V3 else {}


def looks_like_export(header: list[str]) -> bool:
    """Return whether a header is one of the export."""
    return len({"Opportunity Name", "Lead Value", "Contact ID", "Pipeline ID"}.intersection(header)) >= 2
