"""Rules of the state machine about a service with quotas."""

from hypothesis import strategies as st
from hypothesis.stateful import invariant, rule

from lanes.errors import OverQuotaError
from lanes.queue.job import State
from lanes.services.service import Service
from lanes.services.store import ServiceStore
from lanes.storage.stored import StoredHash
from tests.lanes.outcomes.conftest import outcomes_in
from tests.lanes.state_machine.dead_letter_rules import LOCATIONS, RECORDS, ModelJob
from tests.lanes.state_machine.hold_rules import HoldRules

NAME = "crm"
PENDING, DEAD = (State.PENDING, State.IN_FLIGHT), (State.DEAD, State.EXPIRED)


class ServiceRules(HoldRules):
    """`quota` is what was set last; None: the service was removed, or never added."""

    quota: Service | None

    def count(self, states: tuple[State, ...]) -> int:
        """Return how many jobs in these states the service counts."""
        return sum(model.counted and model.state in states for model in self.jobs.values())

    @rule(max_pending=st.sampled_from((None, 0, 2, 5)), max_dead=st.sampled_from((None, None, 1, 3)))
    def set_quota(self, max_pending: int | None, max_dead: int | None) -> None:
        """A person adds the service, or changes its quotas."""
        self.quota = Service(NAME, max_pending=max_pending, max_dead=max_dead)
        ServiceStore(self.store).add(self.quota)

    @rule()
    def remove_service(self) -> None:
        """A person removes the service."""
        assert ServiceStore(self.store).remove(NAME) == (self.quota is not None)
        self.quota = None
        self.outcomes.clear()

    @rule(location=st.sampled_from(LOCATIONS), records=st.lists(st.sampled_from(RECORDS), min_size=1, max_size=6))
    def enqueue_for_service(self, location: str, records: list[str]) -> None:
        """New jobs of the service: from the first one over a quota on, all are refused."""
        orders = [self.orders(location, record, service=NAME) for record in records]
        refused = False
        for order, answer in zip(orders, self.store.enqueue_many(orders, 60), strict=True):
            refused = refused or self.is_over()
            assert isinstance(answer, OverQuotaError) == refused
            if not refused:
                model = ModelJob(location, order.record, held_before=self.held_for[location])
                model.service, model.counted = NAME, self.counts_jobs()
                self.add(order.id, model)

    def counts_jobs(self) -> bool:
        """Return whether the service counts a new job."""
        return self.quota is not None and self.quota.has_quota

    def is_over(self) -> bool:
        """Return whether a new row would be refused."""
        quota = self.quota
        if quota is None:
            return False
        pending_over = quota.max_pending is not None and self.count(PENDING) >= quota.max_pending
        return pending_over or (quota.max_dead is not None and self.count(DEAD) >= quota.max_dead)

    def is_told(self, model: ModelJob) -> bool:
        """Return whether the service is told of an end of this job."""
        return model.service is not None and self.quota is not None

    @invariant()
    def every_end_is_told_once(self) -> None:
        """Each end of a job of the service has one outcome in its stream; nothing else has one."""
        found = [(outcome.job_id, outcome.end, outcome.state.value) for outcome in outcomes_in(self.store, NAME)]
        assert sorted(found) == sorted(self.outcomes)

    @invariant()
    def counted(self) -> None:
        """The counters of the service are those of its counted jobs; without any, a removed service is gone."""
        stored = StoredHash(self.store.read_hash("service", NAME))
        assert (stored.count("pending"), stored.count("dead")) == (self.count(PENDING), self.count(DEAD))
        assert self.quota is not None or "added_at" not in stored
        if self.quota is None and not self.count(PENDING) + self.count(DEAD):
            assert list(stored) == []
