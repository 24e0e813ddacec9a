"""The versions of the API that are spoken, and which location has which."""

from collections.abc import Mapping
from enum import StrEnum
from typing import Any


class ApiVersion(StrEnum):
    """A version as the header `Version` names it; each has a body of its own."""

    V2021_07_28 = "2021-07-28"
    V3 = "v3"


# What a job has that says nothing else: it costs nothing to keep.
DEFAULT_VERSION = ApiVersion.V2021_07_28


# Fields of a body that no later upsert replaces in it. They say which opportunity is meant, or what to do with its
# followers.
NEVER_MERGED_FIELDS = frozenset(
    ("pipelineId", "locationId", "contactId", "id", "followers", "isRemoveAllFollowers", "followersActionType")
)


def is_unnamed(version: str, body: Mapping[str, Any]) -> bool:
    """Return whether a body names no opportunity: sent twice, it may make two (v3 without `id`; see `reclaim.lua`)."""
    return version == ApiVersion.V3 and not isinstance(body.get("id"), str)
