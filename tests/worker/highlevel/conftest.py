"""The sandbox, and requests to it."""

import json
from collections.abc import Callable, Iterator
from contextlib import ExitStack
from pathlib import Path
from typing import Any

import pytest
import requests
from urllib3.util import SKIP_HEADER

from ops.sandbox import DEFAULT_TOKEN, Sandbox, SandboxSettings

SPECIFICATIONS = Path(__file__).resolve().parents[4] / "shared" / "highlevel"
DEADLINE_SECONDS = 60.0

# The project does not ship HighLevel's published OpenAPI specifications.
needs_specifications = pytest.mark.skipif(
    not SPECIFICATIONS.is_dir(), reason=f"HighLevel's OpenAPI specifications are not in {SPECIFICATIONS}"
)

BODY = {"pipelineId": "pipe", "locationId": "loc", "contactId": "contact"}
HEADERS = {
    "Authorization": f"Bearer {DEFAULT_TOKEN}",
    "Content-Type": "application/json",
    "User-Agent": "highlevel-lanes/test",
    "Version": "2021-07-28",
}


def post(
    sandbox: Sandbox, headers: dict[str, str | None] | None = None, raw: bytes | None = None, **fields: Any
) -> requests.Response:
    """Send an upsert that is valid except for these fields and headers; a header of None is left out."""
    body = json.dumps({**BODY, **fields}).encode() if raw is None else raw
    request = requests.Request("POST", f"{sandbox.url}/opportunities/upsert", data=body).prepare()
    request.headers["User-Agent"] = SKIP_HEADER  # else urllib3 puts its own
    given = {**HEADERS, **(headers or {})}
    request.headers.update({name: value for name, value in given.items() if value is not None})
    with requests.Session() as session:
        return session.send(request, timeout=DEADLINE_SECONDS, allow_redirects=False)


@pytest.fixture
def make_sandbox() -> Iterator[Callable[..., Sandbox]]:
    """Start a sandbox with these settings; it ends with the test."""
    with ExitStack() as stack:
        yield lambda **settings: stack.enter_context(Sandbox(SandboxSettings(**settings)))


@pytest.fixture
def sandbox(make_sandbox: Callable[..., Sandbox]) -> Sandbox:
    """A sandbox with default settings."""
    return make_sandbox()
