"""The OpenAPI document is committed, and the running gateway keeps to it, whatever it is sent."""

import json
from typing import Any

import pytest
import schemathesis
from hypothesis import settings
from schemathesis.checks import not_a_server_error
from schemathesis.specs.openapi.checks import (
    content_type_conformance,
    ignored_auth,
    negative_data_rejection,
    response_headers_conformance,
    response_schema_conformance,
    status_code_conformance,
    unsupported_method,
)

from ops.openapi_document import FILE, document
from tests.helpers import row
from tests.producers.gateway.conftest import RunningGateway

CHECKS: list[Any] = [
    not_a_server_error,
    status_code_conformance,
    content_type_conformance,
    response_headers_conformance,
    response_schema_conformance,
    unsupported_method,
    ignored_auth,
]


@schemathesis.serializer("application/x-ndjson")
def write_lines(_: Any, value: Any) -> bytes:
    """Send text as it is."""
    return value.encode("utf-8", "surrogatepass") if isinstance(value, str) else json.dumps(value).encode()


schema = schemathesis.openapi.from_path(FILE)
schema.config.phases.coverage.enabled = False  # hundreds of requests; those that Hypothesis finds are enough


@pytest.fixture(scope="module", autouse=True)
def outcome(gateway: RunningGateway) -> None:
    """An outcome: without one, a valid `wait` lasts longer than the client waits for an answer."""
    job_id = gateway.enqueue(row("openapi", "a")).json()["job_id"]
    assert gateway.send("DELETE", f"/v1/jobs/{job_id}").status_code == 200


def test_the_committed_document_is_that_of_the_gateway(gateway: RunningGateway) -> None:
    assert document() == FILE.read_text("utf-8"), "make docs writes it"
    assert json.loads(document()) == gateway.send("GET", "/openapi.json", None).json()


@pytest.fixture(scope="module")
def an_outcome(gateway: RunningGateway) -> None:
    """An outcome, so that no request without a cursor waits for one."""
    job_id = gateway.enqueue(row("outcome", "a")).json()["job_id"]
    assert gateway.send("DELETE", f"/v1/jobs/{job_id}").status_code == 200


@pytest.mark.usefixtures("an_outcome")
@schema.parametrize()
@settings(max_examples=30)
def test_every_answer_is_as_the_document_says(case: Any, gateway: RunningGateway) -> None:
    # Options of rows may be text, as in a CSV; the tests of producers have what of a row is refused.
    more = [] if case.method == "POST" else [negative_data_rejection]
    headers = {"Authorization": f"Bearer {gateway.keys['billing']}"}
    case.call_and_validate(base_url=gateway.url, headers=headers, checks=[*CHECKS, *more])
