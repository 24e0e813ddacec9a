"""Reads the rate limit headers of an answer. Pure.

Facts: five headers are documented, `X-RateLimit-Max`, `-Remaining`, `-Interval-Milliseconds`, `-Limit-Daily` and
`-Daily-Remaining`; `-Daily-Reset` was observed: milliseconds until the next day begins. Limits differ between apps,
locations and Private Integrations; the headers always have those that were applied (documented for v3).
"""

from collections.abc import Mapping
from typing import NamedTuple

MAX_NUMBER = 10**9
DAY_MILLISECONDS = 86_400_000
# Larger values are errors, not limits.
MAX_BURST = 10_000
MAX_DAILY = 10_000_000


class RateLimitHeaders(NamedTuple):
    """`left` of `burst` requests in `window` seconds, `day_left` of `daily` for another `day_resets_in` seconds.

    None if the header is missing or its value is impossible.
    """

    burst: int | None
    left: int | None
    window: float | None
    daily: int | None
    day_left: int | None
    day_resets_in: float | None


def read_rate_limits(headers: Mapping[str, str]) -> RateLimitHeaders | None:
    """Read the headers (names in lower case); None without a limit."""
    burst = _number(headers.get("x-ratelimit-max"), 1, MAX_BURST)
    window = _number(headers.get("x-ratelimit-interval-milliseconds"), 1, DAY_MILLISECONDS)
    daily = _number(headers.get("x-ratelimit-limit-daily"), 1, MAX_DAILY)
    day_left = _number(headers.get("x-ratelimit-daily-remaining"), 0)
    if burst is None and daily is None:
        return None
    day_resets = _number(headers.get("x-ratelimit-daily-reset"), 1, DAY_MILLISECONDS)
    return RateLimitHeaders(
        burst,
        _number(headers.get("x-ratelimit-remaining"), 0, burst),
        None if window is None else window / 1000,
        daily,
        day_left if daily is None or day_left is None or day_left <= daily else None,
        None if day_resets is None else day_resets / 1000,
    )


def _number(text: str | None, minimum: int, maximum: int | None = MAX_NUMBER) -> int | None:
    if not text or not text.isascii() or not text.isdigit() or len(text) > 10:
        return None
    number = int(text)
    return number if minimum <= number <= (MAX_NUMBER if maximum is None else maximum) else None
