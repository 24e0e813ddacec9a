"""The table of lanes in a browser: found, sorted, paged, refreshed, held and resumed."""

import re
from typing import Any

import pytest
from playwright.sync_api import Page, expect

from lanes.activity import audit_log
from tests.helpers import until
from tests.worker.dashboard.conftest import MakeSite, OpenPage, Site, axe, fits
from tests.worker.dashboard.sample_jobs import bury, enqueue_pending, put_in_flight
from worker.dashboard.lanes.table import COLUMNS
from worker.dashboard.lanes.table_page import COLUMN_LABELS

LANES = 60


@pytest.fixture(scope="module")
def site(make_site: MakeSite) -> Site:
    site = make_site()
    bury(site, "deadly")
    put_in_flight(site, "flying")
    for n in range(LANES):
        enqueue_pending(site, f"lane-{n:02}", "a")
    for contact in "abc":
        enqueue_pending(site, "long", contact)
    site.store.hold("lane-07", 'asked <b>them</b> & "more"', "ada")
    return site


def show(site: Site, open_page: OpenPage, query: str = "", **how: bool) -> Page:
    page = open_page(f"{site.url}/lanes{query}", **how).page
    expect(page.get_by_text("Live", exact=True)).to_be_visible()
    return page


def locations(page: Page) -> list[str]:
    return page.locator("#lanes-table tbody th").all_inner_texts()


def test_every_column_has_a_header() -> None:
    assert set(COLUMN_LABELS) == set(COLUMNS)


def test_the_longest_lanes_first_with_their_numbers(site: Site, open_page: OpenPage) -> None:
    page = show(site, open_page)
    assert locations(page)[0] == "long"
    assert len(locations(page)) == 50
    expect(page.locator("#found")).to_contain_text(re.compile(f"1.50 of {LANES + 3} lanes"))
    expect(page.locator("#total-pending")).to_have_text(str(LANES + 3))
    expect(page.locator("#total-in_flight")).to_have_text("1")
    cells = page.locator("#lanes-table tbody tr").first.locator("td").all_inner_texts()
    assert cells[:4] == ["3", "0", "0", "0"]
    assert cells[4].strip() == "0 / 100"
    assert cells[5].strip() == "0 / 200K"
    assert cells[6] == "now"
    assert "Open" in cells[8]


def test_search_filter_sort_and_pages_go_by_keyboard_and_stand_in_the_address(site: Site, open_page: OpenPage) -> None:
    page = show(site, open_page)
    page.locator("#search").focus()
    page.keyboard.type("LANE-0")
    expect(page.locator("#lanes-table tbody tr")).to_have_count(10)
    page.get_by_role("button", name="Held").focus()
    page.keyboard.press("Enter")
    expect(page.locator("#lanes-table tbody tr")).to_have_count(1)
    assert locations(page) == ["lane-07"]
    expect(page.locator("#lanes-table tbody")).to_contain_text('ada: asked <b>them</b> & "more"')
    assert "search=LANE-0" in page.url
    assert "show=held" in page.url
    page.reload()
    expect(page.locator("#lanes-table tbody tr")).to_have_count(1)
    expect(page.locator("#search")).to_have_value("LANE-0")


def test_a_click_on_a_header_sorts_and_another_reverses(site: Site, open_page: OpenPage) -> None:
    page = show(site, open_page, "?rows=25")
    head = page.get_by_role("columnheader", name="Location")
    head.get_by_role("button").press("Enter")
    expect(head).to_have_attribute("aria-sort", "ascending")
    expect(page.locator("#lanes-table tbody th").first).to_have_text("deadly")
    head.get_by_role("button").press("Enter")
    expect(head).to_have_attribute("aria-sort", "descending")
    expect(page.locator("#lanes-table tbody th").first).to_have_text("long")
    page.get_by_role("button", name="Next", exact=True).press("Enter")
    expect(page.locator("#found")).to_contain_text(re.compile("26.50 of"))
    page.get_by_role("button", name="Next", exact=True).press("Enter")
    expect(page.get_by_role("button", name="Next", exact=True)).to_be_disabled()
    assert locations(page)[-1] == "deadly"


def test_the_numbers_refresh_and_focus_and_scroll_stay(site: Site, open_page: OpenPage) -> None:
    page = show(site, open_page, "?sort=location")
    link = page.get_by_role("link", name="lane-20")
    link.focus()
    page.evaluate("window.scrollTo(0, 700)")
    before = page.evaluate("window.scrollY")
    row = page.locator("tr", has=link)
    enqueue_pending(site, "lane-20", "another")
    enqueue_pending(site, "a-new-one", "x")
    expect(row.locator("td").first).to_have_text("2")
    expect(page.locator("#lanes-table tbody th").first).to_have_text("a-new-one")
    assert page.evaluate("document.activeElement.textContent") == "lane-20"
    assert abs(page.evaluate("window.scrollY") - before) < 150, "a new row above moves it by a row at most"


