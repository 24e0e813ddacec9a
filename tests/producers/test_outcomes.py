"""Reading outcomes by a consumer group and by a cursor, on both faces of the producer."""

import asyncio
import time
from collections.abc import Callable, Iterator
from typing import Any

import pytest

from lanes.outcomes.store import OutcomeStore
from lanes.queue.store import LaneStore
from lanes.services.service import Service
from lanes.services.store import ServiceStore
from lanes.settings import ProducerSettings
from producers import (
    AsyncOpportunityProducer,
    CursorError,
    NoOutcomesError,
    OpportunityProducer,
    OutcomePage,
    SettingsError,
)
from producers.outcomes import CLAIM_SECONDS
from tests.producers.conftest import OK, deliver

Seen = list[tuple[str, int, str]]


class Reading:
    """One face of the producer, whose outcomes come as a list; `acks` says which of them are acknowledged."""

    def __init__(self, settings: ProducerSettings) -> None:
        self._producer = OpportunityProducer.from_settings(settings)

    def outcomes(self, acks: Callable[[Any], bool], max_count: int = 10**6, **options: Any) -> Seen:
        seen: Seen = []
        for outcome in self._producer.outcomes("group", **options):
            seen.append((outcome.job_id, outcome.end, outcome.state.value))
            if acks(outcome):
                outcome.ack()
                outcome.ack()
            if len(seen) == max_count:
                break
        return seen

    def page(self, **options: Any) -> OutcomePage:
        return self._producer.read_outcomes(**options)

    def close(self) -> None:
        self._producer.close()


class AsyncReading:
    """The other face."""

    def __init__(self, settings: ProducerSettings) -> None:
        self._runner = asyncio.Runner()
        self._producer = AsyncOpportunityProducer.from_settings(settings)

    def outcomes(self, acks: Callable[[Any], bool], max_count: int = 10**6, **options: Any) -> Seen:
        async def read() -> Seen:
            seen: Seen = []
            async for outcome in self._producer.outcomes("group", **options):
                seen.append((outcome.job_id, outcome.end, outcome.state.value))
                if acks(outcome):
                    await outcome.ack()
                    await outcome.ack()
                if len(seen) == max_count:
                    break
            return seen

        return self._runner.run(read())

    def page(self, **options: Any) -> OutcomePage:
        return self._runner.run(self._producer.read_outcomes(**options))

    def close(self) -> None:
        self._runner.run(self._producer.close())
        self._runner.close()


@pytest.fixture(params=[Reading, AsyncReading], ids=["sync", "async"])
def reading(request: pytest.FixtureRequest, redis_url: str) -> Iterator[Any]:
    """A consumer of the service `crm`, of either face."""
    reading = request.param(ProducerSettings(redis_url=redis_url, service="crm"))
    yield reading
    reading.close()


@pytest.fixture
def crm(store: LaneStore, redis_url: str) -> Iterator[OpportunityProducer]:
    """The service `crm`, with outcomes, and its producer."""
    ServiceStore(store).add(Service("crm"))
    with OpportunityProducer.from_settings(ProducerSettings(redis_url=redis_url, service="crm")) as producer:
        yield producer


def end(crm: OpportunityProducer, *job_ids: str) -> Seen:
    """Jobs end; return their outcomes."""
    for job_id in job_ids:
        crm.enqueue({**OK, "contactId": job_id}, job_id=job_id)
        crm.cancel(job_id)
    return [(job_id, 1, "cancelled") for job_id in job_ids]


def all_of(outcome: Any) -> bool:
    return bool(outcome)


def none_of(outcome: Any) -> bool:
    return not outcome


def test_each_outcome_comes_once_if_it_is_acknowledged(crm: OpportunityProducer, reading: Any) -> None:
    first = end(crm, "a", "b", "c")
    assert reading.outcomes(all_of, wait=0) == first
    assert reading.outcomes(all_of, wait=0, claim_seconds=0.001) == []
    assert reading.outcomes(all_of, wait=0) == []
    assert reading.outcomes(all_of, wait=0) == end(crm) == []
    second = end(crm, "d")
    assert reading.outcomes(all_of, wait=0) == second


