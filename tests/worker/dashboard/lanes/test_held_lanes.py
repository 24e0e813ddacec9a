"""Many held lanes are resumed from the table of lanes: chosen, shown, and only then resumed."""

from typing import Any

import pytest
import requests
from playwright.sync_api import Page, expect

from lanes.activity import audit_log
from tests.helpers import until
from tests.worker.dashboard.conftest import MakeSite, OpenPage, Site, axe, fits
from tests.worker.dashboard.sample_jobs import enqueue_pending, put_on_brake


@pytest.fixture(scope="module")
def site(make_site: MakeSite) -> Site:
    return make_site()


@pytest.fixture(autouse=True)
def holds(site: Site) -> None:
    """Hold lanes for every cause: two by ada, one by bob, two for their tokens, one of these by ada as well."""
    site.store.client.delete(site.store.key("audit_log"))
    for name in ("ada-1", "ada-2", "bob", "both", "token"):
        enqueue_pending(site, name)
        site.store.resume(name)
    site.store.hold("ada-1", "wrong <PRICES>", "ada")
    site.store.hold("ada-2", "wrong pipeline", "ada")
    site.store.hold("bob", "prices, too", "bob")
    site.store.hold("both", "wrong prices", "ada")
    for name in ("both", "token"):
        site.store.hold(name, "Invalid JWT", "authorization")
    until(lambda: [each["location"] for each in preview(site)["lanes"]] == sorted(held(site)), "a picture of the holds")


def held(site: Site) -> dict[str, str]:
    return {lane.location_id: lane.hold_text for lane in site.store.lanes() if lane.hold is not None}


def preview(site: Site, **filters: str) -> dict[str, Any]:
    answer: dict[str, Any] = requests.get(f"{site.url}/lanes/held/data", params=filters, timeout=10).json()
    return answer


def show(site: Site, open_page: OpenPage, **how: bool) -> Page:
    page = open_page(f"{site.url}/lanes", **how).page
    expect(page.get_by_text("Live", exact=True)).to_be_visible()
    page.get_by_role("button", name="Resume lanes").click()
    expect(page.get_by_role("dialog", name="Resume lanes")).to_be_visible()
    return page


@pytest.mark.parametrize(
    ("filters", "chosen", "skipped"),
    [
        ({}, {"ada-1", "ada-2", "bob", "both", "token"}, 0),
        ({"held_by": "ada"}, {"ada-1", "ada-2", "both"}, 0),
        ({"cause": "operator"}, {"ada-1", "ada-2", "bob"}, 1),
        ({"cause": "authorization"}, {"token"}, 1),
        ({"reason": "prices"}, {"ada-1", "bob", "both"}, 0),
        ({"held_by": "ada", "reason": "prices", "cause": "operator"}, {"ada-1"}, 1),
        ({"held_by": "nobody"}, set(), 0),
    ],
)
def test_filters_choose_and_a_preview_changes_nothing(
    site: Site, filters: dict[str, str], chosen: set[str], skipped: int
) -> None:
    before = held(site)
    found = preview(site, **filters)
    assert {each["location"] for each in found["lanes"]} == chosen
    assert (found["found"], found["skipped"]) == (len(chosen), skipped)
    assert {each["text"] for each in found["lanes"]} == {f"held by {before[name]}" for name in chosen}
    assert held(site) == before
    assert audit_log.read(site.store) == []


def test_an_unknown_cause_is_reported(site: Site) -> None:
    assert preview(site, cause="outage") == {"error": "cause: must be operator, authorization, brake"}


