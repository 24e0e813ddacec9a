"""The reports of the state machine of attempts that failed, and what must become of their jobs."""

from lanes.job import Reason, State
from lanes.results import Result
from lanes.transitions import OutageRule, Patience, Report, Seat
from tests.lanes.gate_rules import GateRules
from tests.lanes.letter_rules import Known

MOST_FAILURES = 3
RULE = OutageRule(failures=4, locations=2, gap=1, most_gap=8)
PATIENCE = Patience(max_attempts=MOST_FAILURES, max_age=86_400)
LAST = Patience(max_attempts=0, max_age=86_400)


class FailureRules(GateRules):
    """What a failure comes to."""

    def come_back(self, report: Report, outcome: str, following: Seat | None) -> tuple[Result, str]:
        """The job waits again; with the code that says so."""
        if outcome == "retry":
            return self.store.retry(report, delay=7, take=following), "retried"
        if outcome == "throttle":
            return self.store.throttle(report, wait=3, take=following), "throttled"
        return self.store.defer(report, wait=3, sent=outcome == "defer", take=following), "deferred"

    def fail(
        self, report: Report, known: Known, following: Seat | None, *, current: bool, doubt: bool
    ) -> tuple[Result, str]:
        """The API itself failed: in an outage that spends nothing, else a job dies of too many attempts, or of age.

        One of which it is in doubt whether the API took it dies at once, if a repeat could make a second opportunity.
        """
        at_once = doubt and known.unnamed
        result = self.store.retry(
            report,
            delay=2,
            min_delay=5 if doubt else 0,
            outage=RULE,
            patience=LAST if at_once else PATIENCE,
            reason=Reason.UNCONFIRMED if doubt else Reason.EXHAUSTED,
            take=following,
        )
        if not current:
            return result, "stale"
        if at_once:
            self.end(report.job_id, State.DEAD)
            return result, "buried"
        if result.code != "buried":
            known.state = State.PENDING
            return result, "retried"
        job = self.store.job(report.job_id)
        assert job is not None
        age = self.store.now - max(job.accepted_at, known.replayed_at)
        assert job.failures >= MOST_FAILURES or age >= PATIENCE.max_age
        assert self.store.gate().outage is None
        self.end(report.job_id, State.DEAD)
        return result, "buried"
