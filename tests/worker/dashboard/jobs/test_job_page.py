"""The page of a job in a browser: its history, what it waits for, its content, cancelling it."""

import re
from dataclasses import replace
from typing import Any
from urllib.parse import quote

import pytest
import requests
from playwright.sync_api import Page, expect

from lanes.activity import audit_log
from lanes.queue.rejected_task import RefusedRow, RejectedTask
from lanes.queue.transitions import AttemptReport
from lanes.settings import ProducerSettings
from producers.new_job import new_job_for
from tests.helpers import row
from tests.worker.dashboard.conftest import MakeSite, OpenPage, Site, axe, fits
from tests.worker.dashboard.sample_jobs import (
    LIMITS,
    SECRET,
    bury,
    enqueue_pending,
    fail,
    in_an_hour,
    put_in_flight,
    release_job,
)

# In a browser; and those that need none.
HOSTILE = ["a/../b", "..", "<img src=x onerror=alert(1)>", "\"quoted\" & 'more'", "100%25%2F?#&=+", "ünï/cødé-日本"]
ODD = [".", "../../etc", "data", "x/reveal", "a b", "NAME", "{{ 1 + 1 }}", "j" * 255]


@pytest.fixture(scope="module")
def site(make_site: MakeSite) -> Site:
    return make_site()


def show(site: Site, open_page: OpenPage, job_id: str, **how: bool) -> Page:
    page = open_page(f"{site.url}/job/{quote(job_id, safe='')}", **how).page
    expect(page.get_by_text("Live", exact=True)).to_be_visible()
    return page


def data(site: Site, job_id: str) -> Any:
    return requests.get(f"{site.url}/jobs/data", params={"id": job_id}, timeout=10).json()


def test_the_history_of_a_job_that_failed_and_waits(site: Site, open_page: OpenPage) -> None:
    job_id = fail(site, "flaky")
    page = show(site, open_page, job_id)
    expect(page.locator("#state")).to_have_text("pending")
    events = page.locator("#history li")
    expect(events).to_have_count(3)
    expect(events.nth(0)).to_contain_text("accepted")
    expect(events.nth(1)).to_contain_text("attempt 1: failed with a transient error 250 ms")
    for text in ("502", "trace-502", "w@host"):
        expect(events.nth(1)).to_contain_text(text)
    expect(events.nth(2)).to_contain_text("waits for its backoff to end")
    expect(events.nth(2)).to_contain_text("until")


def test_what_it_waits_for_is_what_the_command_says(site: Site, open_page: OpenPage) -> None:
    first = enqueue_pending(site, "line")
    second = enqueue_pending(site, "line")
    page = show(site, open_page, second)
    line = page.locator("#history li").last
    expect(line).to_contain_text(f"waits for an older job of its record, beginning with {first}")
    where = site.store.queue_position(second)
    assert where is not None
    assert data(site, second)["waits"] == [wait_.as_json() for wait_ in where.blockers()]
    line.get_by_role("link").press("Enter")
    expect(page.get_by_role("heading", level=1)).to_contain_text(first)
    site.store.hold("line", "asked them", "ada")
    expect(page.locator("#history")).to_contain_text("waits because its lane is held by ada: asked them")
    site.store.resume("line")
    expect(page.locator("#history")).not_to_contain_text("asked them")


def test_in_flight_then_delivered_while_the_page_is_open(site: Site, open_page: OpenPage) -> None:
    job_id = put_in_flight(site, "flight")
    page = show(site, open_page, job_id)
    expect(page.locator("#history li").last).to_contain_text("waits for the answer to attempt 1")
    expect(page.get_by_role("button", name="Cancel this job")).to_be_hidden()
    report = '{"status": 200, "trace_id": "t-200", "opportunity_id": "opp-9", "new": true}'
    site.store.deliver(AttemptReport(job_id, 1, report, LIMITS), retention=3600)
    expect(page.locator("#state")).to_have_text("delivered")
    expect(page.locator("#history li").last).to_contain_text("delivered, after")
    expect(page.locator("#options")).to_contain_text("opp-9")
    expect(page.locator("#body-none")).to_be_visible()
    expect(page.get_by_role("button", name="Show content")).to_be_hidden()


def test_its_body_is_masked_until_revealed_and_that_is_in_the_audit_log(site: Site, open_page: OpenPage) -> None:
    job_id = bury(site, "dead")
    opened = open_page(f"{site.url}/job/{job_id}")
    page = opened.page
    expect(page.locator("#body")).to_contain_text("contactId")
    answer = requests.get(f"{site.url}/jobs/data", params={"id": job_id}, timeout=10)
    assert {"name": "name", "kind": "text"} in answer.json()["fields"]
    assert SECRET not in answer.text + page.content()
    page.get_by_role("button", name="Show content").press("Enter")
    expect(page.get_by_role("dialog")).to_be_visible()
    page.keyboard.press("Escape")
    assert not [entry for entry in audit_log.read(site.store, 9) if entry.what == "reveal"]
    page.get_by_role("button", name="Show content").press("Enter")
    page.keyboard.press("Enter")
    expect(page.locator("#body")).to_contain_text(SECRET)
    assert page.evaluate("document.activeElement.id") == "body"
    entry = audit_log.read(site.store, 1)[0]
    assert (entry.who, entry.what, entry.on) == ("local", "reveal", job_id)
    expect(page.locator("#history")).to_contain_text("its body was revealed")
    expect(page.locator("#body")).to_contain_text(SECRET)
    axe(page)


