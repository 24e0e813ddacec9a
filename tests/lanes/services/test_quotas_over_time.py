"""Quotas when the clock is set back, and in a call that takes long."""

import pytest

from lanes.services.service import Service
from lanes.services.store import ServiceStore
from tests.lanes.conftest import ClockedStore, Orders
from tests.lanes.services.test_quotas import orders, refused


@pytest.fixture
def services(store: ClockedStore) -> ServiceStore:
    return ServiceStore(store)


def test_a_clock_that_is_set_back_does_not_refuse_rows_for_as_long(
    services: ServiceStore, store: ClockedStore, order: Orders
) -> None:
    services.add(Service("crm", rate=2))
    store.enqueue_many(orders(5, order), 60)
    store.pass_time(-3600)
    assert refused(store.enqueue_many(orders(21, order), 60)) == [""] * 20 + ["rate"]


def test_a_bulk_with_a_refused_row_is_remembered_while_it_goes_on(
    services: ServiceStore, store: ClockedStore, order: Orders
) -> None:
    """A file may take longer than five minutes after its first refused row."""
    services.add(Service("crm", max_pending=1))
    store.enqueue_calls([orders(2, order)], 60, bulk="one")
    store.client.expire("test:over_quota:one", 1)
    assert refused(store.enqueue_calls([orders(1, order)], 60, bulk="one")) == ["max_pending"]
    assert store.client.ttl("test:over_quota:one") > 200
