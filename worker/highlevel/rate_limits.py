"""What an answer tells of a location's budgets. Pure.

Facts: five headers are documented, `X-RateLimit-Max`, `-Remaining`, `-Interval-Milliseconds`, `-Limit-Daily` and
`-Daily-Remaining`; a sixth was observed, `-Daily-Reset`: milliseconds until the day begins anew. Limits differ between
apps, locations and Private Integrations, and the headers always tell those that were applied (documented for v3).
"""

from collections.abc import Mapping
from typing import NamedTuple

MOST = 10**9
DAY_MILLISECONDS = 86_400_000
# What is outside is a mistake of whoever told it, and no limit.
MOST_BURST = 10_000
MOST_DAILY = 10_000_000


class RateLimits(NamedTuple):
    """`left` of `burst` requests in `window` seconds, `day_left` of `daily` for another `day_resets_in` seconds.

    None where the answer does not say, or says something that cannot be.
    """

    burst: int | None
    left: int | None
    window: float | None
    daily: int | None
    day_left: int | None
    day_resets_in: float | None


def read_rate_limits(headers: Mapping[str, str]) -> RateLimits | None:
    """Read the headers (names in lower case); None when there are none of them."""
    burst = _number(headers.get("x-ratelimit-max"), 1, MOST_BURST)
    window = _number(headers.get("x-ratelimit-interval-milliseconds"), 1, DAY_MILLISECONDS)
    daily = _number(headers.get("x-ratelimit-limit-daily"), 1, MOST_DAILY)
    day_left = _number(headers.get("x-ratelimit-daily-remaining"), 0)
    if burst is None and daily is None:
        return None
    day_resets = _number(headers.get("x-ratelimit-daily-reset"), 1, DAY_MILLISECONDS)
    return RateLimits(
        burst,
        _number(headers.get("x-ratelimit-remaining"), 0, burst),
        None if window is None else window / 1000,
        daily,
        day_left if daily is None or day_left is None or day_left <= daily else None,
        None if day_resets is None else day_resets / 1000,
    )


def _number(text: str | None, least: int, most: int | None = MOST) -> int | None:
    if not text or not text.isascii() or not text.isdigit() or len(text) > 10:
        return None
    number = int(text)
    return number if least <= number <= (MOST if most is None else most) else None
