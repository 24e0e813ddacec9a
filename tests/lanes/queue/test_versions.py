"""What versions of the API are to the lanes: a word that travels with a job, and bodies that name their opportunity."""

import json
from typing import Any

from lanes.checks.consistency import check_consistency
from lanes.queue.new_job import NewJob
from lanes.queue.results import Released
from lanes.queue.transitions import AttemptReport
from tests.lanes.conftest import LIMITS, ClockedStore, make_consumer

ACTIONS = {"followers": [], "isRemoveAllFollowers": False, "followersActionType": "add"}


def order(number: int, version: str = "v3", record: str = "opp", **body: Any) -> NewJob:
    fields = {"id": record, "pipelineId": "p1", "locationId": "loc", **ACTIONS, **body}
    raw = json.dumps(fields, separators=(",", ":")).encode()
    return NewJob(f"job{number}", "loc", record, raw, merge=True, version=version)


def release(store: ClockedStore) -> Released:
    released = store.release(make_consumer()).next
    assert isinstance(released, Released)
    return released


def body_of(store: ClockedStore, job_id: str) -> dict[str, Any]:
    job = store.job(job_id)
    assert job is not None
    assert job.body is not None
    return job.body


def event(store: ClockedStore, number: int, time: float, **body: Any) -> None:
    made = order(number, **body)
    store.enqueue(
        NewJob(made.id, "loc", made.record, made.body, merge=False, version="v3", event_time=store.now - 100 + time),
        3600,
    )


def test_the_version_travels_through_every_way_back_to_the_lane(store: ClockedStore) -> None:
    store.enqueue(order(1), 3600)
    assert release(store).version == "v3"
    store.retry(AttemptReport("job1", 1, "{}", LIMITS), delay=1)
    store.pass_time(20)
    assert release(store).version == "v3"
    store.throttle(AttemptReport("job1", 2, "{}", LIMITS), wait=1)
    store.pass_time(20)
    assert release(store).version == "v3"
    store.pass_time(31)
    assert [lost.id for lost in store.reclaim(10, 12)] == ["job1"]
    assert release(store).version == "v3"


def test_an_unknown_version_travels_too(store: ClockedStore) -> None:
    store.enqueue(order(1, "v9"), 3600)
    job = store.job("job1")
    assert job is not None
    assert (release(store).version, job.version) == ("v9", "v9")


def test_only_bodies_of_one_version_are_merged(store: ClockedStore) -> None:
    store.enqueue_many([order(1, name="a"), order(2, "v9", name="b"), order(3, "v9", name="c")], 3600)
    assert [job and job.merged_into for job in store.jobs(["job1", "job2", "job3"])] == [None, None, "job2"]
    merged = store.job("job3")
    assert merged is not None
    assert merged.version == "v9"
    assert list(check_consistency(store)) == []


def test_a_move_to_another_pipeline_is_not_merged(store: ClockedStore) -> None:
    store.enqueue_many([order(1), order(2, pipelineId="p2"), order(3, pipelineId="p2", name="n")], 3600)
    assert [job and job.merged_into for job in store.jobs(["job1", "job2", "job3"])] == [None, None, "job2"]
    assert body_of(store, "job1")["pipelineId"] == "p1"
    assert body_of(store, "job2") | {"pipelineId": "p2", "name": "n"} == body_of(store, "job2")


def test_follower_changes_are_never_replaced(store: ClockedStore) -> None:
    action: dict[str, Any] = {"followers": ["u1"], "isRemoveAllFollowers": True, "followersActionType": "add"}
    store.enqueue_many([order(1, **action, name="a"), order(2, name="b", status="won")], 3600)
    assert body_of(store, "job1") == {
        "id": "opp",
        "pipelineId": "p1",
        "locationId": "loc",
        "name": "b",
        "status": "won",
        **action,
    }


def test_an_older_event_does_not_move_the_opportunity_back(store: ClockedStore) -> None:
    event(store, 1, 50, pipelineId="p2", name="new")
    event(store, 2, 40, name="old", status="won", pipelineStageId="stage-of-p1")
    assert body_of(store, "job2") == {"id": "opp", "pipelineId": "p2", "locationId": "loc", **ACTIONS, "status": "won"}
    event(store, 3, 60, pipelineId="p3", pipelineStageId="stage-of-p3")
    assert body_of(store, "job3")["pipelineId"] == "p3"
    event(store, 4, 55, pipelineId="p2", status="lost")
    assert body_of(store, "job4")["pipelineId"] == "p3"
    event(store, 5, 45, pipelineId="p1", pipelineStageId="stage-of-p1")
    merged = store.job("job5")
    assert merged is not None
    assert merged.merged_into == "job3"


def test_an_older_event_leaves_a_body_that_the_api_takes(store: ClockedStore) -> None:
    event(store, 1, 50, name="new")
    event(store, 2, 40, name="old", status="won")
    assert body_of(store, "job2") == {"id": "opp", "pipelineId": "p1", "locationId": "loc", **ACTIONS, "status": "won"}
