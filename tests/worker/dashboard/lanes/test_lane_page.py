"""The page of a lane in a browser: its numbers, its jobs, hold, resume and limits."""

import json
import re
from typing import Any

import pytest
import requests
from playwright.sync_api import Page, expect

from lanes.activity import audit_log
from lanes.credentials import CredentialStore
from tests.helpers import until
from tests.worker.dashboard.conftest import MakeSite, OpenPage, Site, axe, fits
from tests.worker.dashboard.sample_jobs import SECRET, bury, enqueue_pending, fail, in_an_hour, put_in_flight
from worker.tokens.credential import Credential, CredentialKind
from worker.tokens.vault import Vault

KEY = "k" * 43 + "="


@pytest.fixture(scope="module")
def site(make_site: MakeSite) -> Site:
    site = make_site(secret_key=KEY)
    site.dead, site.flaky, site.flying = bury(site, "lane"), fail(site, "lane"), put_in_flight(site, "lane")  # type: ignore[attr-defined]
    for n in range(30):
        enqueue_pending(site, "lane", f"Kontakt-{n:02}")
    site.blocked = enqueue_pending(site, "lane", "Kontakt-00")  # type: ignore[attr-defined]
    site.delayed = enqueue_pending(site, "lane", "late", not_before=in_an_hour())  # type: ignore[attr-defined]
    return site


def show(site: Site, open_page: OpenPage, location: str = "lane", **how: bool) -> Page:
    page = open_page(f"{site.url}/lane/{location}", **how).page
    expect(page.get_by_text("Live", exact=True)).to_be_visible()
    return page


def ids(page: Page, part: str) -> list[str]:
    return page.locator(f"#{part} tbody th").all_inner_texts()


def data(site: Site, **query: str) -> Any:
    return requests.get(f"{site.url}/lanes/lane/data", params={"location": "lane", **query}, timeout=10)


def test_its_jobs_are_listed_by_state(site: Any, open_page: OpenPage) -> None:
    page = show(site, open_page)
    expect(page.locator("#count-pending")).to_have_text("33")
    expect(page.locator("#count-dead")).to_have_text("1")
    assert ids(page, "in_flight") == [site.flying]
    expect(page.locator("#in_flight-note")).to_have_text("1")
    assert set(ids(page, "delayed")) == {site.flaky, site.delayed}
    assert ids(page, "dead_letters") == [site.dead]
    assert len(ids(page, "ready")) == 15
    expect(page.locator("#ready tbody tr").first.locator("td").last).to_have_text("1")  # one job is blocked by it
    first = ids(page, "ready")
    page.locator("[data-part=ready][data-way='1']").press("Enter")
    expect(page.locator("#ready-range")).to_have_text(re.compile("^16.30 of 30$"))
    assert not set(ids(page, "ready")) & set(first)
    page.locator("[data-part=ready][data-way='-1']").press("Enter")
    expect(page.locator("#ready-range")).to_have_text(re.compile("^1.15 of 30$"))
    page.get_by_role("link", name=site.flying).press("Enter")
    expect(page.get_by_role("heading", level=1)).to_contain_text(site.flying)


def test_no_id_is_listed_twice(site: Site, open_page: OpenPage) -> None:
    page = show(site, open_page)
    twice = (
        "[...document.querySelectorAll('[id]')].map((node) => node.id).filter((id, at, all) => all.indexOf(id) !== at)"
    )
    for path in ("lane/lane", "lanes", f"job/{enqueue_pending(site, 'other')}"):
        page.goto(f"{site.url}/{path}")
        assert page.evaluate(twice) == []


def test_nothing_of_a_job_s_content_is_in_it(site: Site) -> None:
    answer = data(site)
    assert answer.status_code == 200
    for text in (SECRET, "Kontakt", "pipe", "flaky"):
        assert text not in json.dumps(answer.json()["ready"]) + json.dumps(answer.json()["dead_letters"])


def test_its_numbers_are_those_of_the_lane(site: Site) -> None:
    lane = site.store.read_lanes(["lane"])[0]
    found = data(site).json()["lane"]
    assert {name: found[name] for name in ("pending", "in_flight", "delivered", "accepted")} == {
        name: lane.counts[name] for name in ("pending", "in_flight", "delivered", "accepted")
    }
    assert found["window"] == {"used": lane.window_used, "of": 100, "by": "default"}


@pytest.mark.parametrize("place", ["-1", "x", "99999999999999999999", "²", "600"])
def test_a_nonsensical_page_position_is_no_error(site: Site, place: str) -> None:
    assert data(site, ready=place, delayed=place).status_code == 200


def test_a_lane_that_is_not_there(site: Site, open_page: OpenPage) -> None:
    page = open_page(f"{site.url}/lane/nobody%3Cb%3E").page
    expect(page.get_by_role("heading", level=1)).to_have_text("nobody<b>")
    expect(page.locator("main")).to_contain_text("no such lane: nothing was sent for this location in the last day")
    assert data(site, location="nobody").status_code == 404


