"""Every call needs a key, and a key opens its own service only. A new call without a check fails here."""

import json
import re
from collections.abc import Iterator

import pytest
import requests
from fastapi.routing import iter_route_contexts

from lanes.services.service import Service
from lanes.services.store import CACHE_SECONDS
from producers.gateway.app import make_api
from tests.helpers import row, until
from tests.producers.gateway.conftest import LINES, RunningGateway, problem

WITHOUT_KEY = {"/healthz", "/readyz", "/metrics", "/docs", "/openapi.json"}


API = make_api()
ROUTES = [(str(each.path), method) for each in iter_route_contexts(API.routes) for method in sorted(each.methods or ())]
CALLS = [(path, method) for path, method in ROUTES if path not in WITHOUT_KEY]


def test_the_calls_are_those_of_the_document() -> None:
    documented = {(path, method.upper()) for path, methods in API.openapi()["paths"].items() for method in methods}
    assert documented == set(CALLS)
    assert all(path.startswith("/v1/") for path, _ in CALLS)
    assert {path for path, _ in ROUTES} - {path for path, _ in CALLS} == WITHOUT_KEY
    assert all(
        call["security"] == [{"key": []}] for methods in API.openapi()["paths"].values() for call in methods.values()
    )


@pytest.mark.parametrize(("path", "method"), CALLS)
def test_no_call_is_answered_without_a_key(gateway: RunningGateway, path: str, method: str) -> None:
    path = re.sub(r"\{\w+\}", "some-id", path)
    for headers in ({}, {"Authorization": "Bearer lanes_wrong"}):
        problem(gateway.send(method, path, None, headers=headers), 401, "no-key")


def test_a_third_key_replaces_the_first_and_all_end_with_the_service(gateway: RunningGateway) -> None:
    gateway.services.add(Service("rotated"))
    keys = [gateway.services.make_key("rotated") for _ in range(3)]
    gateway.keys |= {f"key-{number}": key for number, key in enumerate(keys)}
    answers = [gateway.send("GET", "/v1/jobs/a", f"key-{number}") for number in range(3)]
    assert [answer.status_code for answer in answers] == [401, 404, 404]

    def is_refused(name: str) -> bool:
        return gateway.send("GET", "/v1/jobs/a", name).status_code == 401

    def body() -> Iterator[bytes]:
        """A batch that begins before the service is removed, and goes on when its keys have ended."""
        yield json.dumps(row("rotated", "a")).encode() + b"\n"
        gateway.services.remove("rotated")
        for name in ("key-1", "key-2"):
            until(lambda name=name: is_refused(name), "the key to end", CACHE_SECONDS + 10)  # type: ignore[misc]
        yield json.dumps(row("rotated", "b")).encode() + b"\n"

    headers = {"Authorization": f"Bearer {keys[2]}", "Content-Type": LINES}
    answer = requests.post(f"{gateway.url}/v1/upserts/batch", data=body(), headers=headers, timeout=60)
    assert problem(answer, 401, "no-key")["accepted"] == 0
    assert "rotated" not in gateway.store.locations()


@pytest.mark.parametrize("method", ["GET", "POST", "HEAD", "OPTIONS"])
@pytest.mark.parametrize("path", ["/v1/unknown", "/v1/upserts/", "/v1/jobs/a/", "/docs/", "/"])
def test_404_for_an_unknown_path_which_is_not_redirected(gateway: RunningGateway, method: str, path: str) -> None:
    answer = gateway.send(method, path, allow_redirects=False)
    assert answer.status_code == 404
    if method != "HEAD":
        problem(answer, 404, "not-found")


@pytest.mark.parametrize(
    ("path", "allowed"),
    [("/v1/upserts", {"POST"}), ("/v1/jobs/a", {"GET", "DELETE"}), ("/v1/outcomes", {"GET"}), ("/docs", {"GET"})],
)
def test_405_names_the_methods_of_the_path(gateway: RunningGateway, path: str, allowed: set[str]) -> None:
    for method in ("PUT", "OPTIONS", "TRACE"):
        answer = gateway.send(method, path)
        problem(answer, 405, "method")
        assert set(answer.headers["Allow"].split(", ")) == allowed


def test_ready_says_that_there_are_no_keys(gateway: RunningGateway) -> None:
    assert gateway.send("GET", "/readyz", None).text == "ready\n"
