"""Which outcomes count as an outage of the API, and which as a refusal. Pure."""

import re
from functools import lru_cache
from hashlib import sha256

from lanes.queue.dead_letter_summary import message_pattern_of
from lanes.queue.transitions import BreakerPolicy, CountedRefusal
from lanes.settings import WorkerSettings
from worker.highlevel.outcomes import Outcome, OutcomeKind

# What differs between refusals of one kind: quoted values, addresses, long words (ids), numbers.
_VALUES = re.compile(r"\"[^\"]*\"|'[^']*'|`[^`]*`|\S+@\S+|\w{16,}|\d+(?:\.\d+)*")


def api_is_down(outcome: Outcome) -> bool:
    """Return whether the API itself failed: a 5xx, no complete answer, or an unconfirmed 2xx."""
    if outcome.kind is OutcomeKind.UNCONFIRMED:
        return True
    return outcome.kind is OutcomeKind.RETRY and (outcome.status is None or outcome.status >= 500)


def breaker_policy(settings: WorkerSettings) -> BreakerPolicy:
    """Return when an outage begins, and how often it is probed."""
    probes = settings.outage_probe_seconds, settings.outage_probe_max_seconds
    return BreakerPolicy(settings.outage_failures, settings.outage_locations, *probes)


def counted_refusal(outcome: Outcome, settings: WorkerSettings) -> CountedRefusal | None:
    """Return an outcome as a refusal that counts towards the brake of its lane; None when it does not count.

    Only a refusal by the API counts: not a 401 or 403 that holds the lane, a 429, a 5xx, or a job that was never sent.
    """
    if outcome.kind is not OutcomeKind.REFUSED or outcome.status is None or not settings.refusal_brake:
        return None
    probes = settings.outage_probe_seconds, settings.outage_probe_max_seconds
    shape = refusal_shape(outcome.message or "", outcome.code or "")
    return CountedRefusal(settings.refusal_brake, *probes, outcome.status, shape)


@lru_cache(maxsize=1000)
def refusal_shape(message: str, code: str = "") -> str:
    """Return a hash without content. It is the same for refusals that differ only in ids, numbers and values."""
    masked = _VALUES.sub("…", message_pattern_of(message)).casefold()
    return sha256(f"{code} {masked}".encode("utf-8", "replace")).hexdigest()[:16]
