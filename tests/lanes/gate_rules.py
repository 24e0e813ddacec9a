"""The rules of the state machine about holds and outages: who stops what, and for how long a job could not be sent."""

from hypothesis import strategies as st
from hypothesis.stateful import invariant, rule

from lanes.job import State
from tests.lanes.letter_rules import LOCATIONS, Known, LetterRules

SELDOM = st.sampled_from((False, False, True))  # else nothing is released most of the time


class GateRules(LetterRules):
    """The model of what is held, and the rules for it."""

    held: dict[str, bool]
    all_held: bool
    held_for: dict[str, float]
    braked: dict[str, float]  # location -> when its brake closed

    def over(self, known: Known) -> bool:
        """Whether the time of a job is over: later than was said by the time for which it was held since."""
        moved = 0 if known.expires_while_held else self.held_for[known.location] - known.held_before
        return known.expires_at + moved <= self.store.now

    def note_expired(self) -> None:
        """A release may find jobs that are too old: read their state from the store; the audit checks the rest."""
        for job_id, known in self.jobs.items():
            if known.state is State.PENDING:
                job = self.store.job(job_id)
                assert job is not None
                if job.state is State.EXPIRED:
                    assert self.over(known)
                    self.end(job_id, State.EXPIRED)

    @rule()
    def expire(self) -> None:
        """Jobs that are too old leave."""
        for job_id in self.store.expire(100):
            assert self.jobs[job_id].state is State.PENDING
            assert self.over(self.jobs[job_id])
            self.end(job_id, State.EXPIRED)

    def note_held(self, seconds: float) -> None:
        """So much time passes, for all lanes that are held or paused."""
        outage = self.store.gate().outage
        paused = self.all_held or (outage is not None and outage.room == 1)
        for location, held in self.held.items():
            self.held_for[location] += seconds if held or paused or location in self.braked else 0

    @rule(location=st.sampled_from(LOCATIONS), stop=SELDOM)
    def hold(self, location: str, stop: bool) -> None:
        """An operator stops a lane or lets it go on."""
        if stop:
            self.store.hold(location, "to look at it", "operator")
        else:
            assert self.store.resume(location) == ("resumed" if self.held[location] else "free")
        self.held[location] = stop

    @rule(stop=SELDOM)
    def hold_all(self, stop: bool) -> None:
        """An operator stops everything or lets it go on; lanes that are held on their own stay so."""
        if stop:
            self.store.hold_all("to look at it all", "operator")
        else:
            assert self.store.resume_all() == ("resumed" if self.all_held else "free")
        self.all_held = stop

    @invariant()
    def gate_stands(self) -> None:
        """The gate is shut while there is a reason, and no longer; no more are out in an outage than may be."""
        gate = self.store.gate()
        shut = self.store.client.zscore(self.store.key("due"), "") is not None
        assert shut == (gate.hold is not None or gate.outage is not None)
        assert (gate.hold is not None) == self.all_held
        out = self.store.client.zcount(self.store.key("probes"), f"({round(self.store.now * 1e6)}", "+inf")
        assert out <= (gate.outage.room if gate.outage else 0)
        assert {lane.location_id for lane in self.store.lanes() if lane.hold} == {
            location for location, held in self.held.items() if held
        }
