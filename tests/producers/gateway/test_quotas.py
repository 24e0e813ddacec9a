"""A service over its quota gets 429; other services notice nothing."""

import pytest

from lanes.services.service import Service
from tests.helpers import row
from tests.producers.gateway.conftest import RunningGateway, problem


@pytest.fixture
def limited(gateway: RunningGateway) -> str:
    """A service with three pending jobs, which is all that it may have."""
    gateway.services.add(Service("limited", max_pending=3))
    gateway.keys["limited"] = gateway.services.make_key("limited")
    job_ids = [gateway.enqueue(row("limited", contact), "limited").json()["job_id"] for contact in "abc"]
    return str(job_ids[0])


def test_429_says_which_quota_and_when_to_try_again(gateway: RunningGateway, limited: str) -> None:
    answer = gateway.enqueue(row("limited", "d"), "limited")
    found = problem(answer, 429, "quota")
    assert (found["quota"], found["limit"]) == ("max_pending", 3)
    assert int(answer.headers["Retry-After"]) >= 1
    assert gateway.enqueue(row("limited", "e"), "crm").status_code == 202
    assert gateway.send("DELETE", f"/v1/jobs/{limited}", "limited").status_code == 200
    assert gateway.enqueue(row("limited", "d"), "limited").status_code == 202
    for job in gateway.store.lane_jobs("limited", max_count=10).ready:
        gateway.send("DELETE", f"/v1/jobs/{job.id}", "limited")


def test_a_batch_ends_with_the_first_row_over_the_quota(gateway: RunningGateway, limited: str) -> None:
    assert gateway.send("DELETE", f"/v1/jobs/{limited}", "limited").status_code == 200
    rows = [{**row("limited", f"b{number}"), "_options": {"idempotency_key": f"{number}"}} for number in range(5)]
    answer = gateway.enqueue_lines(rows, "limited")
    found = problem(answer, 429, "quota")
    assert (found["accepted"], found["refused"]) == (1, 4)
    assert [each["row"] for each in found["refusals"]] == [2, 3, 4, 5]
    assert "Retry-After" in answer.headers
    for job in gateway.store.lane_jobs("limited", max_count=10).ready:
        gateway.send("DELETE", f"/v1/jobs/{job.id}", "limited")
