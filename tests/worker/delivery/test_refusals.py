"""What a worker makes of refusals: which count, which are alike, and what Flower and the log hear of them."""

from dataclasses import replace

import pytest
import structlog
from celery import Celery

from lanes.queue.connecting import connect
from lanes.queue.results import Released
from lanes.queue.store import LaneStore
from lanes.settings import WorkerSettings
from producers import OpportunityProducer
from worker.delivery.circuit_breaker import counted_refusal, refusal_shape
from worker.delivery.context import WorkerContext
from worker.delivery.flower_events import JobEvents
from worker.delivery.sender_pool import InlineSender
from worker.delivery.shift import SenderThread
from worker.delivery.wakeup import WakeupPipe
from worker.highlevel.client import HighLevelClient
from worker.highlevel.outcomes import Outcome, OutcomeKind
from worker.safety.redis_availability import RedisAvailability
from worker.shared_flag import SharedFlag
from worker.tokens.provider import TokenProvider

SETTINGS = WorkerSettings(refusal_brake=1)
REFUSED = Outcome(OutcomeKind.REFUSED, 403, "Forbidden resource")


class KeptEvents(JobEvents):
    """Keeps what would be sent to Flower."""

    def __init__(self) -> None:
        super().__init__(Celery(), "w")
        self.kept: list[tuple[str, str]] = []

    def _add(self, kind: str, job_id: str, **_: object) -> None:
        """Keep an event."""
        self.kept.append((kind, job_id))


@pytest.mark.parametrize("kind", [kind for kind in OutcomeKind if kind is not OutcomeKind.REFUSED])
def test_only_what_is_refused_counts(kind: OutcomeKind) -> None:
    assert counted_refusal(replace(REFUSED, kind=kind), SETTINGS) is None


def test_what_was_never_sent_does_not_count_nor_does_anything_without_a_brake() -> None:
    assert counted_refusal(replace(REFUSED, status=None), SETTINGS) is None
    assert counted_refusal(REFUSED, SETTINGS.model_copy(update={"refusal_brake": 0})) is None
    counted = counted_refusal(REFUSED, SETTINGS)
    assert counted is not None
    assert (counted.limit, counted.gap, counted.max_gap, counted.status) == (1, 1, 60, 403)


@pytest.mark.parametrize(
    ("one", "two", "alike"),
    [
        ("Forbidden resource", "Forbidden resource", True),
        ("Forbidden resource", "forbidden resource", True),
        ("Forbidden resource", "Cannot POST /opportunities/upsert", False),
        ("contact Zq8XkWvbNmLpRtYuIoPa is unknown", "contact AbCdEfGhIjKlMnOpQrSt is unknown", True),
        ("contact a1b2c3d4e5 is unknown", "contact f6g7h8i9j0 is unknown", True),
        ('name "Ada Lovelace" is wrong', 'name "Bo" is wrong', True),
        ("value 12.5 is too large", "value 7 is too large", True),
        ("limit 12 of 40 reached", "limit 7 of 41 reached", True),
        ("ada@example.com is taken", "bo@example.org is taken", True),
        ("", "Forbidden resource", False),
    ],
)
def test_refusals_are_alike_whatever_values_they_repeat(one: str, two: str, alike: bool) -> None:
    assert (refusal_shape(one) == refusal_shape(two)) == alike
    assert refusal_shape(one).isalnum()


def test_the_code_is_a_part_of_the_shape() -> None:
    assert refusal_shape("x", "ONE") != refusal_shape("x", "TWO")


def test_a_request_out_when_the_brake_closed_is_reported_as_retried(redis_url: str) -> None:
    events = KeptEvents()
    with connect(redis_url) as client, OpportunityProducer.from_url(redis_url) as producer:
        store = LaneStore(client)
        api = HighLevelClient(SETTINGS.api_base_url, SETTINGS.api_version, SETTINGS.http_timeout_seconds)
        tokens = TokenProvider(SETTINGS, store)
        context = WorkerContext(
            SETTINGS, store, api, tokens, events, "w", SharedFlag(), WakeupPipe(), RedisAvailability()
        )
        rows = [{"pipelineId": "p", "locationId": "loc", "contactId": contact} for contact in "ab"]
        first, second = producer.enqueue_many(rows).job_ids
        sender = SenderThread(context, InlineSender(0))
        limits = context.limits
        jobs = [store.release(replace(sender._consumer, worker=name, limits=limits)).next for name in "ab"]
        with structlog.testing.capture_logs() as logs:
            for job in jobs:
                assert isinstance(job, Released)
                sender._reporter.report(job, REFUSED, 0.1, 0, None)
        assert events.kept == [("task-failed", first), ("task-retried", second)]
        assert [(line["event"], line["log_level"]) for line in logs] == [
            ("job_buried", "warning"),
            ("job_braked", "info"),
        ]
        found = store.job(second)
        assert found is not None
        assert (found.state, found.attempts[0].outcome) == ("pending", "braked")
        assert found.attempts[0].detail["message"] == "Forbidden resource"
