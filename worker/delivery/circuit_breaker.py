"""What an outcome says of the API as a whole: it failed, or it refuses. Pure."""

import re
from functools import lru_cache
from hashlib import sha256

from lanes.queue.dead_letter_summary import message_pattern_of
from lanes.queue.transitions import BreakerPolicy, CountedRefusal
from lanes.settings import WorkerSettings
from worker.highlevel.outcomes import Outcome, OutcomeKind

# What differs between two refusals of one kind: quoted values, addresses, words too long for a word, numbers.
_VALUES = re.compile(r"\"[^\"]*\"|'[^']*'|`[^`]*`|\S+@\S+|\w{16,}|\d+(?:\.\d+)*")
SHAPE_CHARACTERS = 16


def api_is_down(outcome: Outcome) -> bool:
    """Return whether the API itself failed: a 5xx, no whole answer, or a success that confirms nothing.

    A 4xx, even one that passes, is an answer.
    """
    if outcome.kind is OutcomeKind.UNCONFIRMED:
        return True
    return outcome.kind is OutcomeKind.RETRY and (outcome.status is None or outcome.status >= 500)


def breaker_policy(settings: WorkerSettings) -> BreakerPolicy:
    """Return what makes an outage."""
    return BreakerPolicy(
        settings.outage_failures,
        settings.outage_locations,
        settings.outage_probe_seconds,
        settings.outage_probe_max_seconds,
    )


def counted_refusal(outcome: Outcome, settings: WorkerSettings) -> CountedRefusal | None:
    """Return an outcome as a refusal that counts towards the brake of its lane; None when it does not count.

    Only what the API refused does: neither 401 and 403 that hold the lane, nor 429, 5xx, or a job that was never sent.
    """
    if outcome.kind is not OutcomeKind.REFUSED or outcome.status is None or not settings.refusal_brake:
        return None
    return CountedRefusal(
        settings.refusal_brake,
        settings.outage_probe_seconds,
        settings.outage_probe_max_seconds,
        outcome.status,
        refusal_shape(outcome.message or "", outcome.code or ""),
    )


@lru_cache(maxsize=1000)
def refusal_shape(message: str, code: str = "") -> str:
    """Return a word that is the same for refusals that differ in ids, numbers and values only; it tells no content."""
    masked = _VALUES.sub("…", message_pattern_of(message)).casefold()
    return sha256(f"{code} {masked}".encode("utf-8", "replace")).hexdigest()[:SHAPE_CHARACTERS]
