"""A service sees and cancels its own jobs only."""

from typing import Any

from tests.helpers import row
from tests.producers.gateway.conftest import RunningGateway, problem, release_job


def job_of(answer: Any) -> str:
    assert answer.status_code == 202, answer.text
    job_id: str = answer.json()["job_id"]
    return job_id


def test_a_job_is_shown_as_the_command_shows_it(gateway: RunningGateway) -> None:
    job_id = job_of(gateway.enqueue(row("shown", "a", name="n")))
    found = gateway.send("GET", f"/v1/jobs/{job_id}").json()
    job, position = gateway.store.job(job_id), gateway.store.queue_position(job_id)
    assert job is not None
    assert position is not None
    assert found == {**job.as_json(), "waits": [wait.as_json() for wait in position.blockers()]}
    assert found["body"] == row("shown", "a", name="n")


def test_jobs_of_others_and_unknown_ones_are_alike(gateway: RunningGateway) -> None:
    theirs = job_of(gateway.enqueue(row("others", "a"), "crm"))
    answers = []
    for job_id in (theirs, "unknown", "no%20id", "x" * 200):
        for method in ("GET", "DELETE"):
            answer = gateway.send(method, f"/v1/jobs/{job_id}")
            problem(answer, 404, "not-found")
            answers.append((answer.json(), {**answer.headers, "date": ""}))
    assert all(each == answers[0] for each in answers)
    assert gateway.send("GET", f"/v1/jobs/{theirs}", "crm").json()["state"] == "pending"


def test_a_job_is_found_by_the_id_that_its_service_chose(gateway: RunningGateway) -> None:
    own, theirs = (
        job_of(gateway.send("POST", "/v1/upserts?job_id=chosen", service, json=row("chosen", service)))
        for service in ("billing", "crm")
    )
    for service, job_id in (("billing", own), ("crm", theirs)):
        assert gateway.send("GET", "/v1/jobs/chosen", service).json()["id"] == job_id
    cancelled = gateway.send("DELETE", "/v1/jobs/chosen", "crm").json()
    assert (cancelled["id"], cancelled["state"]) == (theirs, "cancelled")
    assert gateway.send("GET", f"/v1/jobs/{own}").json()["state"] == "pending"


def test_a_pending_job_is_cancelled_once(gateway: RunningGateway) -> None:
    job_id = job_of(gateway.enqueue(row("cancelled", "a")))
    for _ in range(2):
        answer = gateway.send("DELETE", f"/v1/jobs/{job_id}")
        assert (answer.status_code, answer.json()["state"]) == (200, "cancelled")


def test_409_for_a_job_in_flight(gateway: RunningGateway) -> None:
    job_id = job_of(gateway.enqueue(row("in-flight", "a")))
    release_job(gateway, job_id)
    answer = gateway.send("DELETE", f"/v1/jobs/{job_id}")
    found = problem(answer, 409, "not-pending")
    assert (found["job_id"], found["state"]) == (job_id, "in_flight")


def merge(gateway: RunningGateway, location: str, *services: str) -> list[str]:
    """Enqueue a job for each service; the later ones are merged into the first."""
    rows = [{**row(location, "a", name=f"of {each}"), "_options": {"merge": True}} for each in services]
    return [job_of(gateway.enqueue(each, service)) for each, service in zip(rows, services, strict=True)]


def test_content_of_another_service_is_not_shown(gateway: RunningGateway) -> None:
    mine, theirs = merge(gateway, "content", "billing", "crm")
    shown = gateway.send("GET", f"/v1/jobs/{mine}").json()
    assert (shown["body"], shown["state"]) == (None, "pending")
    other = gateway.send("GET", f"/v1/jobs/{theirs}", "crm").json()
    assert (other["body"], other["merged_into"]) == (None, None)
    assert mine not in str(other)


def test_content_that_is_all_of_one_service_is_shown(gateway: RunningGateway) -> None:
    first, second = merge(gateway, "own-content", "billing", "billing")
    assert gateway.send("GET", f"/v1/jobs/{first}").json()["body"]["name"] == "of billing"
    assert gateway.send("GET", f"/v1/jobs/{second}").json()["merged_into"] == first


def test_the_id_of_a_blocking_job_of_another_service_is_left_out(gateway: RunningGateway) -> None:
    theirs = job_of(gateway.enqueue(row("blocked", "a"), "crm"))
    mine = job_of(gateway.enqueue(row("blocked", "a", name="later")))
    (wait,) = gateway.send("GET", f"/v1/jobs/{mine}").json()["waits"]
    assert (wait["cause"], wait["job_id"]) == ("record", None)
    again = job_of(gateway.enqueue(row("blocked", "a", name="again"), "crm"))
    (wait,) = gateway.send("GET", f"/v1/jobs/{again}", "crm").json()["waits"]
    assert wait["job_id"] == theirs


def test_a_job_that_others_were_merged_into_is_not_cancelled(gateway: RunningGateway) -> None:
    mine, theirs = merge(gateway, "not-cancelled", "billing", "crm")
    for job_id, service in ((mine, "billing"), (theirs, "crm")):
        problem(gateway.send("DELETE", f"/v1/jobs/{job_id}", service), 409, "not-pending")
