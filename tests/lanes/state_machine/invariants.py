"""The invariants: what must hold after every step of the state machine."""

from hypothesis.stateful import (
    invariant,
)

from lanes.checks.consistency import check_consistency
from lanes.queue.job import State
from lanes.queue.lane import read_counts
from tests.lanes.conftest import BURST, LIMITS
from tests.lanes.state_machine.ending_rules import EndingRules
from tests.lanes.state_machine.serving_rules import ServingRules


class Invariants(ServingRules, EndingRules):
    """They compare the store with the model."""

    charged: dict[str, dict[tuple[str, int], tuple[float, float]]]

    @invariant()
    def consistent(self) -> None:
        """Every job is in one place, the counts add up, and the model agrees."""
        found = [str(finding) for finding in check_consistency(self.store) if finding.code != "lanes-idle"]
        assert found == []
        counts = self.store.counts()
        assert counts["accepted"] == len(self.jobs) + self.forgotten.total()
        for state in State:
            known = sum(1 for model in self.jobs.values() if model.state is state)
            assert counts[state] == known + self.forgotten[state], state
        lanes, ended = self.store.lanes(), read_counts(self.store.read_hash("ended_lanes"))
        for name in ("accepted", *State):
            assert sum(lane.counts[name] for lane in lanes) + ended[name] == counts[name]

    @invariant()
    def within_the_limit(self) -> None:
        """However late the server counts a request, from its release to its report, no window holds too many."""
        for requests in self.charged.values():
            spans = requests.values()
            for begin in {end for _, end in spans}:
                assert sum(1 for at, end in spans if at < begin + LIMITS.window and end >= begin) <= BURST
