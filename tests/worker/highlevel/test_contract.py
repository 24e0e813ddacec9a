"""Our requests and the sandbox's answers, compared with HighLevel's published specifications."""

import json
from collections.abc import Callable
from pathlib import Path
from typing import Any

import jsonschema
import pytest

from lanes.settings import WorkerSettings
from lanes.versions import ApiVersion
from ops.sandbox import DEFAULT_TOKEN, Sandbox, SandboxSettings, contract
from ops.sandbox.contract import CONTRACTS
from producers import InvalidJobError
from producers.model_versions import MODELS
from producers.new_job import make_new_job
from tests.worker.highlevel.conftest import BODY, SPECIFICATIONS, needs_specifications, post
from tests.worker.highlevel.recorder import Recorder
from worker.highlevel.client import PATH, HighLevelClient

FOUND = [SPECIFICATIONS / f"upsert-opportunity.{version}.openapi.json" for version in ApiVersion]
OLD, V3 = ApiVersion

LEAST: dict[str, dict[str, Any]] = {
    OLD: BODY,
    V3: {
        "pipelineId": "pipe",
        "locationId": "loc",
        "followers": ["user"],
        "isRemoveAllFollowers": False,
        "followersActionType": "add",
    },
}
MORE = {
    "name": "Müller & Söhne",
    "status": "won",
    "pipelineStageId": "stage",
    "monetaryValue": 49.5,
    "assignedTo": "user",
}
FULL: dict[str, dict[str, Any]] = {
    OLD: {**LEAST[OLD], **MORE},
    V3: {
        **LEAST[V3],
        **MORE,
        "id": "opp",
        "followersActionType": "remove",
        "forecastExpectedCloseDate": "2026-04-23",
        "forecastProbability": 20,
        "lostReasonId": "reason",
    },
}
VALUES: tuple[object, ...] = ("x", 7, True, None, [], {})
pytestmark = [
    needs_specifications,
    pytest.mark.parametrize("specification", FOUND, ids=[path.name for path in FOUND], indirect=True),
]


class Specification:
    """The operation, and its schemas made strict: nothing but what they name, and in answers all of it."""

    def __init__(self, path: Path) -> None:
        self.document: dict[str, Any] = json.loads(path.read_text("utf-8"))
        self.version: str = self.document["info"]["version"]
        self.operation: dict[str, Any] = self.document["paths"][PATH]["post"]

    def _schema(self, content: dict[str, Any]) -> dict[str, Any]:
        name = content["content"]["application/json"]["schema"]["$ref"].rsplit("/", 1)[1]
        schema: dict[str, Any] = self.document["components"]["schemas"][name]
        return schema

    @property
    def request(self) -> dict[str, Any]:
        schema = self._schema(self.operation["requestBody"])
        properties = {name: meant(field) for name, field in schema["properties"].items()}
        return {**schema, "properties": properties, "additionalProperties": False}

    def response(self, status: int) -> dict[str, Any]:
        # Observed: a new record answers 201, with the body that is documented for 200.
        schema = self._schema(self.operation["responses"]["200" if status == 201 else str(status)])
        # Documented outside the schemas: every response has a trace id.
        properties = {**schema["properties"], "traceId": {"type": "string", "minLength": 1}}
        return {**schema, "properties": properties, "required": list(properties), "additionalProperties": False}


def meant(field: dict[str, Any]) -> dict[str, Any]:
    """Return a field's schema; where it says object and shows a number, as v3 of `monetaryValue`, a number is meant."""
    is_number = field["type"] == "object" and isinstance(field.get("example"), int)
    return {**field, "type": "number"} if is_number else field


@pytest.fixture
def specification(request: pytest.FixtureRequest) -> Specification:
    return Specification(request.param)


def fits(schema: dict[str, Any], value: object) -> bool:
    return bool(jsonschema.Draft202012Validator(schema).is_valid(value))


def test_the_versions_are_those_that_are_spoken(specification: Specification) -> None:
    assert specification.version in CONTRACTS
    assert CONTRACTS.keys() == MODELS.keys() == set(ApiVersion)


def test_the_sandbox_knows_the_same_fields(specification: Specification) -> None:
    schema, ours = specification.request, CONTRACTS[specification.version]
    assert set(ours.fields) == set(schema["properties"])
    assert list(ours.required) == schema["required"]
    assert list(contract.STATUSES) == schema["properties"]["status"]["enum"]
    for kind, names in ((contract.FieldKind.ACTION, contract.ACTIONS), (contract.FieldKind.STATUS, contract.STATUSES)):
        fields = [name for name, held in ours.fields.items() if held is kind]
        assert all(schema["properties"][name]["enum"] == list(names) for name in fields)


def test_our_own_model_knows_the_same_fields(specification: Specification) -> None:
    fields = MODELS[ApiVersion(specification.version)].model_fields
    assert {field.alias for field in fields.values()} == set(specification.request["properties"])
    assert [field.alias for field in fields.values() if field.is_required()] == specification.request["required"]


