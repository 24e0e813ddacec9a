"""Lanes on the brake on the pages: what is shown, and how a person resumes them."""

import re
from typing import Any

import pytest
import requests
from playwright.sync_api import Page, expect

from lanes.activity import audit_log
from tests.worker.dashboard.conftest import MakeSite, OpenPage, Site, axe, fits
from tests.worker.dashboard.sample_jobs import SECRET, enqueue_pending, put_on_brake


def close(site: Site, *locations: str) -> None:
    """Put lanes on the brake; a job waits in each."""
    for location in locations:
        put_on_brake(site.store, location)


def clear(site: Site) -> None:
    site.store.client.flushdb()


@pytest.fixture(scope="module")
def site(make_site: MakeSite) -> Site:
    return make_site()


def show(site: Site, open_page: OpenPage, path: str, **how: bool) -> Page:
    page = open_page(f"{site.url}/{path}", **how).page
    expect(page.get_by_text("Live", exact=True)).to_be_visible()
    return page


def test_a_lane_shows_its_brake_and_a_button_ends_it(site: Site, open_page: OpenPage) -> None:
    clear(site)
    close(site, "one")
    page = show(site, open_page, "lane/one")
    expect(page.locator("#stops")).to_contain_text("2 refusals in a row, the last with status 403")
    assert "eld since" not in page.locator("#stops").inner_text()
    expect(page.locator("#resume")).to_be_hidden()
    axe(page)
    fits(page)
    page.locator("#end-brake").click()
    page.get_by_role("dialog").get_by_role("button", name="End the brake").click()
    expect(page.locator("#end-brake")).to_be_hidden()
    assert site.store.read_lanes(["one"])[0].brake is None
    entry = audit_log.read(site.store)[0]
    assert (entry.what, entry.on, entry.detail) == ("resume", "one", "on the brake, 2 refusals, status 403")


def test_the_table_shows_the_brake_as_a_state_of_its_own(site: Site, open_page: OpenPage) -> None:
    clear(site)
    close(site, "one", "two")
    enqueue_pending(site, "other")
    site.store.hold("two", "why", "ada")
    page = show(site, open_page, "lanes?show=braked")
    rows = page.locator("#lanes-table tbody tr")
    expect(rows).to_have_count(2)
    expect(rows.filter(has_text="one").locator(".badge")).to_have_text("On the brake")
    expect(rows.filter(has_text="two").locator(".badge")).to_have_text("Held")
    expect(rows.filter(has_text="two").locator(".lanes-reason")).to_have_text(
        re.compile("^ada: why; on the brake: 2 refusals")
    )
    data: dict[str, Any] = requests.get(f"{site.url}/lanes/data", timeout=10).json()
    assert data["matching"]["braked"] == 2
    assert SECRET not in str(data)
    page = show(site, open_page, "throughput")
    expect(page.locator("#stops")).to_contain_text("2 lanes on the brake: the longest, one, since")


def test_the_global_brake_is_shown_on_top_and_ended_by_a_button(site: Site, open_page: OpenPage) -> None:
    clear(site)
    close(site, "one", "two", "three")
    for path in ("lanes", "lane/one", "throughput"):
        page = show(site, open_page, path)
        expect(page.locator("#stops")).to_contain_text("All lanes are on the brake since")
        assert "Outage" not in page.locator("#stops").inner_text()
    page = show(site, open_page, "lanes")
    page.locator("#end-brake").click()
    page.get_by_role("dialog").get_by_role("button", name="End the brake of all").click()
    expect(page.locator("#end-brake")).to_be_hidden()
    assert site.store.global_state().brake is None
    assert site.store.read_lanes(["one"])[0].brake is not None


def test_only_the_brake_that_was_seen_is_ended(site: Site) -> None:
    clear(site)
    close(site, "one", "two", "three")
    session = requests.Session()
    session.get(f"{site.url}/lanes", timeout=10)
    session.headers["X-Xsrftoken"] = session.cookies["_xsrf"]
    wrong: tuple[tuple[str, dict[str, Any]], ...] = (
        ("end-brake", {"location": "one", "since": 1.0}),
        ("end-brake", {"location": "one"}),
        ("end-brake-of-all", {"since": 1.0}),
        ("end-brake-of-all", {}),
    )
    for path, given in wrong:
        assert session.post(f"{site.url}/lanes/{path}", json=given, timeout=10).status_code == 409
    assert site.store.global_state().brake is not None
    assert site.store.read_lanes(["one"])[0].brake is not None
    assert audit_log.read(site.store) == []
