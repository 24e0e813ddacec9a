"""The page of one dead letter in a browser: its error, its content, how it is edited and replayed."""

import json
from dataclasses import replace
from typing import Any

import pytest
import requests
from playwright.sync_api import Page, expect

from lanes.activity import audit_log
from lanes.queue.job import Reason
from lanes.queue.new_job import NewJob
from tests.helpers import until
from tests.worker.dashboard.conftest import PASSWORD, MakeSite, OpenPage, Site, axe, fits
from tests.worker.dashboard.dead_letters.sample_dead_letters import dead_letter, deliver_newer, seed

AUTH = (PASSWORD["username"], PASSWORD["password"])
MASK = "text"  # the kind of the value
SECRET = "Deal-That-Stays-Home"


@pytest.fixture(scope="module")
def made(make_site: MakeSite) -> Site:
    return make_site(password=True)


@pytest.fixture
def site(made: Site) -> Site:
    made.store.client.flushall()
    seed(made.store, range(1, 4))
    made.store.restore(dead_letter(0, name=SECRET, monetaryValue=12.5, status="open"))
    return made


def open_letter(open_page: OpenPage, site: Site, path: str = "", **how: Any) -> Page:
    page: Page = open_page(f"{site.url}/dead-letter/job000000{path}", **how).page
    return page


def open_edit(open_page: OpenPage, site: Site, **how: Any) -> Page:
    page = open_letter(open_page, site, "/edit", **how)
    page.get_by_role("button", name="Show content and edit").click()
    page.locator("#form").wait_for()
    return page


def dialog(page: Page) -> Any:
    return page.locator("dialog.lanes-ask[open]")


def body_of(site: Site, job_id: str = "job000000") -> dict[str, Any]:
    job = site.store.job(job_id)
    assert job is not None
    assert job.body is not None
    return job.body


def state_of(site: Site, job_id: str = "job000000") -> str:
    job = site.store.job(job_id)
    return "gone" if job is None else job.state.value


def entries(site: Site) -> list[tuple[str, str, str]]:
    return [(each.who, each.what, each.on) for each in reversed(audit_log.read(site.store))]


def test_a_replay_of_what_the_api_may_have_warns(site: Site, open_page: OpenPage) -> None:
    site.store.restore(replace(dead_letter(9), reason=Reason.UNCONFIRMED))
    page: Page = open_page(f"{site.url}/dead-letter/job000009").page
    expect(page.get_by_text("no answer confirmed that the API took it; the last answer:")).to_be_visible()
    expect(page.get_by_text("The API may have it already: no answer confirmed it.")).to_be_visible()
    page.get_by_role("button", name="Replay").click()
    expect(dialog(page)).to_contain_text(
        "1 of them is unconfirmed: the API may have it already, and a replay sends it again."
    )
    axe(page)
    dialog(page).get_by_role("button", name="Replay").click()
    until(lambda: state_of(site, "job000009") == "pending", "the replay")


def test_it_shows_the_error_and_every_attempt_and_masks_the_body_until_revealed(
    site: Site, open_page: OpenPage
) -> None:
    opened = open_page(f"{site.url}/dead-letter/job000000")
    page = opened.page
    expect(page.get_by_text("the API refused it; the last answer: 422 The pipeline id is invalid.")).to_be_visible()
    expect(page.get_by_text("It would be sent again, and overwrite nothing that is newer.")).to_be_visible()
    row = page.locator(".dead-letters-attempts tbody tr")
    for text in ("0.250", "refused", "422", "OPPORTUNITY_BAD_PIPELINE", "trace-0"):
        expect(row).to_contain_text(text)
    assert SECRET not in page.content()
    expect(page.locator("[data-field=name] [data-value]")).to_have_text(MASK)
    assert entries(site) == []
    page.get_by_role("button", name="Show content").press("Enter")
    expect(page.locator("[data-field=name] [data-value]")).to_have_text(SECRET)
    expect(page.locator("#body")).to_be_focused()
    assert entries(site) == [("ana", "reveal", "job000000")]
    assert SECRET not in json.dumps([each.as_json() for each in audit_log.read(site.store)])


def test_what_a_replay_would_overwrite_is_shown(site: Site, open_page: OpenPage) -> None:
    deliver_newer(site.store, 0)
    page = open_letter(open_page, site)
    expect(page.locator(".dead-letters-preview-bad")).to_contain_text(
        "Refused: a newer job of the same opportunity, newer000000, is delivered"
    )
    page.get_by_role("button", name="Replay…").click()
    expect(dialog(page)).to_contain_text("Replay 0 dead letters?")
    dialog(page).get_by_label("superseded").check()
    dialog(page).get_by_role("button", name="Replay").click()
    page.wait_for_url("**/job/job000000")
    assert state_of(site) == "pending"