def test_merged_jobs_link_to_each_other(site: Site, open_page: OpenPage) -> None:
    first = enqueue_pending(site, "merge", merge=True)
    second = enqueue_pending(site, "merge", merge=True)
    page = show(site, open_page, second)
    expect(page.locator("#history")).to_contain_text(f"merged into the job that delivers it: {first}")
    expect(page.get_by_role("button", name="Cancel this job")).to_be_hidden()
    page.goto(f"{site.url}/job/{first}")
    expect(page.locator("#history")).to_contain_text("another job was merged into it")
    expect(page.locator("#merged-jobs")).to_have_text(second)
    expect(page.get_by_role("button", name="Cancel this job")).to_be_hidden()


def test_cancel_asks_first(site: Site, open_page: OpenPage) -> None:
    job_id = enqueue_pending(site, "cancel", not_before=in_an_hour())
    page = show(site, open_page, job_id)
    expect(page.locator("#history")).to_contain_text("waits because it must not be sent earlier")
    page.get_by_role("button", name="Cancel this job").press("Enter")
    expect(page.get_by_role("dialog").get_by_role("button", name="Cancel", exact=True)).to_be_focused()
    page.keyboard.press("Enter")  # what cannot be undone is not one keystroke away
    expect(page.get_by_role("dialog")).to_have_count(0)
    assert site.store.counts()["cancelled"] == 0
    page.get_by_role("button", name="Cancel this job").press("Enter")
    page.get_by_role("dialog").get_by_role("button", name="Cancel the job").press("Enter")
    expect(page.locator("#state")).to_have_text("cancelled")
    expect(page.locator("#history")).to_contain_text("cancelled by hand")
    assert (audit_log.read(site.store, 1)[0].what, audit_log.read(site.store, 1)[0].on) == ("cancel", job_id)


def test_a_cancel_that_comes_too_late_says_why(site: Site, open_page: OpenPage) -> None:
    job_id = enqueue_pending(site, "late")
    page = show(site, open_page, job_id)
    page.get_by_role("button", name="Cancel this job").click()
    expect(page.get_by_role("dialog")).to_be_visible()
    release_job(site, job_id)
    page.get_by_role("dialog").get_by_role("button", name="Cancel the job").click()
    expect(page.locator("#toast-container")).to_contain_text("it is in flight")


def test_ids_of_any_characters(site: Site, open_page: OpenPage) -> None:
    """A Celery client may choose any task id, and that becomes the job's."""
    for number, job_id in enumerate([*HOSTILE, *ODD]):
        order = replace(new_job_for(ProducerSettings(), row("hostile", f"c-{number}", name="x"), None), id=job_id)
        site.store.enqueue(order, 3600)
        assert data(site, job_id)["job"]["id"] == job_id
        for path in ("job?id=", "job/"):
            answer = requests.get(f"{site.url}/{path}{quote(job_id, safe='')}", timeout=10)
            assert answer.status_code == 200 or set(job_id) == {"."}  # which no path can name
    page = open_page(f"{site.url}/lane/hostile").page
    for job_id in HOSTILE:
        page.get_by_role("link", name=job_id, exact=True).click()
        expect(page.get_by_role("heading", level=1)).to_have_text(f"Job {job_id}")
        page.get_by_role("button", name="Cancel this job").click()
        page.get_by_role("dialog").get_by_role("button", name="Cancel the job").click()
        expect(page.locator("#state")).to_have_text("cancelled")
        page.goto(f"{site.url}/lane/hostile")
    cancelled = {entry.on for entry in audit_log.read(site.store, 99) if entry.what == "cancel"}
    assert cancelled >= set(HOSTILE)


def test_what_a_task_refused(site: Site, open_page: OpenPage) -> None:
    row_2 = RefusedRow(2, (("<b>monetaryValue", "must be a number"),))
    site.store.reject_rows(RejectedTask("task-of-3", 3, 2, (row_2,)), {"shop": 1}, 3600)
    page = open_page(f"{site.url}/job/task-of-3").page
    expect(page.get_by_role("heading", level=1)).to_have_text("Refused rows of task-of-3")
    expect(page.get_by_role("listitem").filter(has_text="row 2")).to_have_text(
        "row 2: <b>monetaryValue: must be a number"
    )
    expect(page.get_by_text("1 of 3 rows were refused; the others are enqueued as task-of-3-ROW")).to_be_visible()
    expect(page.locator("time")).to_have_text(re.compile(r"^\d{4}-\d\d-\d\dT\d\d:\d\d:\d\dZ$"))
    page.locator("time").hover()
    expect(page.locator("time")).to_have_attribute("title", re.compile(r"local time$"))
    axe(page)
    fits(page)
    assert requests.get(f"{site.url}/jobs/data", {"id": "task-of-3"}, timeout=10).status_code == 404


def test_a_job_that_is_not_there(site: Site, open_page: OpenPage) -> None:
    page = open_page(f"{site.url}/job/nobody").page
    expect(page.locator("main")).to_contain_text("no such job: mistyped")
    assert requests.get(f"{site.url}/jobs/data", params={"id": "nobody"}, timeout=10).status_code == 404
    assert requests.get(f"{site.url}/job", timeout=10).status_code == 404


@pytest.mark.parametrize("how", [{}, {"dark": True}, {"phone": True}], ids=["light", "dark", "phone"])
def test_it_is_accessible(site: Site, open_page: OpenPage, how: dict[str, Any]) -> None:
    page = show(site, open_page, bury(site, "look", "-".join(["x", *how])), **how)
    expect(page.locator("#history li")).to_have_count(3)
    axe(page)
    fits(page)
