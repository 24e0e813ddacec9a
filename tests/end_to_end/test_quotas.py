"""A service with a quota floods: it gets its errors, and other services notice nothing."""

import threading
from collections import Counter
from collections.abc import Callable

from lanes.checks.consistency import check_consistency
from lanes.queue.job import State
from lanes.services.service import Service
from lanes.services.store import ServiceStore
from ops.embedded.stack import Stack
from producers import OpportunityProducer, QuotaError
from tests.end_to_end.conftest import producer_of, store_of
from tests.helpers import row, until

QUOTA = 1000


def test_others_notice_nothing_of_a_service_that_floods(make_stack: Callable[..., Stack]) -> None:
    stack = make_stack()
    store, producer = store_of(stack), producer_of(stack)
    services = ServiceStore(store)
    services.add(Service("flood", max_pending=QUOTA))
    over, answers, waiting = threading.Event(), Counter[str](), list[int]()

    def flood(number: int) -> None:
        with OpportunityProducer.from_settings(stack.load_settings()) as own:
            while not over.is_set():
                rows = (row("flooded", f"{number}-{answers.total()}-{contact}") for contact in range(500))
                report = own.enqueue_many(rows, service="flood")
                answers["accepted"] += report.accepted
                answers.update(type(refused.over_quota).__name__ for refused in report.refused)

    threads = [threading.Thread(target=flood, args=(number,)) for number in range(2)]
    for thread in threads:
        thread.start()
    until(lambda: answers[QuotaError.__name__] > 0, "the first row over the quota")
    stack.start_worker()
    calm = [producer.enqueue(row(f"loc{number % 5}", f"c{number}"), service="calm").job_id for number in range(50)]
    for job_id in calm:
        job = producer.wait(job_id, 60)
        assert (job.state, len(job.attempts)) == (State.DELIVERED, 1)
        [lane] = store.lanes(["flooded"])
        waiting.append(lane.counts["pending"] + lane.counts["in_flight"])
    over.set()
    for thread in threads:
        thread.join()
    assert 0 < min(waiting) <= max(waiting) <= QUOTA
    assert answers.keys() == {"accepted", QuotaError.__name__}
    service = services.get("flood")
    assert service is not None
    assert service.refused == answers[QuotaError.__name__]
    assert [finding for finding in check_consistency(store) if finding.repair] == []
