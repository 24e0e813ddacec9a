"""The timing of renewals. Pure; times in seconds."""

from dataclasses import dataclass

BACKOFF = 0.5


@dataclass(frozen=True, slots=True)
class RenewalTiming:
    """Chosen so that lost answers never cost a location its refresh token.

    The API repeats the same pair for `grace` after the first use of a refresh token (documented: 30 s); later, only a
    person can help. A request without an answer may have used it. So after the start of each attempt, the next one
    starts within `interval`, and three attempts end within the grace. That also holds

    - if an attempt takes its whole time (`attempt_seconds`) and a pause follows,
    - if the process crashes: its lock ends `margin` after the attempt, and another worker asks within `poll_seconds`.
    """

    grace: float = 30.0
    attempt_seconds: float = 7.0
    margin: float = 1.0
    poll_seconds: float = 2.0
    interval: float = 11.0
    min_pause: float = 1.0
    refused: float = 10.0  # how long a refusal is remembered

    def pause(self, failures: int, took: float, *, in_grace: bool) -> float:
        """Return the longest pause after this number of failures in a row; the last one `took` so many seconds.

        It grows only if the refresh token cannot have been used, and stays within the interval.
        """
        if in_grace:
            return self.min_pause
        backoff = BACKOFF * 2.0 ** min(failures - 1, 10)
        return max(self.min_pause, min(backoff, self.interval - self.poll_seconds - took))


RENEWAL_TIMING = RenewalTiming()
