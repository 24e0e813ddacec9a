"""Services and their keys."""

from dataclasses import replace

import pytest

from lanes.services.service import Service
from lanes.services.store import ServiceStore, UnknownServiceError
from tests.lanes.conftest import START, ClockedStore

CRM = Service("crm", max_pending=1000, max_dead=None, rate=5, outcomes=False)


@pytest.fixture
def services(store: ClockedStore) -> ServiceStore:
    return ServiceStore(store)


def test_a_service_is_added_changed_and_removed(services: ServiceStore, store: ClockedStore) -> None:
    assert services.get("crm") is None
    assert services.add(CRM) == "added"
    assert services.get("crm") == replace(CRM, added_at=START)
    store.pass_time(5)
    services.make_key("crm")
    assert services.add(Service("crm", max_dead=7)) == "changed"
    found = services.get("crm")
    assert found is not None
    assert (found.max_pending, found.max_dead, found.rate, found.outcomes) == (None, 7, None, True)
    assert (found.added_at, len(found.keys)) == (START, 1)
    services.add(Service("billing"))
    assert [each.name for each in services.list()] == ["billing", "crm"]
    assert services.remove("crm") is True
    assert services.remove("crm") is False
    services.remove("billing")
    assert store.client.keys("test:service*") == []


@pytest.mark.parametrize("name", ["", "two words", "line\nend", "ü", "x" * 65])
def test_a_name_is_what_the_options_of_a_row_allow(services: ServiceStore, name: str) -> None:
    with pytest.raises(ValueError, match="1 to 64 printable ASCII"):
        services.add(Service(name))


def test_two_keys_work_at_a_time(services: ServiceStore, store: ClockedStore) -> None:
    services.add(CRM)
    keys = []
    for _ in range(3):
        store.pass_time(1)
        keys.append(services.make_key("crm"))
    assert len({*keys}) == 3
    assert [services.find_by_key(key) is not None for key in keys] == [False, True, True]
    assert services.find_by_key("") is None
    stored = str(store.client.hgetall("test:service:crm"))
    assert all(key not in stored for key in keys)
    assert [key.made_at for key in (services.get("crm") or CRM).keys] == [START + 3, START + 2]
    with pytest.raises(UnknownServiceError, match="no service nothing was added"):
        services.make_key("nothing")


def test_a_key_is_revoked_and_the_other_stays(services: ServiceStore) -> None:
    services.add(CRM)
    services.add(Service("billing"))
    keys = [services.make_key("crm") for _ in range(2)]
    assert [services.find_by_key(key) is not None for key in keys] == [True, True]
    first, second = (key.fingerprint for key in (services.get("crm") or CRM).keys)
    assert not services.revoke_key("billing", first)
    assert not services.revoke_key("crm", first[:-1])
    assert services.revoke_key("crm", first)
    assert not services.revoke_key("crm", first)
    assert [services.find_by_key(key) is not None for key in keys] == [False, True]
    third = services.make_key("crm")  # in the place that is free
    assert [services.find_by_key(key) is not None for key in (*keys, third)] == [False, True, True]
    assert second in {key.fingerprint for key in (services.get("crm") or CRM).keys}


def test_what_is_cached_of_a_removed_service_ends(
    services: ServiceStore, store: ClockedStore, monkeypatch: pytest.MonkeyPatch
) -> None:
    services.add(CRM)
    key = services.make_key("crm")
    start, passed = 1000.0, 0.0
    monkeypatch.setattr("lanes.services.store.monotonic", lambda: start + passed)
    assert services.find_by_key(key) is not None
    ServiceStore(store).remove("crm")
    passed = 9.9
    assert services.find_by_key(key) is not None
    passed = 10.0
    assert services.find_by_key(key) is None
