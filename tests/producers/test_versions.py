"""API versions at enqueue: which one counts, its fields, and the errors about other fields."""

import json
from io import BytesIO
from typing import Any

import pytest

from lanes.errors import SettingsError
from lanes.queue.store import LaneStore
from lanes.queue.transitions import AttemptReport
from lanes.settings import ProducerSettings
from lanes.versions import ApiVersion
from producers import InvalidJobError, UpsertOpportunity, UpsertOpportunityV3
from producers.files.rows import read_rows
from producers.model_versions import MODELS
from producers.new_job import make_new_job
from tests.producers.conftest import CONSUMER, OK, MakeProducer, deliver, problems_of, release

OLD, V3 = ApiVersion
OK3: dict[str, Any] = {
    "id": "opp",
    "pipelineId": "pipe",
    "locationId": "loc",
    "followers": [],
    "isRemoveAllFollowers": False,
    "followersActionType": "add",
}
NOON = "2030-01-01T12:00:00Z"


def order(row: object, version: ApiVersion = V3, **options: Any) -> Any:
    return make_new_job(row, options, version_of=lambda _: version)


def problems(row: object, version: ApiVersion = V3, **options: Any) -> list[str]:
    with pytest.raises(InvalidJobError) as caught:
        order(row, version, **options)
    return [str(problem) for problem in caught.value.field_errors]


@pytest.mark.parametrize(
    ("text", "versions"),
    [
        ("a=v3", {"a": V3}),
        ("a=v3,b=2021-07-28", {"a": V3, "b": OLD}),
        (" a=v3 ,\n b=2021-07-28,\n", {"a": V3, "b": OLD}),
        ("a=v3,a=v3", {"a": V3}),
        (",", {}),
    ],
)
def test_locations_with_a_version_of_their_own(text: str, versions: dict[str, ApiVersion]) -> None:
    for own in (ProducerSettings.load({"LANES_API_VERSIONS": text}), ProducerSettings(api_versions=versions)):
        assert {location: own.version_of(location) for location in versions} == versions
        assert own.version_of("other") is OLD
    assert ProducerSettings.load({"LANES_API_VERSION": "v3", "LANES_API_VERSIONS": text}).version_of("other") is V3


@pytest.mark.parametrize(
    ("name", "value", "reported"),
    [
        ("LANES_API_VERSION", "v4", "must be 2021-07-28 or v3 (it is 'v4')"),
        ("LANES_API_VERSIONS", "a=v4", "each version 2021-07-28 or v3; 'a=v4' is not (it is 'a=v4')"),
        ("LANES_API_VERSIONS", "v3", "must be like locA=v3,locB=2021-07-28"),
        ("LANES_API_VERSIONS", "a b=v3", "'a' is not"),
        ("LANES_API_VERSIONS", "a/b=v3", "'a/b=v3' is not"),
        ("LANES_API_VERSIONS", "=v3", "'=v3' is not"),
        ("LANES_API_VERSIONS", "a=v3,a=2021-07-28", "must name a location once; a has two versions"),
        ("LANES_API_VERSION_S", "a=v3", "did you mean LANES_API_VERSIONS?"),
    ],
)
def test_a_wrong_version_is_a_wrong_setting_of_one_line(name: str, value: str, reported: str) -> None:
    with pytest.raises(SettingsError) as caught:
        ProducerSettings.load({name: value})
    assert str(caught.value).startswith(f"{name}: ")
    assert reported in str(caught.value)
    assert "\n" not in str(caught.value)


def test_the_body_of_v3() -> None:
    full = {
        **OK3,
        "followers": ["user-1", "user-2"],
        "name": "Zoë",
        "status": "lost",
        "pipelineStageId": "stage",
        "monetaryValue": 1200.0,
        "forecastExpectedCloseDate": "2026-04-23",
        "forecastProbability": 12.5,
        "assignedTo": "user-1",
        "lostReasonId": "reason",
    }
    model = UpsertOpportunityV3.model_validate(full)
    assert json.loads(model.to_json()) == full
    assert b'"monetaryValue":1200,' in model.to_json()
    by_python = UpsertOpportunityV3.model_validate({name: getattr(model, name) for name in type(model).model_fields})
    assert by_python == model
    assert json.loads(order(OK3).body) == OK3