def test_an_unacknowledged_outcome_comes_again(crm: OpportunityProducer, reading: Any) -> None:
    told = end(crm, "a", "b", "c")
    assert reading.outcomes(lambda outcome: outcome.job_id == "b", wait=0) == told
    assert reading.outcomes(all_of, wait=0) == []  # they are not free yet
    again = [each for each in told if each[0] != "b"]
    assert reading.outcomes(none_of, 2, claim_seconds=0.001) == again
    assert reading.outcomes(all_of, 2, claim_seconds=0.001) == again
    assert reading.outcomes(all_of, wait=0, claim_seconds=0.001) == []


def test_a_consumer_that_stops_leaves_the_rest_to_others(
    crm: OpportunityProducer, reading: Any, redis_url: str
) -> None:
    told = end(crm, "a", "b", "c")
    assert reading.outcomes(all_of, max_count=1) == told[:1]
    with OpportunityProducer.from_settings(ProducerSettings(redis_url=redis_url, service="crm")) as other:
        found = []
        for outcome in other.outcomes("group", claim_seconds=0.001, wait=1):
            found.append((outcome.job_id, outcome.end, outcome.state.value))
            outcome.ack()
            if len(found) == 2:
                break
    assert found == told[1:]


def test_an_entry_is_acknowledged_with_its_last_merged_job(
    crm: OpportunityProducer, reading: Any, store: LaneStore
) -> None:
    for job_id in ("a", "b", "c"):
        crm.enqueue(OK, job_id=job_id, merge=True)
    deliver(store, "a")
    told = {(job_id, 1, "delivered") for job_id in ("a", "b", "c")}
    assert set(reading.outcomes(lambda outcome: outcome.job_id != "c", wait=0)) == told
    assert set(reading.outcomes(all_of, 3, claim_seconds=0.001)) == told
    assert reading.outcomes(all_of, wait=0, claim_seconds=0.001) == []


@pytest.mark.parametrize("seconds", [40.0, 70.0])
def test_a_slow_consumer_keeps_what_it_has_read(
    crm: OpportunityProducer,
    reading: Any,
    store: LaneStore,
    monkeypatch: pytest.MonkeyPatch,
    seconds: float,
) -> None:
    """Half way to the end of its claim it renews it. After the end, others may have the rest: it leaves them alone."""
    client: Any = store.client
    keeps = seconds < CLAIM_SECONDS
    told, passed, idle = end(crm, "a", "b", "c"), [0.0], []
    clock = time.monotonic
    monkeypatch.setattr("producers.outcomes.time.monotonic", lambda: clock() + passed[0])

    def slow(outcome: Any) -> bool:
        pending = client.xpending_range(store.key("outcomes", "crm"), "group", "-", "+", 9)
        idle.append(max(each["time_since_delivered"] for each in pending) >= seconds * 1000)
        ids = [each["message_id"] for each in pending]
        client.xclaim(store.key("outcomes", "crm"), "group", "consumers", 0, ids, idle=round(seconds * 1000))
        passed[0] += seconds
        return bool(outcome)

    seen = reading.outcomes(slow, 3 if keeps else 2)
    assert seen == (told if keeps else told[:2])
    assert idle == ([False, False, False] if keeps else [False, False])