def test_purge_and_replay_from_its_page(site: Site, open_page: OpenPage) -> None:
    page = open_letter(open_page, site)
    page.get_by_role("button", name="Purge…").click()
    dialog(page).get_by_role("button", name="Purge").click()
    page.wait_for_url("**/dead-letters")
    assert state_of(site) == "cancelled"
    page.goto(f"{site.url}/dead-letter/job000001")
    page.get_by_role("button", name="Replay…").click()
    dialog(page).get_by_role("button", name="Replay").click()
    page.wait_for_url("**/job/job000001")
    assert state_of(site, "job000001") == "pending"
    answer = requests.get(f"{site.url}/dead-letter/nobody", auth=AUTH, timeout=30)
    assert (answer.status_code, "no such job" in answer.text) == (404, True)


def test_an_edit_by_fields_is_checked_shown_as_a_difference_and_sent_in_one_go(site: Site, open_page: OpenPage) -> None:
    page = open_letter(open_page, site, "/edit")
    assert SECRET not in page.content()
    page.get_by_role("button", name="Show content and edit").press("Enter")
    expect(page.locator("#cell-name")).to_be_focused()
    expect(page.locator("#cell-contactId")).to_have_attribute("readonly", "")
    page.locator("#cell-status").fill("wonn")
    page.locator("#cell-monetaryValue").fill("much")
    page.get_by_role("button", name="Save and replay…").click()
    expect(page.locator("#problem-status")).to_contain_text("should be 'open', 'won', 'lost', 'abandoned' or 'all'")
    expect(page.locator("#problem-monetaryValue")).to_contain_text("should be a valid number (it is 'much')")
    expect(page.locator("#cell-status")).to_have_attribute("aria-invalid", "true")
    axe(page)
    page.locator("#cell-status").fill("won")
    page.locator("#cell-monetaryValue").fill("")
    page.locator("#cell-name").press("Enter")
    expect(dialog(page)).to_contain_text("Save it?")
    page.keyboard.press("Escape")
    page.get_by_role("button", name="Save and replay…").click()
    expect(dialog(page).locator("tbody tr")).to_have_text(["monetaryValue12.5not set", 'status"open""won"'])
    axe(page)
    assert body_of(site)["status"] == "open"
    dialog(page).get_by_role("button", name="Save and replay").click()
    page.wait_for_url("**/job/job000000")
    job = site.store.job("job000000")
    assert job is not None
    assert job.state.value == "pending"
    assert job.body == {
        "pipelineId": "pipe",
        "locationId": "loc0",
        "contactId": "contact0",
        "name": SECRET,
        "status": "won",
    }
    assert job.original is not None
    assert job.original["monetaryValue"] == 12.5
    assert [each[1] for each in entries(site)] == ["reveal", "edit", "replay"]
    reported = audit_log.read(site.store)[1]
    assert reported.detail == "fields: monetaryValue, status"


def test_an_edit_as_json_keeps_the_original_and_shows_it(site: Site, open_page: OpenPage) -> None:
    page = open_edit(open_page, site)
    page.get_by_role("button", name="JSON").click()
    page.locator("#text").fill("{")
    page.get_by_role("button", name="Save…").click()
    expect(page.locator("#problems")).to_contain_text("is not JSON")
    page.locator("#text").fill(json.dumps({**body_of(site), "contactId": "other"}))
    page.get_by_role("button", name="Save…").click()
    expect(page.locator("#problems")).to_contain_text("contactId: must not change")
    page.locator("#text").fill(json.dumps({**body_of(site), "name": "Two\nlines"}))
    page.get_by_role("button", name="Save…").click()
    dialog(page).get_by_role("button", name="Save").click()
    page.wait_for_url("**/dead-letter/job000000")
    assert body_of(site)["name"] == "Two\nlines"
    row = page.locator("[data-field=name]")
    expect(row.locator("[data-before]")).to_have_text(MASK)
    page.get_by_role("button", name="Show content").click()
    expect(row.locator("[data-value]")).to_have_text("Two\\u{a}lines")
    expect(row.locator("[data-before]")).to_have_text(SECRET)
    page.goto(f"{site.url}/dead-letters")
    expect(page.locator("tbody tr", has_text="job000000")).to_contain_text("edited")
    # A form would spoil the two lines: it leaves them alone.
    page = open_edit(open_page, site)
    expect(page.locator("#cell-name")).to_be_disabled()
    page.locator("#cell-status").fill("lost")
    page.get_by_role("button", name="Save…").click()
    dialog(page).get_by_role("button", name="Save").click()
    page.wait_for_url("**/dead-letter/job000000")
    assert (body_of(site)["name"], body_of(site)["status"]) == ("Two\nlines", "lost")


