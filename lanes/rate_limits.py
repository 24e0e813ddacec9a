"""The limit in force of a location, and who says so: as `scripts/include/in_force.lua` has it."""

from dataclasses import dataclass
from enum import StrEnum

# What the API documents where nothing else was agreed.
DEFAULT_BURST = 100
DEFAULT_DAILY = 200_000


class LimitSource(StrEnum):
    """Who set a limit."""

    PERSON = "person"
    API = "api"
    DEFAULT = "default"


@dataclass(frozen=True, slots=True)
class RateLimit:
    """So many requests, in a window or in a day."""

    requests: int
    source: LimitSource


def limit_in_force(cap: int | None, api_limit: int | None, default: int) -> RateLimit:
    """Return the limit in force: what the API tells, and never more than the `cap` that a person set."""
    if cap is not None and (api_limit is None or cap <= api_limit):
        return RateLimit(cap, LimitSource.PERSON)
    if api_limit is not None:
        return RateLimit(api_limit, LimitSource.API)
    return RateLimit(default, LimitSource.DEFAULT)
