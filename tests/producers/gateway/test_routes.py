"""Every call needs a key, and a key opens its own service only. A new call without a check fails here."""

import re

import pytest
from fastapi.routing import iter_route_contexts

from lanes.services.service import Service
from lanes.services.store import CACHE_SECONDS
from producers.gateway.app import make_api
from tests.helpers import until
from tests.producers.gateway.conftest import RunningGateway, problem

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


def test_a_third_key_replaces_the_first(gateway: RunningGateway) -> None:
    gateway.services.add(Service("rotated"))
    keys = [gateway.services.make_key("rotated") for _ in range(3)]
    gateway.keys |= {f"key-{number}": key for number, key in enumerate(keys)}
    answers = [gateway.send("GET", "/v1/jobs/a", f"key-{number}") for number in range(3)]
    assert [answer.status_code for answer in answers] == [401, 404, 404]
    gateway.services.remove("rotated")
    until(lambda: gateway.send("GET", "/v1/jobs/a", "key-1").status_code == 401, "the key to end", CACHE_SECONDS + 10)


def test_problems_of_paths_and_methods(gateway: RunningGateway) -> None:
    problem(gateway.send("GET", "/v1/unknown"), 404, "not-found")
    problem(gateway.send("PUT", "/v1/upserts"), 405, "method")


def test_ready_says_that_there_are_no_keys(gateway: RunningGateway) -> None:
    assert gateway.send("GET", "/readyz", None).text == "ready\n"