def test_of_two_people_who_edit_the_same_dead_letter_the_second_is_warned(site: Site, open_page: OpenPage) -> None:
    first, second = open_edit(open_page, site), open_edit(open_page, site)
    for page, name in ((first, "First"), (second, "Second")):
        page.locator("#cell-name").fill(name)
        page.get_by_role("button", name="Save…").click()
        dialog(page).wait_for()
    dialog(first).get_by_role("button", name="Save").click()
    first.wait_for_url("**/dead-letter/job000000")
    dialog(second).get_by_role("button", name="Save").click()
    expect(second.locator(".toast")).to_contain_text("the dead letter was changed meanwhile")
    assert body_of(site)["name"] == "First"
    assert [each[1] for each in entries(site)] == ["reveal", "reveal", "edit"]


def test_a_job_that_is_no_longer_dead_is_reported(site: Site, open_page: OpenPage) -> None:
    page = open_edit(open_page, site)
    page.locator("#cell-name").fill("Late")
    site.store.replay("job000000")
    page.get_by_role("button", name="Save…").click()
    expect(page.locator(".toast")).to_contain_text("job000000 is not a dead letter: it is pending")
    assert body_of(site)["name"] == SECRET
    answer = requests.get(f"{site.url}/dead-letter/job000000/edit", auth=AUTH, timeout=30)
    assert answer.status_code == 409


def test_a_replay_that_is_refused_after_the_edit_says_so(site: Site, open_page: OpenPage) -> None:
    page = open_edit(open_page, site)
    page.locator("#cell-name").fill("Mended")
    page.get_by_role("button", name="Save and replay…").click()
    dialog(page).wait_for()
    deliver_newer(site.store, 0)
    dialog(page).get_by_role("button", name="Save and replay").click()
    expect(dialog(page)).to_contain_text("Saved, but not replayed")
    expect(dialog(page)).to_contain_text("superseded by newer000000")
    dialog(page).get_by_role("button", name="Close").click()
    page.wait_for_url("**/dead-letter/job000000")
    assert (body_of(site)["name"], state_of(site)) == ("Mended", "dead")
    page = open_edit(open_page, site)
    page.get_by_role("button", name="Save and replay…").click()
    dialog(page).get_by_label("Overwrite newer data").check()
    dialog(page).get_by_role("button", name="Save and replay").click()
    until(lambda: state_of(site) == "pending", "the replay")


@pytest.mark.parametrize("how", [{"phone": True}, {"dark": True}], ids=["phone", "dark"])
def test_it_is_accessible(site: Site, open_page: OpenPage, how: dict[str, Any]) -> None:
    order = dead_letter(0).new_job
    site.store.edit("job000000", dead_letter(0, name=SECRET, monetaryValue=12.5, status="open").new_job.body, order)
    page = open_letter(open_page, site, **how)
    fits(page)
    axe(page)
    page.get_by_role("button", name="Show content").click()
    expect(page.locator("[data-field=name] [data-before]")).to_have_text(SECRET)
    fits(page)
    page.get_by_role("link", name="Edit").click()
    page.get_by_role("button", name="Show content and edit").click()
    page.locator("#form").wait_for()
    fits(page)
    axe(page)


def test_a_body_that_is_gone_cannot_be_shown(site: Site) -> None:
    order = NewJob("fresh", "loc9", "pipe/x", b"{}")
    site.store.enqueue(order, 60)
    site.store.cancel("fresh", 60)
    session = requests.Session()
    session.auth = AUTH
    session.get(f"{site.url}/dead-letters", timeout=30)
    headers = {"X-XSRFToken": session.cookies["_xsrf"]}
    for job_id, status in (("fresh", 409), ("nobody", 404)):
        answer = session.post(f"{site.url}/jobs/reveal", headers=headers, json={"id": job_id}, timeout=30)
        assert answer.status_code == status
    assert entries(site) == []
