"""What we send and what the sandbox answers, against HighLevel's published specification of the version we speak."""

import json
from collections.abc import Callable
from pathlib import Path
from typing import Any

import jsonschema
import pytest

from lanes.settings import Settings
from producers import UpsertOpportunity
from tests.worker.highlevel.conftest import BODY, SPECIFICATIONS, post
from tests.worker.highlevel.recorder import Recorder
from worker.highlevel.client import PATH, HighLevelClient
from worker.highlevel.sandbox import DEFAULT_TOKEN, Sandbox, SandboxSettings, contract

FOUND = sorted(SPECIFICATIONS.glob(f"upsert-opportunity.{contract.VERSION}.openapi.json"))

FULL = {
    **BODY,
    "name": "Müller & Söhne",
    "status": "won",
    "pipelineStageId": "stage",
    "monetaryValue": 49.5,
    "assignedTo": "user",
}
VALUES: tuple[object, ...] = ("x", 7, True, None, [], {})
pytestmark = pytest.mark.parametrize("specification", FOUND, ids=[path.name for path in FOUND], indirect=True)


class Specification:
    """The operation, and its schemas made strict: nothing but what they name, and in answers all of it."""

    def __init__(self, path: Path) -> None:
        self.document: dict[str, Any] = json.loads(path.read_text("utf-8"))
        self.operation: dict[str, Any] = self.document["paths"][PATH]["post"]

    def _schema(self, content: dict[str, Any]) -> dict[str, Any]:
        name = content["content"]["application/json"]["schema"]["$ref"].rsplit("/", 1)[1]
        schema: dict[str, Any] = self.document["components"]["schemas"][name]
        return schema

    @property
    def request(self) -> dict[str, Any]:
        return {**self._schema(self.operation["requestBody"]), "additionalProperties": False}

    def response(self, status: int) -> dict[str, Any]:
        # Observed: a new record answers 201, with the body that is documented for 200.
        schema = self._schema(self.operation["responses"]["200" if status == 201 else str(status)])
        # Documented beside the schemas: every response carries a trace id.
        properties = {**schema["properties"], "traceId": {"type": "string", "minLength": 1}}
        return {**schema, "properties": properties, "required": list(properties), "additionalProperties": False}


@pytest.fixture
def specification(request: pytest.FixtureRequest) -> Specification:
    return Specification(request.param)


def fits(schema: dict[str, Any], value: object) -> bool:
    return bool(jsonschema.Draft202012Validator(schema).is_valid(value))


def test_the_sandbox_knows_the_same_fields(specification: Specification) -> None:
    schema = specification.request
    assert set(contract.FIELDS) == set(schema["properties"])
    assert list(contract.REQUIRED) == schema["required"]
    assert list(contract.STATUSES) == schema["properties"]["status"]["enum"]


def test_our_own_model_knows_the_same_fields(specification: Specification) -> None:
    fields = UpsertOpportunity.model_fields
    assert {field.alias for field in fields.values()} == set(specification.request["properties"])
    assert [field.alias for field in fields.values() if field.is_required()] == specification.request["required"]


@pytest.mark.parametrize(
    "row",
    [BODY, FULL, *({**BODY, "status": status} for status in contract.STATUSES)]
    + [{**BODY, "monetaryValue": value} for value in (0, -1, 0.1, 1e300, 2**53)],
)
def test_what_a_producer_sends_fits_and_arrives(
    specification: Specification, sandbox: Sandbox, row: dict[str, Any]
) -> None:
    raw = UpsertOpportunity.model_validate(row).to_json()
    assert fits(specification.request, json.loads(raw))
    assert json.loads(raw) == row
    answer = post(sandbox, raw=raw)
    assert answer.status_code == 201
    jsonschema.validate(answer.json(), specification.response(201))
    assert {name: answer.json()["opportunity"][name] for name in row} == row


def test_the_request_of_the_client(specification: Specification) -> None:
    assert Settings.model_fields["api_base_url"].default == specification.document["servers"][0]["url"]
    assert specification.operation["security"] == [{"bearer": ["opportunities.write"]}]
    settings = Settings()
    with Recorder() as server:
        HighLevelClient(server.url, settings.api_version, 20).upsert(b"{}", DEFAULT_TOKEN)
    [request] = server.seen
    assert (request.method, request.target) == ("POST", PATH)
    assert request.headers["Authorization"] == f"Bearer {DEFAULT_TOKEN}"
    assert request.headers["Content-Type"] in specification.operation["requestBody"]["content"]
    for parameter in specification.operation["parameters"]:
        assert parameter["in"] == "header"
        jsonschema.validate(request.headers[parameter["name"]], parameter["schema"])


@pytest.mark.parametrize(
    ("headers", "fields", "status"),
    [
        ({}, {}, 201),
        ({}, {"contactId": "known"}, 200),
        ({}, FULL, 201),
        ({}, {"pipelineId": "gone"}, 400),
        ({"Content-Type": None}, {}, 400),
        ({"Authorization": None}, {}, 401),
        ({"Authorization": "Bearer pit-gone"}, {}, 401),
        ({"Version": None}, {}, 401),
        ({"Version": "v3"}, {}, 401),
        ({}, {"X": 1}, 422),
        ({}, {"status": "opened", "contactId": 7}, 422),
    ],
)
def test_the_answers_of_the_sandbox_are_the_documented_ones(
    specification: Specification,
    make_sandbox: Callable[..., Sandbox],
    headers: dict[str, str | None],
    fields: dict[str, Any],
    status: int,
) -> None:
    sandbox = make_sandbox(known_pipelines={"pipe"})
    post(sandbox, contactId="known")
    answer = post(sandbox, headers, **fields)
    assert answer.status_code == status
    jsonschema.validate(answer.json(), specification.response(status))
    documented = specification.response(status)["properties"].get("error", {}).get("example")
    assert documented is None or answer.json()["error"] == documented


@pytest.mark.parametrize(
    "change",
    [
        *({name: value} for name in contract.FIELDS for value in VALUES),
        *({"status": status} for status in contract.STATUSES),
        *({"monetaryValue": value} for value in (0, -1, 0.5, 1e300, "12")),
        {"X": 1},
    ],
)
def test_the_sandbox_refuses_what_the_specification_refuses(
    specification: Specification, change: dict[str, Any]
) -> None:
    body = {**BODY, **change}
    refusal = contract.check_body(SandboxSettings(), body, VERSION)
    assert (refusal is None) == fits(specification.request, body)
