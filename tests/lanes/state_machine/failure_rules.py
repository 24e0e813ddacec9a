"""The reports of the state machine of attempts that failed, and what must become of their jobs."""

from lanes.queue.job import Reason, State
from lanes.queue.results import Result
from lanes.queue.transitions import AttemptReport, BreakerPolicy, Consumer, RetryPolicy
from tests.lanes.state_machine.dead_letter_rules import ModelJob
from tests.lanes.state_machine.hold_rules import HoldRules

MAX_FAILURES = 3
BREAKER_POLICY = BreakerPolicy(failures=4, locations=2, gap=1, max_gap=8)
RETRY_POLICY = RetryPolicy(max_attempts=MAX_FAILURES, max_age=86_400)
LAST = RetryPolicy(max_attempts=0, max_age=86_400)


class FailureRules(HoldRules):
    """What a failure comes to."""

    def come_back(self, report: AttemptReport, outcome: str, following: Consumer | None) -> tuple[Result, str]:
        """The job waits again; with the code that says so."""
        if outcome == "retry":
            return self.store.retry(report, delay=7, release_for=following), "retried"
        if outcome == "throttle":
            return self.store.throttle(report, wait=3, release_for=following), "throttled"
        return self.store.requeue(report, wait=3, sent=outcome == "requeue", release_for=following), "requeued"

    def fail(
        self, report: AttemptReport, model: ModelJob, following: Consumer | None, *, current: bool, doubt: bool
    ) -> tuple[Result, str]:
        """The API failed: free in an outage; otherwise a job fails permanently after too many attempts, or by age.

        A job that the API may have fails permanently at once, if a repeat could make a second opportunity.
        """
        at_once = doubt and model.unnamed
        result = self.store.retry(
            report,
            delay=2,
            min_delay=5 if doubt else 0,
            outage=BREAKER_POLICY,
            retry_policy=LAST if at_once else RETRY_POLICY,
            reason=Reason.UNCONFIRMED if doubt else Reason.EXHAUSTED,
            release_for=following,
        )
        if not current:
            return result, "stale"
        if at_once:
            self.end(report.job_id, State.DEAD)
            return result, "buried"
        if result.code != "buried":
            model.state = State.PENDING
            return result, "retried"
        job = self.store.job(report.job_id)
        assert job is not None
        age = self.store.now - max(job.accepted_at, model.replayed_at)
        assert job.failures >= MAX_FAILURES or age >= RETRY_POLICY.max_age
        assert self.store.global_state().outage is None
        self.end(report.job_id, State.DEAD)
        return result, "buried"
