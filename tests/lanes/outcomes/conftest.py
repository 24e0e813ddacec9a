"""A service with outcomes, and what is in its stream."""

from typing import Any

import pytest

from lanes.outcomes.outcome import Outcome, read_entries
from lanes.services.service import Service
from lanes.services.store import ServiceStore
from tests.lanes.conftest import ClockedStore


def outcomes_in(store: ClockedStore, service: str = "crm") -> list[Outcome]:
    """Return the outcomes in the stream of a service."""
    client: Any = store.client
    found = client.xrange(store.key("outcomes", service))
    return [outcome for entry in read_entries(service, found) for outcome in entry.outcomes]


@pytest.fixture
def crm(store: ClockedStore) -> ServiceStore:
    """The services, with the service `crm`."""
    services = ServiceStore(store)
    services.add(Service("crm"))
    return services
