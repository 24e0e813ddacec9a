"""A hundred thousand dead letters: usable at once, complete soon, and then a page costs what its rows cost."""

import re
from collections import Counter
from typing import Any

import pytest
import requests

from tests.helpers import until
from tests.worker.dashboard.conftest import MakeSite, OpenPage, Site
from tests.worker.dashboard.dead_letters.sample_dead_letters import seed_many

MANY = 100_000
ROW_BYTES = 1500


@pytest.fixture(scope="module")
def site(make_site: MakeSite) -> Site:
    site = make_site()
    seed_many(site.store, MANY)
    return site


def numbers(site: Site) -> Any:
    return requests.get(f"{site.url}/dead-letters/data", timeout=30).json()


def commands(site: Site) -> Counter[str]:
    reported = site.store.client.info("commandstats")
    return Counter({name.removeprefix("cmdstat_"): each["calls"] for name, each in reported.items()})


def count_on(page: str) -> str:
    found = re.search(r'id="count"[^>]*>([^<]*)<', page)
    assert found is not None
    return " ".join(found[1].split())


def test_pages_answer_before_all_is_read_and_cost_little_afterwards(site: Site, open_page: OpenPage) -> None:
    first = requests.get(f"{site.url}/dead-letters", timeout=30).text
    assert re.search(r"Indexed [\d,]+ of 100,000|Reading the|100,000 of 100,000", first)
    page = open_page(f"{site.url}/dead-letters").page
    page.get_by_text("100,000 of 100,000 dead letters").wait_for()
    until(lambda: numbers(site)["complete"], "the first reading")

    # What a page reads: the time, and the dead letters that it shows.
    queries = (
        "",
        "?page=1500",
        "?reason=refused&sort=message",
        "?message=contact",
        "?message_pattern=The+pipeline+id+is+invalid.",
    )
    before = commands(site)
    answers = [requests.get(f"{site.url}/dead-letters{query}", timeout=30).text for query in queries]
    groups = requests.get(f"{site.url}/dead-letters?view=groups", timeout=30).text
    spent = commands(site) - before
    assert spent["evalsha"] == len(queries)
    assert spent["hmget"] <= 50 * len(queries)
    assert [count_on(answer).split()[0] for answer in answers] == ["100,000", "100,000", "50,000", "25,000", "25,000"]
    assert all(len(answer) < 50 * ROW_BYTES for answer in answers)
    assert re.findall(r"<strong>([\d,]+)</strong>", groups) == ["25,000"] * 4

    # What is purged elsewhere goes from the page by itself.
    for number in range(5):
        site.store.purge(f"job{number:06d}", 60)
    page.get_by_text("99,995 of 99,995 dead letters").wait_for()
    assert page.locator(".dead-letters-pick input").first.input_value() == "job000005"
