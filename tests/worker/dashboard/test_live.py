"""What our pages share in the browser: the question before a change, the news after it; and Flower's own pages."""

import pytest
from playwright.sync_api import Page, expect

from tests.helpers import row, until
from tests.worker.dashboard.conftest import MakeSite, OpenPage, Site, axe, fits

ASK = "(question) => import('/lanes-static/live.js').then((live) => { window.answer = live.ask(question); })"
QUESTION: dict[str, object] = {
    "title": "Hold loc-1?",
    "text": "Nothing of it is sent until somebody resumes it.",
    "confirm": "Hold",
    "fields": [{"name": "reason", "label": "Reason", "required": True, "help": "Others read it"}],
}


@pytest.fixture(scope="module")
def site(make_site: MakeSite) -> Site:
    return make_site(sandbox=(), worker=True)


def answer(page: Page) -> object:
    return page.evaluate("window.answer")


def asked(page: Page, question: dict[str, object]) -> Page:
    page.evaluate(ASK, question)
    expect(page.get_by_role("dialog")).to_be_visible()
    return page


@pytest.mark.parametrize("look", [{}, {"dark": True}, {"phone": True}], ids=["light", "dark", "phone"])
def test_a_question_is_an_accessible_dialog(site: Site, open_page: OpenPage, look: dict[str, bool]) -> None:
    page = asked(open_page(f"{site.url}/audit-log", **look).page, QUESTION)
    assert page.get_by_role("dialog", name="Hold loc-1?").count() == 1
    axe(page)
    fits(page)
    assert page.evaluate("document.activeElement.name") == "reason"
    page.keyboard.press("Enter")  # a required field is empty
    expect(page.get_by_role("dialog")).to_be_visible()
    page.keyboard.type("we look")
    page.keyboard.press("Enter")
    assert answer(page) == {"reason": "we look"}
    assert page.locator("dialog").count() == 0


def test_escape_and_cancel_change_nothing_and_give_the_focus_back(site: Site, open_page: OpenPage) -> None:
    page = open_page(f"{site.url}/audit-log").page
    page.get_by_label("Who", exact=True).focus()
    asked(page, QUESTION).keyboard.press("Escape")
    assert answer(page) is None
    assert page.evaluate("document.activeElement.id") == "who"
    asked(page, QUESTION).get_by_role("button", name="Cancel").click()
    assert answer(page) is None


def test_what_cannot_be_undone_is_not_one_keystroke_away(site: Site, open_page: OpenPage) -> None:
    page = asked(open_page(f"{site.url}/audit-log").page, {"title": "Purge?", "danger": True, "confirm": "Purge"})
    axe(page)
    page.keyboard.press("Enter")
    assert answer(page) is None
    asked(page, {"title": "Resume?"}).keyboard.press("Enter")
    assert answer(page) == {}


def test_foreign_text_is_never_markup(site: Site, open_page: OpenPage) -> None:
    page = asked(open_page(f"{site.url}/audit-log").page, {"title": "<img src=x onerror=alert(1)>", "text": "<b>x</b>"})
    assert page.locator("dialog img, dialog b").count() == 0
    page.evaluate("import('/lanes-static/live.js').then((live) => live.toast('<b>done</b>', 'danger'))")
    expect(page.get_by_role("alert")).to_have_text("<b>done</b>")
    assert page.locator(".toast b").count() == 0


def test_spans_of_time_in_words(site: Site, open_page: OpenPage) -> None:
    page = open_page(f"{site.url}/audit-log").page
    said = {0: "0 ms", 0.35: "350 ms", 2.34: "2.3 s", 59.4: "59 s", 60: "1 min", 75: "1 min 15 s", 3600: "1 h"}
    said |= {5400: "1 h 30 min", 86_400: "1 d", 200_000: "2 d 8 h", 0.999: "1.0 s", 59.9: "1 min"}
    words = "(seconds) => import('/lanes-static/live.js').then((live) => seconds.map(live.span))"
    assert dict(zip(said, page.evaluate(words, list(said)), strict=True)) == said


def test_flowers_own_pages_still_work(site: Site, open_page: OpenPage) -> None:
    job = site.producer.enqueue(row("loc-1", "contact")).job_id
    until(site.all_done, "the job done")
    opened = open_page(f"{site.url}/")
    page = opened.page
    expect(page.locator("#workers-online")).to_have_text("1", timeout=60_000)
    for name in ("Throughput", "Audit log", "Workers", "Tasks", "Broker"):
        expect(
            page.get_by_role("navigation", name="Primary").get_by_role("link", name=name, exact=True)
        ).to_be_visible()
    page.get_by_role("link", name="Tasks", exact=True).click()
    expect(page.get_by_text(job).first).to_be_visible(timeout=60_000)
    page.get_by_text(job).first.click()
    expect(page.locator(".task-name-value")).to_have_text("upsert_opportunity")
    page.get_by_role("link", name="Broker", exact=True).click()
    expect(page.locator(".broker-page")).to_be_visible()
    page.get_by_role("link", name="Throughput", exact=True).click()
    expect(page.get_by_role("heading", name="Throughput")).to_be_visible()
