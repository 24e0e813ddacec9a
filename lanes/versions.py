"""The versions of the API that are spoken, and which location has which."""

from enum import StrEnum


class ApiVersion(StrEnum):
    """A version as the header `Version` names it; each has a body of its own."""

    V2021_07_28 = "2021-07-28"
    V3 = "v3"


# What a job has that says nothing else: it costs nothing to keep.
DEFAULT_VERSION = ApiVersion.V2021_07_28