def test_hold_with_a_reason_and_resume(site: Site, open_page: OpenPage) -> None:
    page = show(site, open_page)
    page.get_by_role("button", name="Hold", exact=True).press("Enter")
    expect(page.get_by_label("Why")).to_be_focused()
    page.keyboard.type("asked <them>")
    page.keyboard.press("Enter")
    expect(page.locator("#stops")).to_contain_text("by local: asked <them>")
    entry = audit_log.read(site.store, 1)[0]
    assert (entry.what, entry.on, entry.detail) == ("hold", "lane", "asked <them>")
    axe(page)
    page.get_by_role("button", name="Resume").press("Enter")
    expect(page.get_by_role("dialog")).to_contain_text("asked <them>")
    page.keyboard.press("Enter")
    expect(page.locator("#stops")).to_have_text("")
    until(lambda: site.store.read_lanes(["lane"])[0].hold is None, "the lane to go on")
    assert (audit_log.read(site.store, 1)[0].what, audit_log.read(site.store, 1)[0].on) == ("resume", "lane")


def test_resume_after_a_refused_token_says_what_that_means(site: Site, open_page: OpenPage) -> None:
    enqueue_pending(site, "locked")
    site.store.hold("locked", "401: Invalid token", "authorization")
    page = show(site, open_page, "locked")
    page.get_by_role("button", name="Resume").click()
    expect(page.get_by_role("dialog")).to_contain_text("lanes token set locked")
    page.keyboard.press("Escape")
    assert site.store.read_lanes(["locked"])[0].hold is not None
    site.store.hold("locked", "another reason", "grace")
    page.get_by_role("button", name="Resume").click()
    expect(page.get_by_role("dialog")).to_be_visible()
    site.store.hold("locked", "a third reason", "grace")
    page.get_by_role("dialog").get_by_role("button", name="Resume").click()
    expect(page.locator("#toast-container")).to_contain_text("held again")
    assert site.store.read_lanes(["locked"])[0].hold == "a third reason"


def test_limits_of_its_own_and_back(site: Site, open_page: OpenPage) -> None:
    page = show(site, open_page)
    page.get_by_role("button", name="Set limits").press("Enter")
    page.get_by_label("Requests in a window").fill("60")
    page.get_by_label("Weight").fill("3")
    page.keyboard.press("Enter")
    expect(page.locator("#limits")).to_have_text("60 in a window (its own), 200,000 in a day (until the API says)")
    expect(page.locator("#weight")).to_have_text("3 (its own)")
    lane = site.store.read_lanes(["lane"])[0]
    assert (lane.burst, lane.daily, lane.weight) == (60, None, 3)
    assert (audit_log.read(site.store, 1)[0].what, audit_log.read(site.store, 1)[0].detail) == (
        "limit",
        "burst=60 weight=3",
    )
    page.get_by_role("button", name="Use the common limits").press("Enter")
    page.keyboard.press("Enter")
    expect(page.locator("#limits")).to_contain_text("100 in a window (until the API says)")
    expect(page.locator("#weight")).to_contain_text("(as for all)")
    lane = site.store.read_lanes(["lane"])[0]
    assert (lane.burst, lane.daily, lane.weight) == (None, None, None)


def test_it_names_the_credential_and_never_shows_the_token(site: Site, open_page: OpenPage) -> None:
    secret = "pit-very-secret"
    tokens = CredentialStore(site.store)
    expected = {
        "none": "the common token",
        "private": "its own Private Integration Token",
        "oauth": "its own OAuth pair, renewed by the workers; its access token ends",
    }
    for kind, words in expected.items():
        if kind != "none":
            oauth = {"refresh_token": "refresh-secret", "expires_at": 4e9} if kind == "oauth" else {}
            credential = Credential(CredentialKind(kind), secret, **oauth)  # type: ignore[arg-type]
            tokens.store_credential("lane", Vault(site.stack.load_settings().secret_key).encrypt("lane", credential))
        page = show(site, open_page)
        expect(page.locator("#token")).to_contain_text(words)
        text = requests.get(f"{site.url}/lanes/series/data", params={"location": "lane"}, timeout=10).text
        assert "secret" not in text + page.content()
    tokens.store_credential("lane", b"nonsense")
    expect(show(site, open_page).locator("#token")).to_contain_text("cannot be read here")
    tokens.remove_credential("lane")


@pytest.mark.parametrize("how", [{}, {"dark": True}, {"phone": True}], ids=["light", "dark", "phone"])
def test_it_is_accessible(site: Site, open_page: OpenPage, how: dict[str, Any]) -> None:
    page = show(site, open_page, **how)
    expect(page.locator("#ready tbody tr").first).to_be_visible()
    expect(page.locator("#day-chart canvas")).to_be_visible()
    axe(page)
    fits(page)
