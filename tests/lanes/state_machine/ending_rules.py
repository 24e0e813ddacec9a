"""Rules of the state machine: done jobs are forgotten in time, and idle lanes end."""

from collections import Counter
from typing import Any

from hypothesis.stateful import invariant, rule

from lanes.queue.job import State
from tests.lanes.state_machine.dead_letter_rules import LOCATIONS, ModelJob
from tests.lanes.state_machine.hold_rules import HoldRules

DAY = 86_400.0
DONE = (State.DELIVERED, State.CANCELLED)
KEPT = 10**6  # seconds for which the machine keeps done jobs
TEMPORARY = ("test:job:", "test:attempts:", "test:done:", "test:merged_jobs:", "test:consumer:", "test:rejected_task:")


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

    @rule()
    def quiet_days(self) -> None:
        """Done jobs can no longer be read."""
        self.pass_days()
        client: Any = self.store.client
        for key in client.scan_iter(match="test:*"):
            if key.decode().startswith(TEMPORARY) and client.pttl(key) > 0:
                client.delete(key)
        for job_id, model in list(self.jobs.items()):
            if model.state in DONE:
                self.forget(job_id, model)

    @rule()
    def end_idle_lanes(self) -> None:
        """A lane ends if nobody needs it: never within a day of its last request, nor what a person set."""
        before = self.store.locations()
        cursor, ended = self.store.end_idle_lanes(0, 100)
        assert cursor == 0
        for location in before:
            jobs = [model for model in self.jobs.values() if model.location == location]
            last = max((end for _, end in self.charged[location].values()), default=0.0)
            stopped = self.held[location] or location in self.braked
            if location in ended:
                assert not jobs
                assert not stopped
                assert last <= self.store.now - DAY
                self.refusals[location] = 0
            else:
                assert jobs or stopped or last > self.store.now - 2 * DAY
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
