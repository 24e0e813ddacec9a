"""The throughput page in a browser."""

import pytest

from tests.worker.dashboard.conftest import MakeSite, OpenPage, Site, axe


@pytest.fixture(scope="module")
def site(make_site: MakeSite) -> Site:
    return make_site()


def test_the_page_is_live(site: Site, open_page: OpenPage) -> None:
    page = open_page(f"{site.url}/throughput").page
    page.get_by_text("Live", exact=True).wait_for()
    axe(page)
