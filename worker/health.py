"""Whether an outcome is the API's own failure. Pure."""

from lanes.settings import Settings
from lanes.transitions import OutageRule
from worker.highlevel.outcomes import Kind, Outcome


def api_is_down(outcome: Outcome) -> bool:
    """Return whether the API itself failed: a 5xx, no whole answer, or a success that confirms nothing.

    A 4xx, even one that passes, is an answer.
    """
    if outcome.kind is Kind.UNCONFIRMED:
        return True
    return outcome.kind is Kind.RETRY and (outcome.status is None or outcome.status >= 500)


def outage_rule(settings: Settings) -> OutageRule:
    """Return what makes an outage."""
    return OutageRule(
        settings.outage_failures,
        settings.outage_locations,
        settings.outage_probe_seconds,
        settings.outage_probe_most_seconds,
    )
