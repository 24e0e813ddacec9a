"""What the sandbox refuses, in which order, and with exactly which answer."""

import json
from collections.abc import Callable
from typing import Any

import pytest
import requests

from ops.sandbox import Sandbox, SandboxSettings
from ops.sandbox.contract import EDGE_PAGE, check_body, parse_body
from tests.worker.highlevel.conftest import BODY, HEADERS, post

LIMIT_HEADERS = {
    "X-RateLimit-Max": "100",
    "X-RateLimit-Remaining": "99",
    "X-RateLimit-Interval-Milliseconds": "10000",
    "X-RateLimit-Limit-Daily": "200000",
    "X-RateLimit-Daily-Remaining": "199999",
}
OTHER = "Bearer token-of-another-location"
SCOPELESS = "Bearer token-without-scope"


@pytest.fixture
def strict(make_sandbox: Callable[..., Sandbox]) -> Sandbox:
    tokens = {"sandbox-token": None, OTHER.split()[1]: {"loc-2"}, SCOPELESS.split()[1]: None}
    return make_sandbox(tokens=tokens, tokens_without_scope={SCOPELESS.split()[1]}, known_pipelines={"pipe"})


def error(status: int, message: object, error: str | None = None) -> dict[str, object]:
    body = {"statusCode": status, "message": message}
    return body if error is None else {**body, "error": error}


UNAUTHORIZED = "Unauthorized"


@pytest.mark.parametrize(
    ("headers", "expected"),
    [
        ({"Authorization": None}, error(401, "Invalid JWT", UNAUTHORIZED)),
        ({"Authorization": "sandbox-token"}, error(401, "Invalid JWT", UNAUTHORIZED)),
        ({"Authorization": "Basic sandbox-token"}, error(401, "Invalid JWT", UNAUTHORIZED)),
        ({"Authorization": "Bearer gone"}, error(401, "Invalid JWT", UNAUTHORIZED)),
        ({"Authorization": "Bearer pit-gone"}, error(401, "Invalid Private Integration token", UNAUTHORIZED)),
        ({"Version": None}, error(401, "version header was not found.", UNAUTHORIZED)),
        ({"Version": "v4"}, error(401, "version header is invalid", UNAUTHORIZED)),
        ({"Authorization": OTHER}, error(403, "The token does not have access to this location.", "Forbidden")),
        ({"Authorization": SCOPELESS}, error(401, "The token is not authorized for this scope.", UNAUTHORIZED)),
        ({"Content-Type": None}, error(400, "Content-Type must be application/json")),
        ({"Content-Type": "text/plain"}, error(400, "Content-Type must be application/json")),
        # the order of the checks
        ({"Authorization": None, "Version": None}, error(401, "Invalid JWT", UNAUTHORIZED)),
        ({"Authorization": OTHER, "Version": "v4"}, error(401, "version header is invalid", UNAUTHORIZED)),
        ({"Authorization": SCOPELESS, "Content-Type": None}, error(401, "The token is not authorized for this scope.",
         UNAUTHORIZED)),
    ],
)  # fmt: skip
def test_headers(strict: Sandbox, headers: dict[str, str | None], expected: dict[str, object]) -> None:
    answer = post(strict, headers)
    body = answer.json()
    assert body.pop("traceId")
    assert (answer.status_code, body) == (expected["statusCode"], expected)
    assert strict.records == {}


@pytest.mark.parametrize("agent", ["Python-urllib/3.11", "python-urllib/2.7"])
def test_the_edge_refuses_what_it_was_observed_to_refuse_before_all_else(sandbox: Sandbox, agent: str) -> None:
    answer = post(sandbox, {"User-Agent": agent, "Authorization": None})
    assert (answer.status_code, answer.text) == (403, EDGE_PAGE)
    assert answer.headers["Content-Type"].startswith("text/html")
    assert "error code: 1010" in answer.text
    assert "X-RateLimit-Max" not in answer.headers


@pytest.mark.parametrize(
    "agent",
    [
        *("python-httpx/0.28.1", "axios/1.13.2"),  # of the API's own SDKs
        *("python-requests/2.34", "python-urllib3/2.8.0", "aiohttp/3", "Go-http-client/2.0", "curl/8.9.1", "", None),
    ],
)
def test_the_edge_takes_every_other_user_agent(sandbox: Sandbox, agent: str | None) -> None:
    assert post(sandbox, {"User-Agent": agent}).status_code == 201


STATUS = "status must be one of the following values: open, won, lost, abandoned, all"
NUMBER = "monetaryValue must be a number conforming to the specified constraints"