@pytest.mark.parametrize(
    "change",
    [{}, MORE, *({"status": status} for status in contract.STATUSES)]
    + [{"monetaryValue": value} for value in (0, -1, 0.1, 1e300, 2**53)],
)
@pytest.mark.parametrize("rows", [LEAST, FULL], ids=["least", "full"])
def test_what_a_producer_sends_fits_and_arrives(
    specification: Specification, sandbox: Sandbox, rows: dict[str, dict[str, Any]], change: dict[str, Any]
) -> None:
    row = {**rows[specification.version], **change}
    raw = make_new_job(row, version_of=lambda _: ApiVersion(specification.version)).body
    assert fits(specification.request, json.loads(raw))
    assert json.loads(raw) == row
    answer = post(sandbox, {"Version": specification.version}, raw=raw)
    assert answer.status_code == 201
    jsonschema.validate(answer.json(), specification.response(201))
    actions = ("isRemoveAllFollowers", "followersActionType", "followers")
    kept = {name: value for name, value in row.items() if name not in actions}
    assert {name: answer.json()["opportunity"][name] for name in kept} == kept


def test_a_body_of_one_version_breaks_the_contract_of_the_other(specification: Specification, sandbox: Sandbox) -> None:
    other = next(version for version in ApiVersion if version != specification.version)
    assert not fits(specification.request, LEAST[other])
    answer = post(sandbox, {"Version": specification.version}, raw=json.dumps(LEAST[other]).encode())
    assert answer.status_code == 422
    jsonschema.validate(answer.json(), specification.response(422))


def test_the_request_of_the_client(specification: Specification) -> None:
    settings = WorkerSettings(api_version=specification.version)
    assert WorkerSettings.model_fields["api_base_url"].default == specification.document["servers"][0]["url"]
    assert specification.operation["security"] == [{"bearer": ["opportunities.write"]}]
    with Recorder() as server:
        HighLevelClient(server.url, settings.api_version, 20).upsert(b"{}", DEFAULT_TOKEN)
        HighLevelClient(server.url, "none", 20).upsert(b"{}", DEFAULT_TOKEN, specification.version)
    for request in server.seen:
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
        ({}, MORE, 201),
        ({}, {"pipelineId": "gone"}, 400),
        ({"Content-Type": None}, {}, 400),
        ({"Authorization": None}, {}, 401),
        ({"Authorization": "Bearer pit-gone"}, {}, 401),
        ({"Version": None}, {}, 401),
        ({"Version": "v4"}, {}, 401),
        ({}, {"X": 1}, 422),
        ({}, {"status": "opened", "assignedTo": 7}, 422),
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
    raw = json.dumps({**LEAST[specification.version], **fields}).encode()
    answer = post(sandbox, {"Version": specification.version, **headers}, raw=raw)
    assert answer.status_code == status
    jsonschema.validate(answer.json(), specification.response(status))
    documented = specification.response(status)["properties"].get("error", {}).get("example")
    assert documented is None or answer.json()["error"] == documented


def test_the_same_opportunity_again_answers_200(specification: Specification, sandbox: Sandbox) -> None:
    raw = json.dumps(FULL[specification.version]).encode()
    answers = [post(sandbox, {"Version": specification.version}, raw=raw) for _ in range(2)]
    assert [(answer.status_code, answer.json()["new"]) for answer in answers] == [(201, True), (200, False)]
    jsonschema.validate(answers[1].json(), specification.response(200))


CHANGES = [
    *({name: value} for name in {**FULL[OLD], **FULL[V3]} for value in VALUES),
    *({"status": status} for status in contract.STATUSES),
    *({"followersActionType": action} for action in contract.ACTIONS),
    *({"monetaryValue": value} for value in (0, -1, 0.5, 1e300, "12")),
    *({"followers": value} for value in ([], ["a", "b"], ["a", 7], "a")),
    {"X": 1},
]


@pytest.mark.parametrize("change", CHANGES)
def test_the_sandbox_refuses_what_the_specification_refuses(
    specification: Specification, change: dict[str, Any]
) -> None:
    body = {**LEAST[specification.version], **change}
    refusal = contract.check_body(SandboxSettings(), body, specification.version)
    assert (refusal is None) == fits(specification.request, body)


@pytest.mark.parametrize("change", CHANGES)
def test_a_producer_takes_nothing_that_the_specification_refuses(
    specification: Specification, change: dict[str, Any]
) -> None:
    """It may be stricter: in ids, and in dates."""
    body = {**LEAST[specification.version], **change}
    try:
        make_new_job(body, version_of=lambda _: ApiVersion(specification.version))
    except InvalidJobError:
        return
    assert fits(specification.request, {name: value for name, value in body.items() if value is not None})
