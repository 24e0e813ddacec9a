"""The task `producers.enqueue`, without Celery around it: what it does when Redis does not do its part."""

from collections.abc import Iterator
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import pytest
from celery.exceptions import Reject

from lanes.activity.series import since_the_beginning
from lanes.checks.consistency import check_consistency
from lanes.errors import RedisUnavailableError
from lanes.queue.connecting import connect
from lanes.queue.store import MAX_SERVICES, LaneStore
from lanes.services.service import Service
from lanes.services.store import ServiceStore
from lanes.settings import WorkerSettings
from ops.embedded.redis_server import RedisServer
from worker.app import enqueue
from worker.enqueue_task import RejectedRowsError, enqueue_rows

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


@pytest.mark.parametrize("task_id", ["a b", "a\n", ""])
def test_a_task_id_that_cannot_be_that_of_a_job_fails_the_task(
    server: RedisServer, store: LaneStore, task_id: str
) -> None:
    with pytest.raises(RejectedRowsError, match=r"nothing was enqueued; task id: must be text of 1 to 128 letters"):
        enqueue_rows(store, settings(server), task_id, [ROW])
    assert store.counts()["accepted"] == 0


SECRET = "SecretValue"
BAD = {**ROW, "monetaryValue": SECRET, "_options": {"service": "shop"}}


KEYED = {**ROW, "_options": {"idempotency_key": SECRET}}


@pytest.mark.parametrize(
    ("arguments", "accepted", "message"),
    [
        ([BAD], 0, "task: the row was refused; nothing was enqueued | row 1: monetaryValue: should be a valid number"),
        (
            [[ROW, BAD]],
            1,
            "1 of 2 rows were refused; the others are enqueued as task-ROW | row 2: monetaryValue: sho",
        ),
        ([[[SECRET]]], 0, "row 1: must be an object of named fields"),
        ([None], 0, "row 1: must be an object of named fields"),
        ([[KEYED, {**KEYED, "name": "x"}]], 1, "key: was used for another body, by job task-1: use a new key"),
        (
            [[ROW, ROW], SECRET],
            0,
            "2 of 2 rows were refused; nothing was enqueued | row 1: durability: must be acc",
        ),
    ],
    ids=["one", "some", "no object", "nothing", "key", "durability"],
)
def test_a_refused_row_fails_the_task_and_is_kept_without_its_values(
    server: RedisServer, store: LaneStore, arguments: list[Any], accepted: int, message: str
) -> None:
    with pytest.raises(RejectedRowsError) as caught:
        enqueue_rows(store, settings(server), "task", *arguments)
    assert message in str(caught.value)
    assert SECRET not in str(caught.value)
    assert store.counts()["accepted"] == accepted
    kept = store.rejected_task("task")
    assert kept is not None
    assert (kept.accepted, kept.describe(9)) == (accepted, str(caught.value))
    assert SECRET not in str(store.client.hgetall(store.key("rejected_task", "task")))
    ttl = store.client.ttl(store.key("rejected_task", "task"))
    assert 0 < ttl <= settings(server).retention_seconds


def test_a_row_is_found_by_its_own_id(server: RedisServer, store: LaneStore) -> None:
    with pytest.raises(RejectedRowsError):
        enqueue_rows(store, settings(server), "task", [BAD, ROW, BAD])
    assert [row.row for row in (store.rejected_task("task-3") or pytest.fail("not found")).refused] == [3]
    assert store.rejected_task("task-2") is store.rejected_task("task-4") is store.rejected_task("other-1") is None