@pytest.mark.parametrize(
    ("fields", "messages"),
    [
        ({"X": 1}, ["property X should not exist"]),
        ({"contact_id": "c"}, ["property contact_id should not exist"]),
        ({"pipelineId": None}, ["pipelineId should not be empty", "pipelineId must be a string"]),
        ({"locationId": ""}, ["locationId should not be empty"]),
        ({"locationId": ["loc"]}, ["locationId must be a string"]),
        ({"contactId": 7}, ["contactId must be a string"]),
        ({"name": 7, "assignedTo": None}, ["name must be a string", "assignedTo must be a string"]),
        ({"pipelineStageId": {}}, ["pipelineStageId must be a string"]),
        ({"status": "opened"}, [STATUS]),
        ({"status": None}, [STATUS]),
        ({"status": ["open"]}, [STATUS]),
        ({"monetaryValue": "12"}, [NUMBER]),
        ({"monetaryValue": True}, [NUMBER]),
        ({"monetaryValue": None}, [NUMBER]),
        ({"monetaryValue": 10**400}, [NUMBER]),
        ({"X": 1, "contactId": 7, "status": "opened"},
         ["property X should not exist", "contactId must be a string", STATUS]),
    ],
)  # fmt: skip
def test_fields(strict: Sandbox, fields: dict[str, Any], messages: list[str]) -> None:
    answer = post(strict, **fields)
    body = answer.json()
    assert body.pop("traceId")
    assert answer.status_code == 422
    assert body == {"statusCode": 422, "message": messages, "error": "Unprocessable Entity"}
    assert strict.records == {}


@pytest.mark.parametrize(
    "raw", [b"", b"{", b"[]", b'"text"', b"null", b"\xff", b"[" * 100_000, b'{"monetaryValue":NaN}']
)
def test_a_body_that_is_no_json_object(sandbox: Sandbox, raw: bytes) -> None:
    answer = post(sandbox, raw=raw)
    assert (answer.status_code, answer.json()["statusCode"]) == (400, 400)
    assert isinstance(answer.json()["message"], str)


def test_an_unknown_pipeline(strict: Sandbox) -> None:
    answer = post(strict, pipelineId="gone")
    body = answer.json()
    assert body.pop("traceId")
    assert (answer.status_code, body) == (400, error(400, "The pipeline id is invalid."))


@pytest.mark.parametrize("value", ["0", "-1", "0.1", "1e308", "9007199254740993", "-0.0"])
def test_monetary_values_that_are_numbers(value: str) -> None:
    body = parse_body(HEADERS, json.dumps({**BODY, "monetaryValue": 0}).replace(": 0", f": {value}").encode())
    assert isinstance(body, dict)
    assert check_body(SandboxSettings(), body, "2021-07-28") is None


def test_monetary_value_beyond_numbers() -> None:
    body = parse_body(HEADERS, b'{"monetaryValue": 1e400}')
    assert isinstance(body, dict)
    refusal = check_body(SandboxSettings(), body, "2021-07-28")
    assert refusal
    assert NUMBER in refusal.message


def test_a_new_record_answers_201_and_the_same_again_200(sandbox: Sandbox) -> None:
    first = post(sandbox, name="Deal", monetaryValue=12.5, status="won")
    again = post(sandbox, name="Renamed", pipelineStageId="stage")
    others = ({**BODY, field: "other"} for field in BODY)
    elsewhere = [post(sandbox, raw=json.dumps(other).encode()) for other in others]
    assert [answer.status_code for answer in (first, again, *elsewhere)] == [201, 200, 201, 201, 201]
    assert [answer.json()["new"] for answer in (first, again)] == [True, False]
    opportunity = again.json()["opportunity"]
    assert opportunity["id"] == first.json()["opportunity"]["id"]
    assert opportunity["createdAt"] == first.json()["opportunity"]["createdAt"]
    assert opportunity["updatedAt"] >= opportunity["createdAt"]
    # What was not sent stays as it was.
    kept = {"name": "Renamed", "monetaryValue": 12.5, "status": "won", "pipelineStageId": "stage", "assignedTo": None}
    assert {name: opportunity[name] for name in (*kept, *BODY)} == {**kept, **BODY}
    assert len({answer.json()["opportunity"]["id"] for answer in (first, *elsewhere)}) == 4
    assert len({answer.json()["traceId"] for answer in (first, again, *elsewhere)}) == 5


@pytest.mark.parametrize(
    ("headers", "fields", "used"),
    [({}, {}, 1), ({}, {"X": 1}, 1), ({"Version": None}, {}, 1), ({"Authorization": "Bearer gone"}, {}, 0)],
)
def test_the_limits_are_in_the_headers_wherever_the_location_is_known(
    sandbox: Sandbox, headers: dict[str, str | None], fields: dict[str, Any], used: int
) -> None:
    answer = post(sandbox, headers, **fields)
    reported = {name: answer.headers[name] for name in LIMIT_HEADERS}
    left = {"X-RateLimit-Remaining": str(100 - used), "X-RateLimit-Daily-Remaining": str(200_000 - used)}
    assert reported == {**LIMIT_HEADERS, **left}
    assert 0 < int(answer.headers["X-RateLimit-Daily-Reset"]) <= 86_400_000


@pytest.mark.parametrize(
    ("method", "path"), [("GET", "/opportunities/upsert"), ("POST", "/opportunities/"), ("GET", "/")]
)
def test_there_is_nothing_else(sandbox: Sandbox, method: str, path: str) -> None:
    assert requests.request(method, sandbox.url + path, timeout=30).status_code == 404
