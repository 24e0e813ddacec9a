"""Orders, as the tests of the lanes make them."""

import pytest

from tests.lanes.conftest import Orders


@pytest.fixture
def order() -> Orders:
    """Makes orders."""
    return Orders()