def test_they_are_shown_before_they_are_resumed(site: Site, open_page: OpenPage) -> None:
    page = show(site, open_page)
    page.get_by_label("Held by").fill("ada")
    page.get_by_label("Part of the reason").fill("prices")
    page.get_by_label("Cause").select_option("operator")
    axe(page)
    page.get_by_role("dialog").get_by_role("button", name="Preview").click()
    dialog = page.get_by_role("dialog", name="Resume 1 lane?")
    expect(dialog).to_contain_text("These holds end: 1 by ada.")
    expect(dialog).to_contain_text("1 lane with another cause as well stays held.")
    expect(dialog.get_by_role("listitem")).to_have_text(["ada-1: held by ada: wrong <PRICES>"])
    axe(page)
    page.keyboard.press("Escape")
    assert len(held(site)) == 5
    page.get_by_role("button", name="Resume lanes").click()
    page.get_by_label("Part of the reason").fill("<PRICES>")
    page.get_by_role("button", name="Preview").click()
    page.get_by_role("dialog").get_by_role("button", name="Resume 1 lane").click()
    expect(page.locator("#toast-container")).to_contain_text("1 lane is resumed.")
    assert held(site).keys() == {"ada-2", "bob", "both", "token"}
    [entry] = audit_log.read(site.store)
    assert (entry.who, entry.what, entry.on, entry.detail) == ("local", "resume", "ada-1", "was held by ada")


def test_a_hold_that_is_set_after_the_preview_stays(site: Site, open_page: OpenPage) -> None:
    page = show(site, open_page)
    page.get_by_label("Held by").fill("ada")
    page.get_by_role("button", name="Preview").click()
    dialog = page.get_by_role("dialog", name="Resume 3 lanes?")
    expect(dialog).to_contain_text("These holds end: 2 by ada, 1 by ada and authorization.")
    site.store.hold("ada-1", "the second reason", "bob")
    dialog.get_by_role("button", name="Resume 3 lanes").click()
    expect(page.locator("#toast-container")).to_contain_text(
        "2 lanes are resumed. Stopped again meanwhile, so not resumed: ada-1, held by bob: the second reason."
    )
    assert held(site).keys() == {"ada-1", "bob", "token"}


def test_lanes_on_the_brake_are_resumed_together(site: Site, open_page: OpenPage) -> None:
    put_on_brake(site.store, "braked")
    until(lambda: len(preview(site, cause="brake")["lanes"]) == 1, "a picture of the brake")
    assert "lanes on the brake are not held" in preview(site, cause="brake", held_by="ada")["error"]
    page = show(site, open_page)
    page.get_by_label("Cause").select_option("brake")
    page.get_by_role("button", name="Preview").click()
    dialog = page.get_by_role("dialog", name="Resume 1 lane?")
    expect(dialog).to_contain_text("Their brakes end.")
    expect(dialog.get_by_role("listitem")).to_have_text(
        ["braked: on the brake after 2 refusals in a row, the last with status 403"]
    )
    dialog.get_by_role("button", name="Resume 1 lane").click()
    expect(page.locator("#toast-container")).to_contain_text("1 lane is resumed.")
    assert site.store.read_lanes(["braked"])[0].brake is None
    assert len(held(site)) == 5


def test_both_causes_are_shown_and_resuming_says_so(site: Site, open_page: OpenPage) -> None:
    page = open_page(f"{site.url}/lane/both").page
    expect(page.locator("#stops")).to_contain_text("by ada: wrong prices; authorization: Invalid JWT")
    page.get_by_role("button", name="Resume").click()
    expect(page.get_by_role("dialog")).to_contain_text("Its token was not accepted.")
    expect(page.get_by_role("dialog")).to_contain_text("lanes token set both) removes that cause")
    table = open_page(f"{site.url}/lanes").page
    expect(table.locator("#lanes-table tbody")).to_contain_text("ada: wrong prices; authorization: Invalid JWT")


@pytest.mark.parametrize("how", [{"dark": True}, {"phone": True}], ids=["dark", "phone"])
def test_it_is_accessible(site: Site, open_page: OpenPage, how: dict[str, Any]) -> None:
    page = show(site, open_page, **how)
    page.get_by_role("button", name="Preview").click()
    expect(page.get_by_role("dialog").get_by_role("listitem")).to_have_count(5)
    axe(page)
    fits(page)
