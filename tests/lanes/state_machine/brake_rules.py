"""The rules of the state machine about the brake: what closes it, what ends it, and what its refusals cost."""

from typing import Any

from hypothesis import strategies as st
from hypothesis.stateful import invariant, rule

from lanes.queue.job import State
from lanes.queue.results import Released, Result
from lanes.queue.transitions import AttemptReport, Consumer, CountedRefusal
from tests.lanes.state_machine.dead_letter_rules import LOCATIONS, ModelJob
from tests.lanes.state_machine.hold_rules import HoldRules

REFUSAL = CountedRefusal(limit=2, gap=1, max_gap=8, status=403, shape="shape")


class BrakeRules(HoldRules):
    """The model of lanes on the brake. There are too few lanes for the global brake."""

    refusals: dict[str, int]

    def bury(
        self, job: Released, report: AttemptReport, outcome: str, following: Consumer | None, *, current: bool
    ) -> tuple[Result, str]:
        """The job fails permanently, unless it was in flight when the brake closed; return the code of each case."""
        if outcome == "refuse":
            result, code = self.refuse_job(job, report, following, current=current)
        else:
            result = self.store.bury(report, reason="refused", release_for=following)
            code = "buried" if current else "stale"
        if code == "buried":
            self.end(job.id, State.DEAD)
        return result, code

    def refuse_job(
        self, job: Released, report: AttemptReport, following: Consumer | None, *, current: bool
    ) -> tuple[Result, str]:
        """The API refuses; return the code that the report must have."""
        model = self.jobs[job.id]
        closed_at = self.braked.get(model.location)
        result = self.store.bury(report, reason="refused", refusal=REFUSAL, release_for=following)
        if not current:
            return result, "stale"
        if closed_at is not None and job.released_at <= closed_at:
            model.state = State.PENDING
            return result, "braked"
        if not model.replayed_at:
            self.refusals[model.location] += 1
            if self.refusals[model.location] >= REFUSAL.limit:
                self.braked.setdefault(model.location, self.store.now)
        return result, "buried"

    def delivered(self, model: ModelJob) -> None:
        """A request of the lane was taken, whichever."""
        self.braked.pop(model.location, None)
        if not model.replayed_at:
            self.refusals[model.location] = 0

    @rule(location=st.sampled_from(LOCATIONS), right=st.booleans())
    def end_brake(self, location: str, right: bool) -> None:
        """A person resumes a lane, in its current state or as it was before."""
        closed_at = self.braked.get(location)
        answer = self.store.end_brake(location, (closed_at or 1.0) - (0 if right else 1))
        assert answer == ("free" if closed_at is None else "ended" if right else "changed")
        if answer == "ended":
            del self.braked[location]
            self.refusals[location] = 0

    @invariant()
    def brakes_match(self) -> None:
        """Each lane is on the brake as the model has it; one of its probes is out at most."""
        client: Any = self.store.client
        for location in LOCATIONS:
            brake, closed_at = self.store.read_lanes([location])[0].brake, self.braked.get(location)
            assert (None if brake is None else brake.since) == closed_at
            out = 0
            for job_id, model in self.jobs.items():
                if model.leased and model.location == location and model.lease_ends > self.store.now:
                    released_at = int(client.hget(self.store.key("job", job_id), "released_at")) / 10**6
                    out += closed_at is not None and released_at > closed_at
            assert out <= 1