def test_a_worker_that_dies_before_the_refusal_is_kept_loses_and_repeats_nothing(
    server: RedisServer, store: LaneStore, monkeypatch: pytest.MonkeyPatch
) -> None:
    def die(*_: object) -> None:
        raise RedisUnavailableError("gone")

    with monkeypatch.context() as dying:
        dying.setattr(LaneStore, "reject_rows", die)
        with pytest.raises(Reject) as caught:
            enqueue_rows(store, settings(server), "task", [ROW, BAD])
    assert caught.value.requeue
    assert (store.counts()["accepted"], store.rejected_task("task")) == (1, None)
    for _ in range(2):  # the message comes again, and again
        with pytest.raises(RejectedRowsError, match="1 of 2 rows were refused; the others are enqueued"):
            enqueue_rows(store, settings(server), "task", [ROW, BAD])
    assert store.counts()["accepted"] == 1
    assert store.rejected_task("task") is not None
    assert since_the_beginning(store).refused_rows == {"shop": 1}


@pytest.mark.parametrize("broken", ["a string", "no number"])
def test_a_broken_counter_hides_no_refusal(server: RedisServer, store: LaneStore, broken: str) -> None:
    counter: Any = store.key("rejected_rows")
    if broken == "a string":
        store.client.set(counter, "x")
    else:
        store.client.hset(counter, "shop", "x")
    with pytest.raises(RejectedRowsError, match="1 of 2 rows were refused"):
        enqueue_rows(store, settings(server), "task", [ROW, BAD])
    assert store.rejected_task("task") is not None
    assert [finding.where for finding in check_consistency(store) if finding.repair] == ["rejected_rows"]


def test_many_refused_rows_and_hostile_services_take_bounded_memory(server: RedisServer, store: LaneStore) -> None:
    rows = [{"_options": {"service": f"service-{number}"}, "x" * 500: 1} for number in range(MAX_SERVICES + 30)]
    with pytest.raises(RejectedRowsError) as caught:
        enqueue_rows(store, settings(server), "task", [*rows, {"_options": {"service": "no name"}}, ROW])
    assert str(caught.value).endswith(" | ... and 121 more: lanes job task")
    assert len((store.rejected_task("task") or pytest.fail("not found")).refused) == 100
    counted = since_the_beginning(store).refused_rows
    assert len(counted) == MAX_SERVICES + 1
    assert (sum(counted.values()), counted["other"]) == (MAX_SERVICES + 31, 31)
    assert len(store.client.dump(store.key("rejected_task", "task")) or b"") < 100_000


@pytest.mark.parametrize(
    ("arguments", "named", "field"),
    [((), {"row": [ROW]}, "row"), (([ROW], None, SECRET), {}, "argument 3")],
    ids=["unknown name", "one too many"],
)
def test_arguments_that_the_task_does_not_have_refuse_its_rows(
    server: RedisServer, store: LaneStore, arguments: tuple[Any, ...], named: dict[str, Any], field: str
) -> None:
    context = SimpleNamespace(store=store)
    runtime = SimpleNamespace(settings=settings(server), context=lambda _: context)
    task = SimpleNamespace(app=SimpleNamespace(runtime=runtime), request=SimpleNamespace(id="task", hostname="w"))
    with pytest.raises(RejectedRowsError) as caught:
        enqueue(task, *arguments, **named)
    assert f"row 1: {field}: is no argument of this task: it takes rows and durability" in str(caught.value)
    assert SECRET not in str(caught.value)
    assert store.counts()["accepted"] == 0


def test_rows_over_a_quota_fail_the_task(server: RedisServer, store: LaneStore) -> None:
    """Also when the message is delivered again; a later batch of the task is refused, too."""
    ServiceStore(store).add(Service("shop", max_pending=1))
    of_shop = {"_options": {"service": "shop"}}
    rows = [{**ROW, "contactId": f"c{number}", **(of_shop if number in (400, 401) else {})} for number in range(700)]
    for _ in range(2):
        with pytest.raises(RejectedRowsError) as caught:
            enqueue_rows(store, settings(server), "task", rows)
        found = str(caught.value)
        assert "299 of 700 rows were refused; the others are enqueued as task-ROW | row 402: _opt" in found
        assert "row 402: _options.service: is over its quota max_pending=1: try again in 5 s" in found
        assert "row 403: an earlier row is over the quota max_pending=1 of the service shop: try again in 5 s" in found
    assert store.counts()["accepted"] == 401
