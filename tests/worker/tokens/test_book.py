"""What a person does with stored credentials."""

from concurrent.futures import ThreadPoolExecutor
from typing import Any

import pytest
from pydantic import SecretStr

from lanes.lane import HoldCause
from lanes.store import LaneStore
from lanes.token_store import AGENCY
from lanes.transitions import Argument
from tests.worker.tokens.conftest import KEY, Desk
from worker.tokens.book import TokenBook
from worker.tokens.credential import Credential, Kind
from worker.tokens.vault import Vault, VaultError, new_key


def test_a_new_key_in_the_middle_of_renewals(desk: Desk, lanes: LaneStore) -> None:
    """Encrypted anew, interrupted, repeated, beside writes of newer credentials: no credential is lost or set back."""
    new = new_key()
    both = Vault(SecretStr(f"{new},{KEY}"))
    book = TokenBook(lanes, both)
    versions = {f"loc-{n}": desk.put(f"loc-{n}", Credential(Kind.PRIVATE, f"pit-{n}")) for n in range(40)}

    def replace_each() -> None:
        for name, version in versions.items():
            sealed = desk.vault.seal(name, Credential(Kind.PRIVATE, f"newer {name}"))
            assert desk.store.store_token(name, sealed, replaces=version) > version

    with ThreadPoolExecutor(1) as pool:
        writes = pool.submit(replace_each)
        assert all(book.seal_anew(name) for name in book.names())
        writes.result()
    assert all(book.seal_anew(name) for name in book.names())
    first = Vault(SecretStr(new))
    for name in versions:
        stored = desk.store.read(name)
        assert first.open(name, stored.sealed).access_token == f"newer {name}"
    assert book.seal_anew("nobody") is False


def test_a_credential_that_no_key_opens_is_listed_and_not_touched(desk: Desk, lanes: LaneStore) -> None:
    desk.put("loc", Credential(Kind.PRIVATE, "pit"))
    other = TokenBook(lanes, Vault(SecretStr(new_key())))
    [entry] = other.entries()
    assert entry.credential is None
    assert "its key is not in LANES_SECRET_KEY" in entry.note
    with pytest.raises(VaultError):
        other.seal_anew("loc")
    assert desk.stored("loc").access_token == "pit"


class Interposed(LaneStore):
    """A slow store: just before it ends a hold, a person holds the lane."""

    def _run(self, name: str, *arguments: Argument) -> Any:
        if name.startswith("resume"):
            LaneStore(self.client).hold("loc", "to look at it", "ada")
        return super()._run(name, *arguments)


def test_a_hold_that_was_set_while_a_new_token_resumes_stays(desk: Desk, lanes: LaneStore) -> None:
    lanes.hold("loc", "Invalid JWT", "authorization")
    desk.put("loc", Credential(Kind.PRIVATE, "pit"))
    assert TokenBook(Interposed(lanes.client), desk.vault).resume("loc") == []
    [lane] = lanes.lanes()
    assert (lane.hold, lane.held_by, lane.hold_causes) == ("to look at it", "ada", (HoldCause.OPERATOR,))


def test_a_new_token_takes_away_its_cause_alone(desk: Desk, lanes: LaneStore) -> None:
    """Of lanes held by authorization, by a person, and by both; the one that was refused changes nothing."""
    book = TokenBook(lanes, desk.vault)
    for name in ("refused", "person", "both"):
        desk.put(name, Credential(Kind.PRIVATE, "pit"))
    for name in ("person", "both"):
        lanes.hold(name, "to look at it", "ada")
    for name in ("refused", "both"):
        lanes.hold(name, "Invalid JWT", "authorization")
        assert book.resume(name) == []
    causes = {lane.location_id: lane.hold_causes for lane in lanes.lanes()}
    both = (HoldCause.OPERATOR, HoldCause.AUTHORIZATION)
    assert causes == {"refused": both[1:], "person": both[:1], "both": both}
    resumed = []
    for name in causes:
        desk.put(name, Credential(Kind.PRIVATE, "another"))
        resumed += book.resume(name)
    assert resumed == ["refused"]
    causes = {lane.location_id: lane.hold_causes for lane in lanes.lanes()}
    assert causes == {"refused": (), "person": both[:1], "both": both[:1]}


def test_a_new_token_of_an_agency_resumes_what_it_mints(desk: Desk, lanes: LaneStore) -> None:
    """A refusal that is reported afterwards, of a job that went out before, holds nothing."""
    version = desk.put("loc", Credential(Kind.AGENCY, company_id="co"))
    lanes.hold("loc", "the token could not be renewed", "authorization")
    desk.put(f"{AGENCY}co", Credential(Kind.OAUTH, refresh_token="next"))
    assert TokenBook(lanes, desk.vault).resume(f"{AGENCY}co") == ["loc"]
    assert desk.store.read("loc").version > version
    assert desk.stored("loc") == Credential(Kind.AGENCY, company_id="co")
    assert lanes.lanes()[0].hold is None


def test_a_renewed_token_takes_away_the_refusal_of_the_one_before(desk: Desk, lanes: LaneStore) -> None:
    """Two workers judged one refusal differently: one renewed the pair, and the other had held the lane meanwhile."""
    version = desk.put_pair("loc")
    lanes.hold("loc", "Invalid JWT", "authorization")
    sealed = desk.store.read("loc").sealed
    assert desk.store.store_token("loc", sealed, replaces=version, keep=True) == version
    assert lanes.lanes()[0].hold == "Invalid JWT"
    assert desk.store.store_token("loc", sealed, replaces=version) > version
    assert lanes.lanes()[0].hold is None
