"""Rules about holds and outages: what is held, by which cause, and for how long a job could not be sent."""

from hypothesis import strategies as st
from hypothesis.stateful import invariant, rule

from lanes.credentials import CredentialStore
from lanes.queue.job import State
from tests.lanes.state_machine.dead_letter_rules import LOCATIONS, DeadLetterRules, ModelJob

SELDOM = st.sampled_from((False, False, True))  # else nothing is released most of the time
PERSON, REFUSED = "operator", "authorization"


class HoldRules(DeadLetterRules):
    """The model of what is held, and the rules for it.

    `held` are the causes of the hold of each lane, `versions` the credentials that stand there, and `refused` those for
    which authorization holds a lane.
    """

    held: dict[str, set[str]]
    versions: dict[str, int]
    refused: dict[str, int]
    all_held: bool
    held_for: dict[str, float]
    braked: dict[str, float]  # location -> when its brake closed

    def over(self, model: ModelJob) -> bool:
        """Whether the time of a job is over: later than was said by the time for which it was held since."""
        moved = 0 if model.expires_while_held else self.held_for[model.location] - model.held_before
        return model.expires_at + moved <= self.store.now

    def note_expired(self) -> None:
        """A release may find jobs that are too old: read their state from the store; the audit checks the rest."""
        for job_id, model in self.jobs.items():
            if model.state is State.PENDING:
                job = self.store.job(job_id)
                assert job is not None
                if job.state is State.EXPIRED:
                    assert self.over(model)
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
        outage = self.store.global_state().outage
        paused = self.all_held or (outage is not None and outage.half_open_limit == 1)
        for location, held in self.held.items():
            self.held_for[location] += seconds if held or paused or location in self.braked else 0

    @rule(location=st.sampled_from(LOCATIONS), stop=SELDOM)
    def hold(self, location: str, stop: bool) -> None:
        """An operator holds or resumes a lane, for any cause, if the lane is still as the operator saw it."""
        seen = self.store.read_lanes([location])[0].held_at
        if stop:
            self.store.hold(location, "to look at it", PERSON)
            self.held[location].add(PERSON)
            assert seen is None or self.store.resume(location, seen) == "changed"
        else:
            assert self.store.resume(location, seen) == ("resumed" if self.held[location] else "free")
            self.held[location].clear()

    @rule(stop=SELDOM)
    def hold_all(self, stop: bool) -> None:
        """An operator sets or ends the global hold; lanes with their own hold stay held."""
        seen = self.store.global_state().held_at
        if stop:
            self.store.hold_all("to look at it all", PERSON)
            assert seen is None or self.store.resume_all(seen) == "changed"
        else:
            assert self.store.resume_all(seen) == ("resumed" if self.all_held else "free")
        self.all_held = stop

    def refuse(self, location: str, version: int) -> bool:
        """The credential of this version is refused; return whether that is new, so that the lane is held for it."""
        if REFUSED in self.held[location] or version != self.versions[location]:
            return False
        self.held[location].add(REFUSED)
        self.refused[location] = version
        return True

    @rule(location=st.sampled_from(LOCATIONS), renewal=st.booleans(), dies=SELDOM)
    def store_credential(self, location: str, renewal: bool, dies: bool) -> None:
        """A credential is renewed, or a person stores another one and resumes the lane, unless the machine crashes."""
        tokens, before = CredentialStore(self.store), self.versions[location]
        self.versions[location] = tokens.store_credential(
            location, b"sealed", replaces=before if renewal and before else None
        )
        if renewal and before:
            self.held[location].discard(REFUSED)
        elif not dies:
            self.resume_authorized(location)

    @rule(location=st.sampled_from(LOCATIONS))
    def resume_authorized(self, location: str) -> None:
        """Authorization no longer causes a hold when another credential replaces the refused one."""
        held = self.held[location]
        if REFUSED not in held:
            expected = "free"
        elif self.refused[location] == self.versions[location]:
            expected = "refused"
        else:
            held.discard(REFUSED)
            expected = "held" if held else "resumed"
        assert self.store.resume_authorized(location) == expected

    @invariant()
    def breaker_matches(self) -> None:
        """All lanes stop exactly as long as there is a reason; an outage allows a limited number of open requests."""
        global_state = self.store.global_state()
        shut = self.store.client.zscore(self.store.key("due"), "") is not None
        assert shut == (global_state.hold is not None or global_state.outage is not None)
        assert (global_state.hold is not None) == self.all_held
        out = self.store.client.zcount(self.store.key("probes"), f"({round(self.store.now * 1e6)}", "+inf")
        assert out <= (global_state.outage.half_open_limit if global_state.outage else 0)
        causes = {lane.location_id: set(lane.hold_causes) for lane in self.store.lanes() if lane.hold}
        assert causes == {location: held for location, held in self.held.items() if held}