@pytest.mark.parametrize(
    ("field", "value", "reported"),
    [
        ("followers", "user", "followers: should be a valid list (it is 'user')"),
        ("followers", ["a b"], "followers.0: "),
        ("followers", [7], "followers.0: should be a valid string (it is 7)"),
        ("isRemoveAllFollowers", "true", "isRemoveAllFollowers: should be a valid boolean (it is 'true')"),
        ("followersActionType", "set", "followersActionType: should be 'add' or 'remove' (it is 'set')"),
        ("forecastProbability", float("nan"), "forecastProbability: should be a finite number (it is nan)"),
        ("forecastProbability", 10**400, "forecastProbability: must be between -2**53 and 2**53"),
        ("forecastProbability", True, "forecastProbability: should be a valid number (it is True)"),
        ("forecastExpectedCloseDate", "soon", "forecastExpectedCloseDate: must be a date like 2026-04-23"),
        ("id", "a/b", "id: must be 1 to 64 letters, digits, - or _ (it is 'a/b')"),
        ("lostReasonId", "", "lostReasonId: must be 1 to 64 letters, digits, - or _ (it is '')"),
        ("status", "opened", "status: should be 'open', 'won', 'lost', 'abandoned' or 'all' (it is 'opened')"),
        ("forecastProbabilty", 1, "forecastProbabilty: no such field; did you mean forecastProbability?"),
    ],
)
def test_what_v3_does_not_take(field: str, value: object, reported: str) -> None:
    (line,) = problems({**OK3, field: value})
    assert line.startswith(reported)


@pytest.mark.parametrize(
    "text",
    [
        *("2026/04/23", "04/23/2026", "2026-04-23", "04-23-2026", "2026.04.23", "04.23.2026"),
        *("2026-04-23T10:00:00Z", "2026-04-23T10:00:00.000+02:00", "20260423T100000Z"),
    ],
)
def test_every_date_of_the_specification(text: str) -> None:
    assert json.loads(order({**OK3, "forecastExpectedCloseDate": text}).body)["forecastExpectedCloseDate"] == text


@pytest.mark.parametrize(
    "text",
    ["", "2026", "23/04/2026", "2026-02-30", "2026/04-23", "2026-4-23", "26-04-23", "now", "2026-04-23 x", "9" * 99],
)
def test_no_other_date(text: str) -> None:
    (line,) = problems({**OK3, "forecastExpectedCloseDate": text})
    assert line.startswith("forecastExpectedCloseDate: must be a date like 2026-04-23 or 04/23/2026")


def test_a_field_of_another_version_is_reported_with_that_version() -> None:
    assert problems({**OK, "id": "opp", "followers": [], "lost_reason_id": "r"}, OLD) == [
        f"{name}: no such field in API version 2021-07-28; v3 has it: see LANES_API_VERSION"
        for name in ("id", "followers", "lost_reason_id")
    ]
    assert problems({**OK3, "contactId": "c"}) == [
        "contactId: no such field in API version v3; 2021-07-28 has it: see LANES_API_VERSION"
    ]
    assert problems(OK3, OLD)[0] == "contactId: is required"


def test_a_field_by_both_of_its_names_is_no_matter_of_versions() -> None:
    for row, version in ((OK, OLD), (OK3, V3)):
        assert problems({**row, "pipeline_id": "other"}, version) == [
            "pipeline_id: is also given as pipelineId: keep one of the two"
        ]


def test_a_model_of_another_version_is_held_against_the_one_that_counts() -> None:
    theirs = UpsertOpportunityV3.model_validate({**OK3, "monetaryValue": 12})
    assert [line.split(":")[0] for line in problems(theirs, OLD)] == [
        *("contactId", "id", "followers", "isRemoveAllFollowers", "followersActionType")
    ]
    ours = UpsertOpportunity(pipeline_id="p", location_id="l", contact_id="c")
    assert [line.split(":")[0] for line in problems(ours)] == [
        *("followers", "isRemoveAllFollowers", "followersActionType", "contactId")
    ]
    changed = ours.model_copy(update={"name": 7})  # past its checks
    assert "name: should be a valid string (it is 7)" in problems(changed)


@pytest.mark.parametrize("value", [None, 7, "text", [], {"locationId": 7}, {"locationId": ["loc"]}])
def test_a_body_without_a_location_is_refused(value: object) -> None:
    def version_of(location: str) -> ApiVersion:
        assert location == ""
        return OLD

    with pytest.raises(InvalidJobError):
        make_new_job(value, version_of=version_of)