def test_hold_everything_asks_first_and_is_in_the_audit_log(site: Site, open_page: OpenPage) -> None:
    page = show(site, open_page)
    page.get_by_role("button", name="Hold everything").press("Enter")
    dialog = page.get_by_role("dialog", name="Hold everything?")
    expect(dialog.get_by_label("Why")).to_be_focused()
    page.keyboard.press("Escape")
    expect(dialog).to_have_count(0)
    assert site.store.global_state().hold is None
    page.get_by_role("button", name="Hold everything").press("Enter")
    page.keyboard.press("Enter")
    expect(dialog).to_be_visible()  # a reason is required
    page.keyboard.type("wrong <prices>")
    page.keyboard.press("Enter")
    expect(page.locator("#stops")).to_contain_text("Everything is held since")
    expect(page.locator("#stops")).to_contain_text("by local: wrong <prices>")
    entry = audit_log.read(site.store, 1)[0]
    assert (entry.who, entry.what, entry.on, entry.detail) == ("local", "hold", "everything", "wrong <prices>")
    axe(page)
    page.get_by_role("button", name="Resume everything").press("Enter")
    expect(page.get_by_role("dialog")).to_contain_text("wrong <prices>")
    page.keyboard.press("Enter")
    expect(page.get_by_role("button", name="Hold everything")).to_be_visible()
    until(lambda: site.store.global_state().hold is None, "everything to go on")
    entry = audit_log.read(site.store, 1)[0]
    assert (entry.what, entry.detail) == ("resume", "was held by local")


def test_a_hold_that_is_another_one_by_now_is_not_ended(site: Site, open_page: OpenPage) -> None:
    site.store.hold_all("the first", "ada")
    page = show(site, open_page)
    page.get_by_role("button", name="Resume everything").click()
    expect(page.get_by_role("dialog")).to_contain_text("the first")
    site.store.hold_all("the second", "grace")
    page.get_by_role("dialog").get_by_role("button", name="Resume everything").click()
    expect(page.locator("#toast-container")).to_contain_text("grace has held everything again: the second")
    assert site.store.global_state().hold == "the second"
    site.store.resume_all()


def test_the_search_box_for_jobs_goes_to_the_job(site: Site, open_page: OpenPage) -> None:
    job_id = enqueue_pending(site, "long", "d")
    page = show(site, open_page)
    page.get_by_label("Job id").fill(f" {job_id} ")
    page.get_by_label("Job id").press("Enter")
    expect(page.get_by_role("heading", name="Job")).to_contain_text(job_id)
    page.goto(f"{site.url}/job?id=nobody")
    expect(page.locator("main")).to_contain_text("no such job")


@pytest.mark.parametrize("width", [390, 700, 1259, 1260, 1280, 1920])
def test_no_column_is_cut_off(site: Site, open_page: OpenPage, width: int) -> None:
    page = show(site, open_page)
    page.set_viewport_size({"width": width, "height": 900})
    expect(page.locator("#lanes-table tbody tr").first).to_be_visible()
    card, table = (page.locator(which).bounding_box() for which in (".workers-table-card", "#lanes-table"))
    assert card
    assert table
    assert table["x"] + table["width"] <= card["x"] + card["width"] + 1
    fits(page)


@pytest.mark.parametrize("how", [{}, {"dark": True}, {"phone": True}], ids=["light", "dark", "phone"])
def test_it_is_accessible(site: Site, open_page: OpenPage, how: dict[str, Any]) -> None:
    page = show(site, open_page, **how)
    expect(page.locator("#lanes-table tbody tr").first).to_be_visible()
    axe(page)
    fits(page)
    assert page.get_by_role("table").get_by_role("rowheader").count() == 50


def test_the_last_snapshot_stays_during_a_redis_outage_and_says_so(make_site: MakeSite, open_page: OpenPage) -> None:
    site = make_site()
    enqueue_pending(site, "lane", "a")
    page = show(site, open_page)
    expect(page.locator("#lanes-table tbody tr")).to_have_count(1)
    site.stack.redis.kill()
    expect(page.locator("#stops")).to_contain_text("These data are not up to date: ", timeout=30_000)
    expect(page.get_by_text("Live", exact=True)).to_be_hidden()
    expect(page.locator("#live-ago")).to_contain_text("data from 2")
    assert locations(page) == ["lane"]
    site.stack.redis.start()
    expect(page.locator("#stops")).to_have_text("", timeout=30_000)
    enqueue_pending(site, "another", "a")
    expect(page.locator("#lanes-table tbody tr")).to_have_count(2, timeout=30_000)
