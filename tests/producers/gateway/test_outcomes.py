"""What became of the jobs of a service, page by page."""

import threading
from typing import Any

import pytest

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


@pytest.mark.parametrize(
    ("parameters", "field"),
    [
        ({"after": "x"}, "after"),
        ({"after": f"{2**64}-0"}, "after"),
        ({"after": f"{2**64 - 1}-{2**64 - 1}"}, "after"),
        ({"limit": 0}, "limit"),
        ({"wait": 31}, "wait"),
        ({"wait": "x"}, "wait"),
    ],
)
def test_422_names_the_parameter(gateway: RunningGateway, parameters: dict[str, Any], field: str) -> None:
    found = problem(gateway.send("GET", "/v1/outcomes", params=parameters), 422, "invalid")
    assert [each["field"] for each in found["errors"]] == [field]
