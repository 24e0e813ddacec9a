"""A dashboard with dead letters."""

import pytest

from tests.helpers import until
from tests.worker.dashboard.conftest import MakeSite, Site
from tests.worker.dashboard.dead_letters.list_page import COUNT, known_to
from tests.worker.dashboard.dead_letters.sample_dead_letters import deliver_newer, seed


@pytest.fixture(scope="module")
def made(make_site: MakeSite) -> Site:
    return make_site(password=True, prefix="flower")


@pytest.fixture
def site(made: Site) -> Site:
    """A site with dead letters; job000001 is superseded, job000000 is the newest."""
    made.store.client.flushall()
    seed(made.store, range(COUNT))
    deliver_newer(made.store, 1)
    until(lambda: known_to(made) == (COUNT, COUNT), "the dashboard to know them")
    return made
