"""Version v3 in the sandbox: what its upserts write, and whom they leave as followers."""

import json
from typing import Any

import pytest
import requests

from ops.sandbox import Fault, FaultKind, RecordKey, Sandbox
from tests.worker.highlevel.conftest import post

V3: dict[str, str | None] = {"Version": "v3"}


def upsert(sandbox: Sandbox, opportunity_id: str | None, **fields: Any) -> requests.Response:
    body = {
        **({} if opportunity_id is None else {"id": opportunity_id}),
        "pipelineId": "pipe",
        "locationId": "loc",
        "followers": [],
        "isRemoveAllFollowers": False,
        "followersActionType": "add",
        **fields,
    }
    return post(sandbox, V3, raw=json.dumps(body).encode())


def followers(answer: requests.Response) -> list[str]:
    found: list[str] = answer.json()["opportunity"]["followers"]
    return found


def test_an_opportunity_is_known_by_its_id_wherever_it_is_moved(sandbox: Sandbox) -> None:
    answers = [
        upsert(sandbox, "opp"),
        upsert(sandbox, "opp", pipelineId="other"),
        upsert(sandbox, "opp", locationId="l2"),
    ]
    assert [(answer.status_code, answer.json()["new"]) for answer in answers] == [
        (201, True),
        (200, False),
        (201, True),
    ]
    assert answers[1].json()["opportunity"]["pipelineId"] == "other"
    assert {key.opportunity_id for key in sandbox.records} == {"opp"}
    assert len(sandbox.records) == 2


def test_one_made_by_contact_can_be_changed_by_id(sandbox: Sandbox) -> None:
    made = post(sandbox).json()["opportunity"]["id"]
    changed = upsert(sandbox, made, name="n")
    assert (changed.status_code, changed.json()["opportunity"]["id"]) == (200, made)
    [opportunity] = sandbox.records.values()
    assert (opportunity["contactId"], opportunity["name"]) == ("contact", "n")


def test_one_that_names_none_makes_a_new_one_each_time(sandbox: Sandbox) -> None:
    answers = [upsert(sandbox, None) for _ in range(3)]
    assert [answer.status_code for answer in answers] == [201] * 3
    assert len({answer.json()["opportunity"]["id"] for answer in answers}) == len(sandbox.records) == 3
    assert sandbox.request_log.overlaps() == []


def test_followers_come_and_go(sandbox: Sandbox) -> None:
    steps: list[tuple[dict[str, Any], list[str]]] = [
        ({"followers": ["a", "b"]}, ["a", "b"]),
        ({"followers": ["b", "c"]}, ["a", "b", "c"]),
        ({}, ["a", "b", "c"]),
        ({"followers": ["a", "x"], "followersActionType": "remove"}, ["b", "c"]),
        ({"followers": ["d"], "isRemoveAllFollowers": True}, ["d"]),
        ({"isRemoveAllFollowers": True}, []),
    ]
    assert [followers(upsert(sandbox, "opp", **step)) for step, _ in steps] == [left for _, left in steps]


@pytest.mark.parametrize("prefix", ["opp-1", "opp"])
def test_a_fault_finds_opportunities_by_id(sandbox: Sandbox, prefix: str) -> None:
    sandbox.inject(Fault(kind=FaultKind.STATUS, contact_prefix=prefix, first=1))
    statuses = [upsert(sandbox, one).status_code for one in ("opp-1", "opp-2", "opp-1")]
    assert statuses == ([500, 201, 201] if prefix == "opp-1" else [500, 500, 201])


def test_the_request_log_has_the_version_and_the_opportunity(sandbox: Sandbox) -> None:
    upsert(sandbox, "opp")
    post(sandbox)
    assert [logged.version for logged in sandbox.request_log.requests()] == ["v3", "2021-07-28"]
    assert list(sandbox.request_log.per_record()) == [
        RecordKey("loc", "", "", "opp"),
        RecordKey("loc", "pipe", "contact"),
    ]
    reported = sandbox.request_log.requests()[0].to_dict()
    assert (reported["opportunity_id"], reported["version"]) == ("opp", "v3")
