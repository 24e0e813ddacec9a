"""The audit log page in a browser."""

import pytest
import requests
from playwright.sync_api import expect

from lanes.activity import audit_log
from tests.worker.dashboard.conftest import PASSWORD, MakeSite, OpenPage, Site, axe, fits

ROWS = "#entries tr"


@pytest.fixture(scope="module")
def site(make_site: MakeSite) -> Site:
    site = make_site(prefix="flower", password=True)
    for number in range(120):
        audit_log.append(site.store, "ana", "replay", f"{number:032x}", f"number {number}")
    audit_log.append(site.store, "ben@example.com", "hold", "loc-1", "<script>alert(1)</script>")
    return site


def test_the_newest_first_in_pages(site: Site, open_page: OpenPage) -> None:
    page = open_page(f"{site.url}/audit-log").page
    expect(page.locator(ROWS)).to_have_count(50)
    expect(page.locator(ROWS).first).to_contain_text("<script>alert(1)</script>")
    expect(page.locator(ROWS).nth(1)).to_contain_text("number 119")
    expect(page.get_by_role("button", name="Newest")).to_be_disabled()
    page.get_by_role("button", name="Older").click()
    expect(page.locator(ROWS).first).to_contain_text("number 70")
    page.get_by_role("button", name="Older").click()
    expect(page.locator(ROWS)).to_have_count(21)
    expect(page.get_by_role("button", name="Older")).to_be_disabled()
    page.reload()
    expect(page.locator(ROWS)).to_have_count(21)
    page.get_by_role("button", name="Newest").click()
    expect(page.locator(ROWS)).to_have_count(50)


def test_person_and_action_filter(site: Site, open_page: OpenPage) -> None:
    page = open_page(f"{site.url}/audit-log").page
    page.get_by_label("Who", exact=True).fill("BEN")
    expect(page.locator(ROWS)).to_have_count(1)
    expect(page.locator(ROWS)).to_contain_text("loc-1")
    page.get_by_label("What").fill("replay")
    expect(page.locator(ROWS)).to_have_text("No entry matches.")
    page.get_by_label("Who", exact=True).fill("")
    expect(page.locator(ROWS)).to_have_count(50)
    assert page.url.endswith("?what=replay")


def test_a_change_shows_at_once(site: Site, open_page: OpenPage) -> None:
    page = open_page(f"{site.url}/audit-log?what=limit").page
    expect(page.locator(ROWS)).to_have_text("No entry matches.")
    audit_log.append(site.store, "ana", "limit", "loc-9", "burst 5")
    expect(page.locator(ROWS)).to_contain_text("loc-9")


def test_an_invalid_position_is_refused(site: Site, open_page: OpenPage) -> None:
    opened = open_page(f"{site.url}/audit-log?before=%2B")
    expect(opened.page.locator("#live-text")).to_have_text("before: is not the id of an entry")


@pytest.mark.parametrize("before", ["1-²", "1-1-1", "1", f"{1 << 64}-0", f"0-{1 << 64}", "99999999999999999999-0"])
def test_a_position_that_redis_would_not_take_is_refused(site: Site, before: str) -> None:
    auth = (PASSWORD["username"], PASSWORD["password"])
    answer = requests.get(f"{site.url}/audit-log/data", {"before": before}, auth=auth, timeout=10)
    assert (answer.status_code, answer.json()) == (400, {"error": "before: is not the id of an entry"})
    whole = requests.get(f"{site.url}/audit-log/data", {"before": f"{(1 << 64) - 1}-0"}, auth=auth, timeout=10)
    assert whole.status_code == 200


@pytest.mark.parametrize("look", [{}, {"dark": True}, {"phone": True}], ids=["light", "dark", "phone"])
def test_it_is_accessible(site: Site, open_page: OpenPage, look: dict[str, bool]) -> None:
    page = open_page(f"{site.url}/audit-log", **look).page
    expect(page.locator(ROWS)).to_have_count(50)
    axe(page)
    fits(page)
    assert page.locator("[aria-current=page]").text_content() == "Audit log"


def test_it_works_by_keyboard_alone(site: Site, open_page: OpenPage) -> None:
    page = open_page(f"{site.url}/audit-log").page
    expect(page.locator(ROWS)).to_have_count(50)

    def tab_to(name: str) -> None:
        for _ in range(60):
            page.keyboard.press("Tab")
            if page.evaluate("document.activeElement.textContent.trim() || document.activeElement.id") == name:
                return
        pytest.fail(f"{name} cannot be reached by Tab")

    page.keyboard.press("Tab")
    assert page.evaluate("document.activeElement.textContent") == "Skip to main content"
    tab_to("who")
    page.keyboard.type("ana")
    expect(page.locator(ROWS).filter(has_text="ben")).to_have_count(0)
    last = page.locator(ROWS).last.text_content()
    tab_to("Older")
    page.keyboard.press("Enter")
    expect(page.locator(ROWS).filter(has_text=last or "")).to_have_count(0)
    assert "before=" in page.url


def test_wrong_passwords_see_nothing(site: Site, open_page: OpenPage) -> None:
    page = open_page(f"{site.url}/audit-log", password={"username": "ana", "password": "wrong"}).page
    assert page.content().count("Access denied") == 1
    assert "loc-1" not in page.content()