@pytest.mark.parametrize("lost", ["group", "service"])
def test_a_group_that_is_lost_while_its_outcomes_are_read_begins_again(
    crm: OpportunityProducer, reading: Any, store: LaneStore, monkeypatch: pytest.MonkeyPatch, lost: str
) -> None:
    client: Any = store.client
    told, passed = end(crm, "a", "b", "c"), [0.0]
    clock = time.monotonic
    monkeypatch.setattr("producers.outcomes.time.monotonic", lambda: clock() + passed[0])

    def lose(outcome: Any) -> bool:
        if not passed[0]:
            if lost == "group":
                client.xgroup_destroy(store.key("outcomes", "crm"), "group")
            else:
                ServiceStore(store).remove("crm")
                ServiceStore(store).add(Service("crm"))
            passed[0] = CLAIM_SECONDS * 0.6  # so that it renews the claim of the rest
        return bool(outcome)

    assert reading.outcomes(lose, 3) == told
    assert reading.outcomes(all_of, wait=0) == (told if lost == "group" else [])


def test_reading_waits_for_an_outcome(crm: OpportunityProducer, reading: Any) -> None:
    assert reading.outcomes(all_of, wait=0) == []
    told = end(crm, "a")
    assert reading.outcomes(all_of, max_count=1) == told
    page = reading.page()
    assert reading.page(after=page.cursor, wait=0.05) == OutcomePage((), page.cursor)


@pytest.mark.parametrize("lost", ["group", "stream"])
def test_a_lost_group_begins_again(crm: OpportunityProducer, reading: Any, store: LaneStore, lost: str) -> None:
    client: Any = store.client
    told = end(crm, "a")
    assert reading.outcomes(all_of, wait=0) == told
    key = store.key("outcomes", "crm")
    client.xgroup_destroy(key, "group") if lost == "group" else client.delete(key)
    assert reading.outcomes(all_of, wait=0) == (told if lost == "group" else [])
    told += end(crm, "b")
    assert reading.outcomes(all_of, wait=0) == told[1:]


def test_pages_go_on_from_a_cursor(crm: OpportunityProducer, reading: Any, store: LaneStore) -> None:
    empty = reading.page()
    assert empty == reading.page(after="") == OutcomePage((), "0-0")
    end(crm, *"abcde")
    page, seen = reading.page(count=2, after=empty.cursor), []
    while page.outcomes:
        seen.append("".join(outcome.job_id for outcome in page.outcomes))
        page = reading.page(count=2, after=page.cursor)
    assert seen == ["ab", "cd", "e"]
    OutcomeStore(store).trim_outcomes(10**6, 1)
    assert reading.page(after=empty.cursor).trimmed is True


@pytest.mark.usefixtures("crm")
@pytest.mark.parametrize("cursor", ["x", "1", "1-1-1", "-", "99999999999999999999-0", "(1-0"])
def test_a_wrong_cursor_is_refused(reading: Any, cursor: str) -> None:
    with pytest.raises(CursorError, match="is no cursor"):
        reading.page(after=cursor)


@pytest.mark.parametrize("outcomes", [None, False])
def test_a_service_without_outcomes_is_refused(reading: Any, store: LaneStore, outcomes: bool | None) -> None:
    if outcomes is not None:
        ServiceStore(store).add(Service("crm", outcomes=outcomes))
    with pytest.raises(NoOutcomesError, match="lanes service add crm"):
        reading.outcomes(all_of)
    with pytest.raises(NoOutcomesError, match="lanes service add crm"):
        reading.page()


def test_a_service_must_be_named(redis_url: str) -> None:
    with (
        OpportunityProducer.from_settings(ProducerSettings(redis_url=redis_url)) as producer,
        pytest.raises(SettingsError, match="LANES_SERVICE"),
    ):
        producer.outcomes("group")


def test_an_outcome_is_plain_values(crm: OpportunityProducer) -> None:
    end(crm, "a")
    (outcome,) = crm.outcomes("group", wait=0)
    assert outcome.as_json() == {
        **dict.fromkeys(("reason", "status", "message", "code", "opportunity_id", "new", "trace_id")),
        "service": "crm",
        "job_id": "a",
        "end": 1,
        "state": "cancelled",
        "accepted_at": outcome.accepted_at,
        "ended_at": outcome.ended_at,
    }
    assert "_ack" not in repr(outcome)
