"""Rules of the state machine: done jobs are forgotten in time, and idle lanes end."""

from collections import Counter
from typing import Any

from hypothesis import strategies as st
from hypothesis.stateful import invariant, rule

from lanes.queue.job import State
from lanes.queue.transitions import HISTORY_GRACE_SECONDS
from lanes.rate_limits import DEFAULT_BURST
from lanes.storage.keys import KEYS
from tests.lanes.state_machine.dead_letter_rules import LOCATIONS, ModelJob
from tests.lanes.state_machine.hold_rules import HoldRules

DAY = 86_400.0
DONE = (State.DELIVERED, State.CANCELLED)
KEPT = 10**6  # seconds for which the machine keeps done jobs
JOB_KEYS = tuple(kind for kind, key in KEYS.items() if key.fields == ("id",))


class EndingRules(HoldRules):
    """`forgotten` are the done jobs that nobody can read any more; `highest` the last number of each lane."""

    forgotten: Counter[State]
    highest: dict[str, int]
    refusals: dict[str, int]
    charged: dict[str, dict[tuple[str, int], tuple[float, float]]]

    def forget(self, job_id: str, model: ModelJob) -> None:
        """Redis removed a done job."""
        self.forgotten[model.state] += 1
        del self.jobs[job_id]

    def pass_days(self) -> None:
        """So much time passes that every done job is removed; nobody works, but what is out is taken back."""
        raise NotImplementedError

    def finish(self, location: str) -> None:
        """Each job of the location ends, and a person ends its hold and its brake."""
        raise NotImplementedError

    @rule(location=st.sampled_from(LOCATIONS), then=st.sampled_from(("days", "days", "forget", "end")))
    def finish_and_end(self, location: str, then: str) -> None:
        """A location becomes quiet; its lane ends after days, or a person does not want to wait, or it is too early."""
        self.finish(location)
        if then == "days":
            self.quiet_days()
        if then == "forget":
            self.forget_lane(location)
        lowered = self.lowered()
        self.end_idle_lanes()
        assert then != "days" or (location in self.store.locations()) == (location in lowered)

    @rule(location=st.sampled_from(LOCATIONS))
    def forget_lane(self, location: str) -> None:
        """A person forgets a lane: its done jobs at once, itself when its day is over."""
        done = [job_id for job_id, model in self.jobs.items() if model.location == location and model.state in DONE]
        removed, _ = self.store.forget_jobs([location], [*done, *self.jobs], -HISTORY_GRACE_SECONDS)  # however young
        gone = [job_id for job_id in done if not self.jobs[job_id].leased]
        assert removed == [location] * len(gone)
        for job_id in gone:
            self.forget(job_id, self.jobs[job_id])
        kept_until = self.store.read_hash("lane", location).get(b"kept_until", b"").decode()
        states = {model.state for model in self.jobs.values() if model.location == location}
        answer, _ = self.store.forget_lane(location, kept_until)
        if State.PENDING in states:
            assert answer == "waiting"
        elif State.IN_FLIGHT in states or State.DELIVERED in states:  # delivered, with another request in flight
            assert answer == "in_flight"
        elif states:
            assert answer == "dead_letters"
        elif answer != "unknown":
            self.held[location].clear()
            self.braked.pop(location, None)
            self.refusals[location] = 0
            last = max((end for _, end in self.charged[location].values()), default=0.0)
            assert answer in ("emptied", "forgotten")
            assert answer == "emptied" or last <= self.store.now - DAY

    def lowered(self) -> set[str]:
        """Return the locations whose limit by the API is below the default: a new lane would exceed it."""
        lanes = self.store.lanes()
        return {lane.location_id for lane in lanes if (lane.api_burst or DEFAULT_BURST) < DEFAULT_BURST}

    @rule()
    def quiet_days(self) -> None:
        """Done jobs can no longer be read."""
        self.pass_days()
        for location in LOCATIONS:
            self.remove_done(location)

    def remove_done(self, location: str) -> None:
        """Redis removes the done jobs of a lane once their time is over by the clock of the test."""
        kept_until = int(self.store.read_hash("lane", location).get(b"kept_until", 0)) / 10**6
        if kept_until > self.store.now:
            return
        for job_id, model in list(self.jobs.items()):
            if model.location == location and model.state in DONE and not model.leased:
                self.store.client.delete(*(self.store.key(kind, job_id) for kind in JOB_KEYS))
                self.forget(job_id, model)

    @rule()
    def end_idle_lanes(self) -> None:
        """A lane ends if nobody needs it: never within a day of its last request, nor with a limit of its own."""
        before, lowered = self.store.locations(), self.lowered()
        for location in before:
            self.remove_done(location)
        cursor, ended = self.store.end_idle_lanes(0, 100)
        assert cursor == 0
        for location in before:
            jobs = [model for model in self.jobs.values() if model.location == location]
            last = max((end for _, end in self.charged[location].values()), default=0.0)
            stopped = self.held[location] or location in self.braked
            if location in ended:
                assert not jobs
                assert not stopped
                assert location not in lowered
                assert last <= self.store.now - DAY
                self.refusals[location] = 0
        assert self.store.locations() == before - set(ended)

    @invariant()
    def numbers_go_up(self) -> None:
        """A lane that begins again continues after the numbers of the one that ended."""
        client: Any = self.store.client
        for location in LOCATIONS:
            seq = int(client.hget(self.store.key("lane", location), "seq") or 0)
            if seq:
                assert seq >= self.highest.get(location, 0)
                self.highest[location] = seq
