"""`lanes token`: secrets come in by prompt, file or stdin, and never go out."""

import gzip
import json
import os
import pty
import subprocess
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

from lanes.credentials import CredentialStore
from lanes.dead_letters.operations import read_ids, until_now
from lanes.queue.store import LaneStore
from tests.ops.command.conftest import LANES, Run, environ
from worker.tokens.vault import new_key

KEY = new_key()
WITH_KEY = {"LANES_SECRET_KEY": KEY}
PAIR = {"access_token": "at-1", "refresh_token": "rt-1", "expires_in": 86399, "userType": "Location"}


@pytest.fixture
def token(quick: Run) -> Callable[..., "subprocess.CompletedProcess[str]"]:
    """Run `lanes token ...` with a key."""

    def run_(*arguments: str, stdin: str = "", **more: str) -> "subprocess.CompletedProcess[str]":
        done = quick("token", *arguments, stdin=stdin.encode(), **{**WITH_KEY, **more})
        for secret in ("pit-1", "at-1", "rt-1", "cs-1", KEY):
            assert secret not in done.stdout + done.stderr
        return done

    return run_


Token = Callable[..., "subprocess.CompletedProcess[str]"]


def listed(token: Token, **more: str) -> list[dict[str, Any]]:
    found: list[dict[str, Any]] = json.loads(token("list", "--json", **more).stdout)
    return found


def test_a_private_token_from_stdin(token: Token, store: LaneStore) -> None:
    shown = token("set", "loc", stdin="pit-1\r\n")
    assert shown.returncode == 0
    assert shown.stderr.startswith("loc: stored (private, fingerprint ")
    sealed = store.client.hget(store.key("tokens"), "loc")
    assert b"pit-1" not in (sealed or b"pit-1")
    [entry] = listed(token)
    assert (entry["location_id"], entry["kind"], entry["expires_at"], entry["agency"]) == ("loc", "private", None, None)
    assert 0 <= entry["age"] < 3600
    assert entry["fingerprint"] in shown.stderr


def test_a_pair_from_a_file(token: Token, tmp_path: Path) -> None:
    (tmp_path / "pair.json").write_text(json.dumps({**PAIR, "client_id": "app", "client_secret": "cs-1"}))
    assert "loc: stored (oauth" in token("set", "loc", "--file", "pair.json").stderr
    [entry] = listed(token)
    assert 86_000 < entry["expires_in"] <= 86_399
    shown = token("list").stdout.splitlines()
    assert shown[0].split() == ["location", "kind", "fingerprint", "expires", "age", "note"]
    assert shown[1].split()[:2] == ["loc", "oauth"]


def test_an_agency_and_a_location_of_it(token: Token) -> None:
    token("set", "--agency", "company", stdin=json.dumps(PAIR))
    assert "loc: stored (agency" in token("set", "loc", "--from-agency", "company").stderr
    entries = {(entry["location_id"], entry["agency"], entry["kind"]) for entry in listed(token)}
    assert entries == {(None, "company", "oauth"), ("loc", "company", "agency")}
    assert "agency company" in token("list").stdout


def test_a_prompt_shows_nothing_of_what_is_typed(redis_url: str, tmp_path: Path) -> None:
    master, slave = pty.openpty()
    process = subprocess.Popen(
        [LANES, "token", "set", "loc"],
        stdin=slave,
        stdout=slave,
        stderr=slave,
        cwd=tmp_path,
        env=environ(redis_url, **WITH_KEY),
        start_new_session=True,
    )
    os.close(slave)
    shown = b""
    while b"token" not in shown:
        shown += os.read(master, 1000)
    os.write(master, b"pit-1\n")
    while b"stored" not in shown:
        shown += os.read(master, 1000)
    assert process.wait(30) == 0
    assert b"pit-1" not in shown
    os.close(master)


def test_without_a_key_it_is_refused_before_anything_is_read(token: Token, store: LaneStore) -> None:
    for arguments in (("set", "loc"), ("import", "-"), ("rotate-key",)):
        shown = token(*arguments, stdin="pit-1", LANES_SECRET_KEY="")
        assert shown.returncode == 2
        assert shown.stderr.startswith("lanes: LANES_SECRET_KEY is not set")
        assert shown.stderr.count("\n") == 1
    assert not store.client.exists(store.key("tokens"))
    shown = token("list", LANES_SECRET_KEY="short")
    assert (shown.returncode, "each key must be 32 random bytes" in shown.stderr) == (2, True)


