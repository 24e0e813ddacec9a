"""How renewals follow each other. Pure; times in seconds."""

from dataclasses import dataclass

BACKOFF = 0.5


@dataclass(frozen=True, slots=True)
class RenewalTiming:
    """How renewals follow each other, in seconds, so that a location never loses its refresh token by lost answers.

    The API gives the same pair again for `grace` after the first use of a refresh token (documented: 30 s); later, only
    a person can help. A use may have happened whenever no answer came. So from the start of any try that may have been
    taken, the next one starts within `interval`, three tries are over within the grace, and that holds

    - when a try takes its whole time (`attempt_seconds`) and is followed by a pause,
    - when the process dies in the middle: its lock, barely longer than the try, ends `margin` after it, and
      somebody asks within `poll_seconds`.
    """

    grace: float = 30.0
    attempt_seconds: float = 7.0
    margin: float = 1.0
    poll_seconds: float = 2.0
    interval: float = 11.0
    min_pause: float = 1.0
    refused: float = 10.0  # for so long everybody who asks is told of a refusal

    def pause(self, failures: int, took: float, *, in_grace: bool) -> float:
        """Return the longest pause after so many failures in a row, the last of which took so long.

        It grows only where no use of the refresh token may have happened of late, and then within the interval.
        """
        if in_grace:
            return self.min_pause
        return max(
            self.min_pause, min(BACKOFF * 2.0 ** min(failures - 1, 10), self.interval - self.poll_seconds - took)
        )


RENEWAL_TIMING = RenewalTiming()
