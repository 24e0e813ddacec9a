"""The outcomes of recording producers are those of the real ones, except that nothing is waited for."""

import asyncio
from collections.abc import AsyncIterator, Iterator
from typing import Any

import pytest

from lanes.settings import ProducerSettings
from producers import CursorError, SettingsError
from producers.testing import AsyncRecordingProducer, Dead, Delivered, RecordingProducer
from tests.producers.conftest import OK

SETTINGS = ProducerSettings(service="crm")


def given(producer: Any) -> Iterator[Any]:
    """Yield the calls that enqueue a job of each kind."""
    producer.ends(Delivered("opp", new=True))
    producer.ends(Dead("no such stage", 422, "NO_STAGE"), contactId="bad")
    for number, contact in enumerate(("good", "bad", "good", "other")):
        service = "web" if contact == "other" else None
        yield producer.enqueue(
            {**OK, "contactId": contact}, job_id=f"job{number}", merge=True, service=service or "crm"
        )


def shown(outcomes: list[Any]) -> list[tuple[object, ...]]:
    return [(each.job_id, each.end, each.state, each.code, each.opportunity_id) for each in outcomes]


EXPECTED = {
    ("job0", 1, "delivered", None, "opp"),
    ("job1", 1, "dead", "NO_STAGE", None),
    ("job2", 1, "delivered", None, "opp"),
}


def test_outcomes_come_until_they_are_acknowledged() -> None:
    producer = RecordingProducer(SETTINGS)
    assert [receipt.job_id for receipt in given(producer)] == ["job0", "job1", "job2", "job3"]
    assert list(producer.outcomes("group")) == []
    producer.run()
    first = list(producer.outcomes("group"))
    assert set(shown(first)) == EXPECTED
    first[0].ack()
    assert len(list(producer.outcomes("group", wait=1))) == 2
    assert len(list(producer.outcomes("another"))) == 3
    assert [each.service for each in producer.outcomes("group", service="web")] == ["web"]


def test_they_are_awaited_from_the_other_face() -> None:
    async def read(outcomes: AsyncIterator[Any], *, ack: bool) -> list[Any]:
        found = [each async for each in outcomes]
        for each in found if ack else ():
            await each.ack()
        return found

    async def use() -> None:
        producer = AsyncRecordingProducer(SETTINGS)
        for call in given(producer):
            await call
        producer.run()
        assert set(shown(await read(producer.outcomes("group"), ack=True))) == EXPECTED
        assert await read(producer.outcomes("group"), ack=True) == []
        assert len((await producer.read_outcomes()).outcomes) == 3

    asyncio.run(use())


def test_pages_go_on_from_a_cursor() -> None:
    producer = RecordingProducer(SETTINGS)
    list(given(producer))
    producer.run()
    page = producer.read_outcomes(count=2)
    assert len(page.outcomes) == 2
    rest = producer.read_outcomes(after=page.cursor, wait=9)
    assert set(shown([*page.outcomes, *rest.outcomes])) == EXPECTED
    assert producer.read_outcomes(after=rest.cursor).outcomes == ()
    with pytest.raises(CursorError):
        producer.read_outcomes(after="x")
    with pytest.raises(SettingsError, match="service"):
        RecordingProducer().read_outcomes()
