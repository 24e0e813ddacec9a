"""Our token requests and the sandbox's answers, compared with HighLevel's published specification."""

import json
from typing import Any
from urllib.parse import parse_qsl

import jsonschema
import pytest
import requests

from ops.sandbox import Sandbox, SandboxControl
from tests.worker.highlevel.conftest import DEADLINE_SECONDS, SPECIFICATIONS, needs_specifications
from tests.worker.highlevel.recorder import Recorder, Request
from worker.tokens.oauth import LOCATION_TOKEN_PATH, TOKEN_PATH, OAuthClient

FOUND = SPECIFICATIONS / "oauth-token.openapi.json"
AGENT = {"User-Agent": "highlevel-lanes/test", "Version": "2021-07-28"}
CLIENT = {"client_id": "app", "client_secret": "secret"}
pytestmark = needs_specifications


@pytest.fixture(scope="module")
def document() -> dict[str, Any]:
    found: dict[str, Any] = json.loads(FOUND.read_text("utf-8"))
    return found


def schema(document: dict[str, Any], content: dict[str, Any]) -> dict[str, Any]:
    """Return a schema made strict: nothing but what it names."""
    [kind] = content["content"].values()
    name = kind["schema"]["$ref"].rsplit("/", 1)[1]
    found: dict[str, Any] = document["components"]["schemas"][name]
    # Documented outside the schemas: every response has a trace id.
    properties = {**found["properties"], "traceId": {"type": "string", "minLength": 1}}
    return {**found, "properties": properties, "additionalProperties": False}


def check_request(document: dict[str, Any], path: str, request: Request) -> None:
    operation = document["paths"][path]["post"]
    assert (request.method, request.target) == ("POST", path)
    assert [request.headers["Content-Type"]] == list(operation["requestBody"]["content"])
    jsonschema.validate(dict(parse_qsl(request.body.decode())), schema(document, operation["requestBody"]))
    for parameter in operation["parameters"]:
        jsonschema.validate(request.headers[parameter["name"]], parameter["schema"])


@pytest.mark.parametrize("user_type", ["Location", "Company"])
def test_the_request_for_a_pair_is_the_documented_one(document: dict[str, Any], user_type: str) -> None:
    with Recorder() as server:
        OAuthClient(server.url, 20).refresh("rt", "app", "secret", user_type)
    check_request(document, TOKEN_PATH, server.seen[0])


def test_the_request_to_exchange_a_token_is_the_documented_one(document: dict[str, Any]) -> None:
    with Recorder() as server:
        OAuthClient(server.url, 20).exchange("company", "loc", "at")
    check_request(document, LOCATION_TOKEN_PATH, server.seen[0])
    assert server.seen[0].headers["Authorization"] == "Bearer at"


@pytest.mark.parametrize("owner", [{"location": "loc"}, {"company": "company"}])
@pytest.mark.parametrize("grant", ["refresh_token", "authorization_code"])
def test_the_pairs_of_the_sandbox_are_the_documented_ones(
    document: dict[str, Any], sandbox: Sandbox, owner: dict[str, str], grant: str
) -> None:
    control = SandboxControl(sandbox.url)
    with_what = (
        {"refresh_token": control.grant(**owner)["refresh_token"]}
        if grant == "refresh_token"
        else {"code": control.grant_code(**owner)}
    )
    answer = send(sandbox, TOKEN_PATH, {**CLIENT, "grant_type": grant, **with_what})
    check_answer(document, TOKEN_PATH, answer, 200)
    assert {"access_token", "refresh_token", "expires_in", "token_type"} <= answer.json().keys()


def test_the_exchanged_tokens_of_the_sandbox_are_the_documented_ones(
    document: dict[str, Any], sandbox: Sandbox
) -> None:
    agency = SandboxControl(sandbox.url).grant(company="company")["access_token"]
    form = {"companyId": "company", "locationId": "loc"}
    headers = {"Authorization": f"Bearer {agency}"}
    check_answer(document, LOCATION_TOKEN_PATH, send(sandbox, LOCATION_TOKEN_PATH, form, headers), 200)
    for wrong, status in (({"companyId": "other"}, 400), ({"locationId": ""}, 422)):
        answer = send(sandbox, LOCATION_TOKEN_PATH, {**form, **wrong}, headers)
        check_answer(document, LOCATION_TOKEN_PATH, answer, status)
    check_answer(document, LOCATION_TOKEN_PATH, send(sandbox, LOCATION_TOKEN_PATH, form), 401)


@pytest.mark.parametrize(
    ("form", "status"),
    [
        ({}, 422),
        ({**CLIENT, "grant_type": "refresh_token", "refresh_token": "x"}, 400),
        ({**CLIENT, "grant_type": "x"}, 400),
    ],
)
def test_the_refusals_of_the_sandbox_are_the_documented_ones(
    document: dict[str, Any], sandbox: Sandbox, form: dict[str, str], status: int
) -> None:
    check_answer(document, TOKEN_PATH, send(sandbox, TOKEN_PATH, form), status)


def send(sandbox: Sandbox, path: str, form: dict[str, str], headers: dict[str, str] | None = None) -> requests.Response:
    type_ = {"Content-Type": "application/x-www-form-urlencoded"}
    return requests.post(
        sandbox.url + path, data=form, headers={**AGENT, **type_, **(headers or {})}, timeout=DEADLINE_SECONDS
    )


def check_answer(document: dict[str, Any], path: str, answer: requests.Response, status: int) -> None:
    assert answer.status_code == status, answer.text
    jsonschema.validate(answer.json(), schema(document, document["paths"][path]["post"]["responses"][str(status)]))
