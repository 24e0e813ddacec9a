"""When pages say *Live*, and since when their data are; and their times, in UTC as in the commands."""

import json
import re
from typing import Any

import pytest
import requests
from playwright.sync_api import Page, Route, expect

from lanes.times import format_time
from tests.helpers import row, until
from tests.worker.dashboard.conftest import MakeSite, OpenPage, Site

pytestmark = pytest.mark.slow

CACHED = ("lanes", "throughput", "dead-letters")
UTC = r"\d{4}-\d\d-\d\dT\d\d:\d\d:\d\dZ"
PATIENCE_MS = 30_000


@pytest.fixture(scope="module")
def site(make_site: MakeSite) -> Site:
    made = make_site()
    made.producer.enqueue(row("loc-1", "contact"))
    made.producer.enqueue(row("loc-2", "contact"))
    made.store.hold("loc-2", "why", "ada")
    return made


def with_values(page: Page, **values: Any) -> None:
    """Let the page's data have these values, as if its cache were in trouble."""

    def change(route: Route) -> None:
        answer = route.fetch()
        route.fulfill(response=answer, body=json.dumps(answer.json() | values))

    page.route(re.compile(r"/data(\?|$)"), change)


def poll(page: Page) -> None:
    """Let the time pass until the page asks again."""
    page.clock.run_for(2100)


@pytest.mark.parametrize(
    ("path", "values"),
    [("lanes", {"age": 11}), ("throughput", {"error": "it failed"}), ("dead-letters", {"error": "it failed"})],
)
def test_old_data_are_not_live_and_say_since_when(
    site: Site, open_page: OpenPage, path: str, values: dict[str, Any]
) -> None:
    page = open_page(f"{site.url}/{path}", clock=True).page
    live, since = page.locator("#live-text"), page.locator("#live-ago")
    expect(live).to_have_text("Live", timeout=PATIENCE_MS)
    expect(since).to_have_text("")
    with_values(page, **values)
    poll(page)
    expect(live).to_have_text("Not up to date", timeout=PATIENCE_MS)
    expect(since).to_have_text(re.compile(f"^data from {UTC}$"))
    if "error" in values:
        expect(page.locator("#stops")).to_contain_text("These data are not up to date: it failed")
    page.unroute_all()
    poll(page)
    expect(live).to_have_text("Live", timeout=PATIENCE_MS)
    expect(page.locator("#stops")).not_to_contain_text("not up to date")


@pytest.mark.parametrize("path", CACHED)
def test_the_data_of_a_cache_have_their_age(site: Site, path: str) -> None:
    def is_fresh() -> bool:
        found = requests.get(f"{site.url}/{path}/data", timeout=10).json()
        return 0 <= found["age"] < 60 and found["error"] is None

    until(is_fresh, "fresh data")


def test_times_are_in_utc_and_local_on_hover(site: Site, open_page: OpenPage) -> None:
    held_at = format_time(site.store.read_lanes(["loc-2"])[0].held_at)
    page = open_page(f"{site.url}/lane/loc-2").page
    time = page.locator("#stops time")
    expect(time).to_have_text(held_at)
    expect(time).to_have_attribute("datetime", held_at)
    time.hover()
    expect(time).to_have_attribute("title", re.compile(r"local time$"))


def test_while_all_are_held_no_lane_is_due(site: Site, open_page: OpenPage) -> None:
    page = open_page(f"{site.url}/lanes?search=loc-1").page
    release = page.locator("#lanes-table tbody td[data-label='Next release']")
    expect(release).to_have_text("now", timeout=PATIENCE_MS)
    site.store.hold_all("why", "ada")
    expect(release).to_have_text("hold of all", timeout=PATIENCE_MS)
    page.goto(f"{site.url}/lane/loc-1")
    expect(page.locator("#next")).to_have_text("waits for the hold of all to end")
    site.store.resume_all()
