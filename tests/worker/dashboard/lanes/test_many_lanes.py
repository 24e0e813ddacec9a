"""Ten thousand lanes: a look at a page costs a bounded number of commands, and its answer is bounded."""

import re
from typing import Any

import pytest
import requests
from playwright.sync_api import expect

from tests.helpers import row
from tests.worker.dashboard.conftest import MakeSite, OpenPage, Site, axe

LANES = 10_000


@pytest.fixture(scope="module")
def site(make_site: MakeSite) -> Site:
    site = make_site()
    assert site.producer.enqueue_many(row(f"loc-{n:05}", "c") for n in range(LANES)).accepted == LANES
    return site


def commands(site: Site) -> int:
    """Return how many commands Redis has run, those of scripts among them."""
    stats: dict[str, Any] = site.store.client.info("commandstats")
    return sum(each["calls"] for each in stats.values())


def get(site: Site, path: str, **query: str) -> requests.Response:
    answer = requests.get(f"{site.url}/{path}", params=query, timeout=30)
    assert answer.status_code == 200
    return answer


def test_the_pages_themselves_are_small_whatever_there_is(site: Site) -> None:
    for path in ("lanes", "lane/loc-00042"):
        assert len(get(site, path).content) < 60_000


def test_many_requests_of_the_table_are_one_read(site: Site) -> None:
    first = get(site, "lanes/data").json()
    assert (first["all"], len(first["lanes"])) == (LANES, 50)
    before = commands(site)
    looks = [get(site, "lanes/data", search=f"loc-0{n}", rows="200") for n in range(30)]
    spent = commands(site) - before
    readings = len({look.json()["at"] for look in looks} - {first["at"]})
    # A reading costs 5 commands a lane (see read_lanes.lua), and is shared.
    assert spent <= readings * 6 * LANES + 500
    assert readings <= 2 + len(looks) // 3
    assert max(len(look.content) for look in looks) < 150_000


def test_a_lane_and_its_series_cost_little(site: Site) -> None:
    get(site, "lanes/lane/data", location="loc-00042")
    get(site, "lanes/series/data", location="loc-00042")
    before = commands(site)
    get(site, "lanes/lane/data", location="loc-00042")
    get(site, "lanes/series/data", location="loc-00042")
    assert commands(site) - before < 100


def test_people_find_a_lane_among_them(site: Site, open_page: OpenPage) -> None:
    page = open_page(f"{site.url}/lanes").page
    expect(page.locator("#found")).to_contain_text(re.compile("1.50 of 10,000 lanes"))
    page.locator("#search").fill("loc-0777")
    expect(page.locator("#lanes-table tbody tr")).to_have_count(10)
    page.get_by_label("Rows").select_option("200")
    page.locator("#search").fill("")
    expect(page.locator("#lanes-table tbody tr")).to_have_count(200)
    axe(page)
