"""What became of the jobs of a service, page by page."""

import threading
from typing import Any

import pytest

from lanes.services.service import Service
from tests.helpers import row
from tests.producers.gateway.conftest import RunningGateway, deliver_job, problem


@pytest.fixture
def cursor(gateway: RunningGateway) -> str:
    """The cursor after all that other tests left."""
    after: dict[str, Any] = {}
    while (page := read(gateway, **after)).pop("outcomes"):
        after = {"after": page["cursor"]}
    return str(page["cursor"])


def read(gateway: RunningGateway, service: str = "billing", **parameters: Any) -> dict[str, Any]:
    answer = gateway.send("GET", "/v1/outcomes", service, params=parameters)
    assert answer.status_code == 200, answer.text
    found: dict[str, Any] = answer.json()
    return found


def test_a_page_begins_after_the_cursor(gateway: RunningGateway, cursor: str) -> None:
    job_ids = [gateway.enqueue(row("ended", contact)).json()["job_id"] for contact in "abc"]
    for job_id in job_ids:
        deliver_job(gateway, job_id)
    first = read(gateway, after=cursor, limit=2)
    assert [(each["job_id"], each["end"], each["state"]) for each in first["outcomes"]] == [
        (job_id, 1, "delivered") for job_id in job_ids[:2]
    ]
    assert (first["outcomes"][0]["opportunity_id"], first["outcomes"][0]["new"]) == ("opp", True)
    second = read(gateway, after=first["cursor"])
    assert [each["job_id"] for each in second["outcomes"]] == job_ids[2:]
    last = read(gateway, after=second["cursor"])
    assert last == {"outcomes": [], "cursor": second["cursor"], "trimmed": False}
    assert not {each["job_id"] for each in read(gateway, "crm")["outcomes"]} & set(job_ids)


def test_a_long_poll_ends_with_the_first_outcome(gateway: RunningGateway, cursor: str) -> None:
    pages = []
    waiting = threading.Thread(target=lambda: pages.append(read(gateway, after=cursor, wait=30)))
    waiting.start()
    job_id = gateway.enqueue(row("polled", "a")).json()["job_id"]
    assert gateway.send("DELETE", f"/v1/jobs/{job_id}").status_code == 200
    waiting.join()
    (page,) = pages
    assert [(each["job_id"], each["state"]) for each in page["outcomes"]] == [(job_id, "cancelled")]


def test_an_empty_cursor_is_the_beginning(gateway: RunningGateway) -> None:
    assert gateway.send("GET", "/v1/outcomes?after=&limit=1").json() == read(gateway, limit=1)


@pytest.mark.parametrize(
    ("parameters", "message"),
    [
        ({"after": "x"}, "is no cursor of outcomes: take the `cursor` of a page"),
        ({"after": f"{2**64}-0"}, "is no cursor of outcomes: take the `cursor` of a page"),
        ({"after": f"{2**64 - 1}-{2**64 - 1}"}, "is no cursor of outcomes: take the `cursor` of a page"),
        ({"limit": 0}, "should be greater than or equal to 1"),
        ({"wait": 31}, "should be less than or equal to 30"),
        ({"wait": "x"}, "should be a valid integer, unable to parse string as an integer"),
    ],
)
def test_422_names_the_parameter(gateway: RunningGateway, parameters: dict[str, Any], message: str) -> None:
    found = problem(gateway.send("GET", "/v1/outcomes", params=parameters), 422, "invalid")
    ((name, value),) = parameters.items()
    assert found["errors"] == [{"field": name, "value": f"'{value}'", "message": message}]


def test_404_says_how_outcomes_are_turned_on(gateway: RunningGateway) -> None:
    gateway.services.add(Service("silent", outcomes=False))
    gateway.keys["silent"] = gateway.services.make_key("silent")
    found = problem(gateway.send("GET", "/v1/outcomes", "silent"), 404, "not-found")
    assert "`lanes service add silent --outcomes`" in found["detail"]
