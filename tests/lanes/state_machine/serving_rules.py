"""Rules of the state machine: workers that cannot serve every location."""

from dataclasses import replace

from hypothesis import strategies as st
from hypothesis.stateful import rule

from lanes.credentials import CredentialStore
from lanes.queue.transitions import Consumer
from tests.lanes.conftest import make_consumer
from tests.lanes.state_machine.dead_letter_rules import LOCATIONS
from tests.lanes.state_machine.hold_rules import HoldRules

WORKERS = ("w1", "w2", "w3")


class ServingRules(HoldRules):
    """What each worker may be given."""

    unservable: dict[str, set[str]]

    @rule(worker=st.sampled_from(WORKERS), locations=st.sets(st.sampled_from(LOCATIONS)))
    def cannot_serve(self, worker: str, locations: set[str]) -> None:
        """A worker can use the tokens of some locations only."""
        tokens, before = CredentialStore(self.store), self.unservable.get(worker, set())
        tokens.mark_unservable(worker, locations, 10**6)
        tokens.unmark_unservable(worker, before - locations)
        assert tokens.unservable(worker) == locations
        self.unservable[worker] = locations

    def consumer(self, worker: str) -> Consumer:
        """Return the consumer of a worker."""
        return replace(make_consumer(worker), unservable=worker if self.unservable.get(worker) else "")
