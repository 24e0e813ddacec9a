"""The limit in force of a location and its source; as in `scripts/include/rate_limit/limit_in_force.lua`."""

from dataclasses import dataclass
from enum import StrEnum
from functools import lru_cache

# The documented limits of the API.
DEFAULT_BURST = 100
DEFAULT_DAILY = 200_000


class LimitSource(StrEnum):
    """Who set a limit."""

    PERSON = "person"
    API = "api"
    DEFAULT = "default"


@dataclass(frozen=True, slots=True)
class RateLimit:
    """Requests per window or day, and who set the limit."""

    requests: int
    source: LimitSource


@lru_cache(maxsize=1024)
def limit_in_force(cap: int | None, api_limit: int | None, default: int) -> RateLimit:
    """Return the limit in force: the API's, but at most the `cap` that a person set; else the default."""
    if cap is not None and (api_limit is None or cap <= api_limit):
        return RateLimit(cap, LimitSource.PERSON)
    if api_limit is not None:
        return RateLimit(api_limit, LimitSource.API)
    return RateLimit(default, LimitSource.DEFAULT)