def test_the_record_is_the_opportunity() -> None:
    assert order(OK3).record == order({**OK3, "pipelineId": "other", "followers": ["u"]}).record == "opp"
    created = {name: value for name, value in OK3.items() if name != "id"}
    same = [order({**created, "followers": users}).record for users in (["a", "b"], ["b", "a"], ["a", "b", "a"])]
    assert len(set(same)) == 1
    others = [
        order({**created, "followers": ["a"]}).record,
        order({**created, "pipelineId": "other"}).record,
        order(created).record,
    ]
    assert len({same[0], *others}) == 4


@pytest.mark.parametrize(
    ("change", "whole"),
    [({}, False), ({"id": None}, True), ({"followers": ["u"]}, True), ({"isRemoveAllFollowers": True}, True)],
)
def test_a_body_that_must_be_sent_whole_is_not_merged_and_takes_no_event_time(
    change: dict[str, Any], whole: bool
) -> None:
    assert order({**OK3, **change}, merge=True).merge is not whole
    if whole:
        (line,) = problems({**OK3, **change}, event_time=NOON)
        assert line.startswith("_options.event_time: cannot be kept: ")
    else:
        assert order(OK3, event_time=NOON).event_time


def test_each_location_has_its_version(redis_url: str, make_producer: MakeProducer) -> None:
    producer = make_producer(
        ProducerSettings(redis_url=redis_url, api_version="v3", api_versions={"old": "2021-07-28"})
    )
    rows = [OK3, {**OK, "locationId": "old"}, OK, {**OK3, "locationId": "old"}]
    report = producer.enqueue_many(rows)
    assert (report.accepted, [rejected.row for rejected in report.refused]) == (2, [3, 4])
    jobs = [producer.status(job_id) for job_id in report.job_ids]
    assert [(job.version, job.record) for job in jobs] == [(V3, "opp"), (OLD, "pipe/contact")]
    assert [job.as_json()["api_version"] for job in jobs] == ["v3", "2021-07-28"]
    with pytest.raises(InvalidJobError, match="contactId"):
        producer.enqueue(OK)


def test_a_job_keeps_the_version_that_it_was_checked_for(
    redis_url: str, make_producer: MakeProducer, store: LaneStore
) -> None:
    job_id = make_producer(ProducerSettings(redis_url=redis_url, api_version="v3")).enqueue(OK3).job_id
    later = make_producer(ProducerSettings(redis_url=redis_url))
    assert later.status(job_id).version == V3
    assert release(store, job_id).version == V3
    # The same worker asks again, as when the answer was lost, and reports; then the job is replayed.
    again = release(store, job_id)
    assert (again.attempt, again.version) == (1, V3)
    store.bury(AttemptReport(job_id, 1, "{}", CONSUMER.limits), reason="refused")
    assert store.replay(job_id) == "replayed"
    assert release(store, job_id).version == V3
    store.deliver(AttemptReport(job_id, 2, "{}", CONSUMER.limits), retention=3600)
    other = later.enqueue(OK).job_id
    assert release(store, other).version == OLD
    assert [later.status(known).version for known in (job_id, other)] == [V3, OLD]


def test_jobs_without_a_version_cost_nothing_extra(
    redis_url: str, make_producer: MakeProducer, store: LaneStore
) -> None:
    job_id = make_producer(ProducerSettings(redis_url=redis_url)).enqueue(OK).job_id
    assert not store.client.hexists(store.key("job", job_id), "version")
    deliver(store, job_id)


def test_rows_of_a_file_in_v3() -> None:
    table = (
        "id,pipelineId,locationId,followers,isRemoveAllFollowers,followersActionType,forecastProbability,name\n"
        "o1,p,l,a; b,true,add,20,n\n"
        "o2,p,l,;,FALSE,remove,0.5,\n"
        "o3,p,l,a,perhaps,add,20%,\n"
        "o4,p,l,,false,add,1,\n"
    )
    rows = [row.value for row in read_rows(BytesIO(table.encode()), "csv")]
    good = [json.loads(order(row).body) for row in rows[:2]]
    assert [(row["followers"], row["isRemoveAllFollowers"], row["forecastProbability"]) for row in good] == [
        (["a", "b"], True, 20),
        ([], False, 0.5),
    ]
    assert [line.split(":")[0] for line in problems(rows[2])] == ["isRemoveAllFollowers", "forecastProbability"]
    assert problems(rows[3]) == ["followers: is required"]


def test_every_model_is_refused_by_name_and_names_its_version() -> None:
    for version, model in MODELS.items():
        assert model.version == version
        assert problems_of(model, {"X": 1})[-1].startswith("X: no such field; ")