@pytest.mark.parametrize(
    ("arguments", "stdin", "status", "says"),
    [
        (("set", "loc"), "", 1, "no token found"),
        (("set", "loc"), "{}", 1, "must have one of: token, refresh_token, agency"),
        (("set", "loc"), "two words", 1, "must be printable ASCII without spaces"),
        (("set", "loc"), '"pit-1"', 1, "the token must be without quotes"),
        (("set", "loc"), "Bearer pit-1", 1, "the token must be the bare value, without Bearer"),
        (("set", "loc"), "<TOKEN>", 1, "the token must be a real value, not a placeholder"),
        (("set", "loc"), '{"access_token": "at-1"}', 1, "must have refresh_token with its access_token"),
        (("set", "loc"), '{"token": "bearer:pit-1"}', 1, "token must be the bare value, without Bearer"),
        (("set",), "pit-1", 2, "say which: LOCATION, or --agency COMPANY"),
        (("set", "loc", "--agency", "c"), "pit-1", 2, "say which"),
        (("set", "loc", "pit-1x"), "", 2, "unexpected extra argument"),
        (("set", "--agency", "c", "--from-agency", "c"), "", 2, "--from-agency needs a LOCATION"),
        (("set", "a b"), "pit-1", 2, "must be 1 to 64 letters"),
        (("remove", "loc"), "", 1, "loc: no token is stored"),
    ],
)
def test_wrong_use(quick: Run, arguments: tuple[str, ...], stdin: str, status: int, says: str) -> None:
    shown = quick("token", *arguments, stdin=stdin.encode(), **WITH_KEY)
    assert shown.returncode == status
    assert says in " ".join(shown.stderr.split())
    assert stdin not in shown.stderr or not stdin


def dead_of(store: LaneStore) -> list[str]:
    return [job_id for batch in read_ids(store, until_now(store)) for job_id in batch]


def test_a_new_token_resumes_the_lane_and_replays_when_asked(
    token: Token, store: LaneStore, bury: Callable[..., str]
) -> None:
    bury("loc", "a", reason="unauthorized")
    other = bury("loc", "b", reason="refused")
    elsewhere = bury("else", "c", reason="unauthorized")
    store.hold("loc", "Invalid JWT", "authorization")
    assert "loc resumed" in token("set", "loc", stdin="pit-1").stderr
    assert {lane.location_id: lane.hold for lane in store.lanes()}["loc"] is None
    assert len(dead_of(store)) == 3
    store.hold("loc", "Invalid JWT", "authorization")
    shown = token("set", "loc", "--replay", stdin="pit-1").stderr.splitlines()
    assert shown[1:] == ["loc: replayed 1 dead letter", "loc resumed"]
    assert sorted(dead_of(store)) == sorted([other, elsewhere])


def test_what_an_operator_holds_stays_held(token: Token, store: LaneStore) -> None:
    store.hold("loc", "to look at it", "operator")
    assert "resumed" not in token("set", "loc", stdin="pit-1").stderr
    assert store.lanes()[0].hold == "to look at it"


def test_the_token_of_an_agency_resumes_its_locations(token: Token, store: LaneStore) -> None:
    for location, agency in (("one", "company"), ("two", "company"), ("three", "other")):
        token("set", location, "--from-agency", agency)
        store.hold(location, "no token", "authorization")
    shown = token("set", "--agency", "company", stdin=json.dumps(PAIR)).stderr.splitlines()
    assert shown[1:] == ["one resumed", "two resumed"]
    assert {lane.location_id for lane in store.lanes() if lane.hold} == {"three"}


def test_an_agency_token_ends_the_hold_of_a_refused_exchange(token: Token, store: LaneStore) -> None:
    token("set", "one", "--from-agency", "company")
    tokens = CredentialStore(store)
    tokens.begin_renewal("one", tokens.read("one").version, "holder", 60, spends=False)
    tokens.release_token_lock("one", "holder", "refused: no such agency", 60)
    assert "refused: no such agency" in token("list").stdout
    token("set", "--agency", "company", stdin=json.dumps(PAIR))
    assert tokens.read("one").lock == ""
    shown = token("set", "--agency", "company", stdin='{"agency": "other"}')
    assert (shown.returncode, shown.stderr) == (
        1,
        "lanes: an agency's own token must be a pair of access token and refresh token\n",
    )


def test_import(token: Token, tmp_path: Path, store: LaneStore) -> None:
    rows = [
        {"locationId": "one", "token": "pit-1"},
        {"locationId": "two", **PAIR},
        {"companyId": "company", **PAIR, "userType": "Company"},
        {"locationId": "three", "agency": "company"},
        {"token": "pit-1"},
        {"locationId": "a b", "token": "pit-1"},
        {"locationId": "four"},
    ]
    lines = [json.dumps(row) for row in rows]
    (tmp_path / "tokens.jsonl").write_text("\n".join([*lines, "{pit-1", "", lines[0]]))
    shown = token("import", "tokens.jsonl", "--dry-run")
    assert shown.returncode == 1
    assert shown.stderr.splitlines()[-1] == "5 tokens would be stored, 4 refused"
    assert CredentialStore(store).names() == []
    store.hold("two", "Invalid JWT", "authorization")
    shown = token("import", "tokens.jsonl")
    assert shown.returncode == 1
    reported = shown.stderr.splitlines()
    assert "two resumed" in reported
    assert "tokens.jsonl:5: must have locationId, or companyId for an agency's token" in reported
    assert "tokens.jsonl:8: is not JSON: Expecting property name enclosed in double quotes at column 2" in reported
    assert reported[-1] == "5 tokens stored, 4 refused"
    assert CredentialStore(store).names() == ["agency:company", "one", "three", "two"]


