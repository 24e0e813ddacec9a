"""The task `producers.enqueue`, without Celery around it: what it does when Redis does not do its part."""

from collections.abc import Iterator
from pathlib import Path

import pytest
from celery.exceptions import Reject

from lanes.queue.store import LaneStore, connect
from lanes.settings import WorkerSettings
from ops.embedded.redis_server import RedisServer
from producers import InvalidJobError
from worker.enqueue_task import enqueue_rows

ROW = {"pipelineId": "p", "locationId": "loc", "contactId": "c"}


@pytest.fixture
def server(tmp_path: Path) -> Iterator[RedisServer]:
    with RedisServer(tmp_path) as server:
        yield server


@pytest.fixture
def store(server: RedisServer) -> Iterator[LaneStore]:
    with connect(server.url) as client:
        yield LaneStore(client)


def settings(server: RedisServer) -> WorkerSettings:
    return WorkerSettings(redis_url=server.url, enqueue_timeout_seconds=2.0)


def test_a_redis_that_takes_nothing_gives_the_message_back(server: RedisServer, store: LaneStore) -> None:
    store.client.config_set("maxmemory", 1)
    with pytest.raises(Reject) as caught:
        enqueue_rows(store, settings(server), "task", [ROW])
    assert caught.value.requeue
    store.client.config_set("maxmemory", 0)
    assert enqueue_rows(store, settings(server), "task", [ROW])["accepted"] == 1


def test_less_safe_than_asked_is_still_accepted(server: RedisServer, store: LaneStore) -> None:
    assert enqueue_rows(store, settings(server), "task", ROW, "replicas:1")["job_ids"] == ["task"]
    assert enqueue_rows(store, settings(server), "task", ROW, "fsync")["job_ids"] == ["task"]
    assert store.counts()["accepted"] == 1


def test_many_rows_of_one_message(server: RedisServer, store: LaneStore) -> None:
    rows = [{**ROW, "contactId": f"c{number}"} for number in range(1200)]
    for _ in range(2):
        assert len(enqueue_rows(store, settings(server), "task", rows)["job_ids"]) == 1200
    assert store.counts()["accepted"] == 1200


@pytest.mark.parametrize(("task_id", "durability"), [("a b", None), ("a\n", None), ("", None), ("task", "synced")])
def test_a_message_that_cannot_be_a_job_is_refused(
    server: RedisServer, store: LaneStore, task_id: str, durability: str | None
) -> None:
    with pytest.raises(InvalidJobError):
        enqueue_rows(store, settings(server), task_id, [ROW], durability)
    assert store.counts()["accepted"] == 0
