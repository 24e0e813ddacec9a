"""Supported versions of the API."""

from collections.abc import Mapping
from enum import StrEnum
from typing import Any


class ApiVersion(StrEnum):
    """The value of the header `Version`; each version has its own body."""

    V2021_07_28 = "2021-07-28"
    V3 = "v3"


# The version of jobs without a stored version.
DEFAULT_VERSION = ApiVersion.V2021_07_28
# Fields that a merge never replaces: they identify the opportunity, or say what to do with its followers.
NEVER_MERGED_FIELDS = frozenset(
    ("pipelineId", "locationId", "contactId", "id", "followers", "isRemoveAllFollowers", "followersActionType")
)


def is_unnamed(version: str, body: Mapping[str, Any]) -> bool:
    """Return whether a body has no opportunity id (v3): sent twice, it may create two. See `reclaim.lua`."""
    return version == ApiVersion.V3 and not isinstance(body.get("id"), str)