TOKENS = "locationId,token,note\none,pit-1,x\n"


@pytest.mark.parametrize(
    ("content", "options", "wanted"),
    [
        (json.dumps([{"locationId": "one", "token": "pit-1"}], indent=1), [], None),
        (gzip.compress(b'{"locationId": "one", "token": "pit-1"}', mtime=0), [], None),
        (f"sep=,\n,,\n{TOKENS},,\n", ["--format", "csv"], None),
        (TOKENS, [], "1: is CSV: add --format csv"),
        (TOKENS.replace(",", ";"), ["--format", "csv"], "1: has semicolons between its fields: save it with commas"),
        ("one,pit-1\n", ["--format", "csv"], "1: the header must name fields, such as locationId, companyId, token"),
        (f"pit-1,pit-1,{TOKENS}", ["--format", "csv"], "2: must have as many fields as the header, 5"),
        ("one,pit-1\n", [], "1: is not JSON: Expecting value at column 1"),
        (TOKENS.encode("utf-16"), [], "1: is UTF-16: save it as CSV UTF-8"),
        (b"PK\x03\x04[Content_Types].xml pit-1", [], "1: is a workbook (xlsx or ods): save it as CSV UTF-8"),
        ('{"token": "pit-1", "token": "pit-1"}', [], "1: token: must be given only once"),
        ('{"pit-1": 1, "pit-1": 2}', [], "1: must be given only once"),
        ('["pit-1", "pit-1"]', [], "1 (element 1): must be a JSON object"),
        (b'{"token": "pit-1\xff"}', [], "1: must be UTF-8; byte 17 is not"),
    ],
)
def test_an_import_reads_what_an_enqueue_reads_and_repeats_no_token(
    token: Token, tmp_path: Path, content: str | bytes, options: list[str], wanted: str | None
) -> None:
    (tmp_path / "tokens.jsonl").write_bytes(content.encode() if isinstance(content, str) else content)
    shown = token("import", "tokens.jsonl", *options)
    if wanted is None:
        assert shown.stderr == "1 token stored, 0 refused\n"
        assert [(entry["location_id"], entry["kind"]) for entry in listed(token)] == [("one", "private")]
    else:
        assert shown.returncode == 1
        assert shown.stderr.startswith(f"tokens.jsonl:{wanted}")


def test_a_pair_in_a_csv_file_keeps_its_expiry(token: Token, tmp_path: Path) -> None:
    (tmp_path / "tokens.csv").write_text("locationId,access_token,refresh_token,expires_in\none,at-1,rt-1,86399\n")
    assert token("import", "tokens.csv").returncode == 0
    [entry] = listed(token)
    assert 86_000 < entry["expires_in"] <= 86_399


def test_remove_asks(token: Token, store: LaneStore) -> None:
    token("set", "loc", stdin="pit-1")
    shown = token("remove", "loc")
    assert (shown.returncode, "add --yes" in shown.stderr) == (2, True)
    assert CredentialStore(store).names() == ["loc"]
    assert token("remove", "loc", "--yes").stderr == "loc: removed\n"
    assert token("list").stderr == "no tokens are stored; every location uses LANES_API_TOKEN\n"


def test_rotate_key(token: Token) -> None:
    new, lost = new_key(), new_key()
    for number in range(5):
        token("set", f"loc-{number}", stdin=f"pit-1{number}")
    token("set", "lost", stdin="pit-1", LANES_SECRET_KEY=lost)
    ages = [entry["fingerprint"] for entry in listed(token)]
    shown = token("rotate-key", LANES_SECRET_KEY=f"{new},{KEY}")
    assert shown.returncode == 1
    assert shown.stderr.splitlines() == [
        "the stored token of lost cannot be decrypted: its key is not in LANES_SECRET_KEY",
        "5 tokens encrypted with the first key",
        "lanes: 1 token could not be decrypted: keep the old key, or set them again",
    ]
    assert [entry["fingerprint"] for entry in listed(token, LANES_SECRET_KEY=new)] == ages
    assert [entry["kind"] for entry in listed(token)] == [None] * 6
    assert token("rotate-key", LANES_SECRET_KEY=f"{new},{lost}").returncode == 0


def test_a_new_key_is_a_key(token: Token) -> None:
    key = token("new-key", LANES_SECRET_KEY="").stdout.strip()
    assert token("list", LANES_SECRET_KEY=key).returncode == 0
    assert token("new-key").stdout.strip() != key


def test_a_redis_outage_is_one_line(run: Run) -> None:
    shown = run("token", "list", url="redis://127.0.0.1:1/0", **WITH_KEY)
    assert shown.returncode == 3
