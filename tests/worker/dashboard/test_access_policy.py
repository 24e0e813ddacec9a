"""Who gets in, as values."""

import pytest

from worker.dashboard.access import (
    AccessPolicy,
    AccessPolicyError,
    Client,
    bind_address,
    is_loopback,
    read_credentials,
    same_origin,
)

HERE = Client("127.0.0.1", "localhost:5555")
OPEN, BASIC, OAUTH = AccessPolicy(), AccessPolicy(basic_auth=True), AccessPolicy(oauth=True)


@pytest.mark.parametrize("name", ["127.0.0.1", "127.9.9.9", "::1", "[::1]", "localhost", "LOCALHOST", "localhost."])
def test_names_of_this_machine(name: str) -> None:
    assert is_loopback(name)


@pytest.mark.parametrize(
    "name", ["", "0.0.0.0", "::", "10.0.0.1", "localhost.evil.com", "127.0.0.1.evil.com", "evil.com", "2130706433"]
)
def test_names_of_others(name: str) -> None:
    assert not is_loopback(name)


@pytest.mark.parametrize(
    "client",
    [
        Client("192.168.0.7", "localhost:5555"),
        Client("127.0.0.1", "evil.com:5555"),  # a name that was made to point here
        Client("127.0.0.1", ""),
        Client("127.0.0.1", "[::1"),
        Client("127.0.0.1", "localhost:5555", proxied=True),
        Client("", "localhost"),
    ],
    ids=["another machine", "another name", "no name", "no host", "through a proxy", "nowhere"],
)
def test_without_authentication_only_this_machine_gets_in(client: Client) -> None:
    assert OPEN.allows(HERE)
    assert OPEN.allows(Client("::1", "[::1]:5555"))
    assert not OPEN.allows(client)
    assert not OPEN.allows_changes(client)
    for access in (BASIC, OAUTH):
        assert access.allows(client)
        assert access.allows_changes(client)


def test_read_only_refuses_every_change() -> None:
    for access in (AccessPolicy(read_only=True), AccessPolicy(basic_auth=True, read_only=True)):
        assert access.allows(HERE)
        assert not access.allows_changes(HERE)


def test_who_reads_the_metrics_without_a_login() -> None:
    away = Client("192.168.0.7", "dashboard:5555")
    assert OPEN.allows_anonymous_metrics(HERE)
    assert not BASIC.allows_anonymous_metrics(HERE)
    assert OAUTH.allows_anonymous_metrics(HERE)
    assert not OAUTH.allows_anonymous_metrics(away)
    assert not AccessPolicy(basic_auth=True, oauth=True).allows_anonymous_metrics(HERE)


def test_without_authentication_it_listens_on_loopback() -> None:
    assert bind_address(OPEN, "") == "127.0.0.1"
    for address in ("127.0.0.1", "localhost", "::1"):
        assert bind_address(OPEN, address) == address
    for access in (BASIC, OAUTH):
        assert bind_address(access, "") == ""
        assert bind_address(access, "0.0.0.0", unix_socket="/tmp/x", unauthenticated_api=True) == "0.0.0.0"


@pytest.mark.parametrize(
    ("address", "more", "named"),
    [
        ("0.0.0.0", {}, "--address=0.0.0.0"),
        ("10.1.2.3", {}, "--address=10.1.2.3"),
        ("dashboard.example.com", {}, "--address=dashboard.example.com"),
        ("127.0.0.1", {"unix_socket": "/run/flower.sock"}, "--unix_socket=/run/flower.sock"),
        ("127.0.0.1", {"unauthenticated_api": True}, "FLOWER_UNAUTHENTICATED_API"),
    ],
    ids=["everywhere", "an address", "a name", "a socket", "the API"],
)
def test_insecure_options_are_refused_in_one_line(address: str, more: dict[str, object], named: str) -> None:
    with pytest.raises(AccessPolicyError) as refused:
        bind_address(OPEN, address, **more)  # type: ignore[arg-type]
    assert named in str(refused.value)
    assert "--basic-auth-file" in str(refused.value)
    assert "\n" not in str(refused.value)


def test_passwords_from_a_file() -> None:
    text = "\ufeff# people\n\nana:one two\n ben:x:y \nbjørn:pässwörd\n"
    assert read_credentials(text.encode(), "people") == ["ana:one two", "ben:x:y", "bjørn:pässwörd"]


def test_a_file_that_is_not_utf_8_is_refused_with_its_line() -> None:
    with pytest.raises(AccessPolicyError, match=r"^people: line 2 is not UTF-8: save the file as UTF-8$"):
        read_credentials(b"ana:x\nbj\xf8rn:secret\n", "people")


@pytest.mark.parametrize("text", ["", "# empty\n", "ana\n", "ana:\n", ":secret\n", "ana:x\nSECRET"])
def test_a_file_that_admits_everyone_or_no_one_is_refused_without_being_shown(text: str) -> None:
    with pytest.raises(AccessPolicyError, match="people: ") as refused:
        read_credentials(text.encode(), "people")
    assert "SECR" not in str(refused.value)


@pytest.mark.parametrize(
    ("fetch_site", "origin", "same"),
    [
        ("same-origin", "http://here:1", True),
        ("same-origin", None, True),
        (None, "http://here:1", True),
        (None, None, True),  # no browser: it has the token to show
        ("cross-site", None, False),
        ("same-site", "http://here:1", False),
        ("none", None, False),
        (None, "http://evil", False),
        (None, "http://here:2", False),
        (None, "null", False),
        ("same-origin", "https://behind.a.proxy", True),
        ("cross-site", "http://here:1", False),
    ],
)
def test_whether_a_page_of_ours_sent_it(fetch_site: str | None, origin: str | None, same: bool) -> None:
    assert same_origin("here:1", fetch_site, origin) is same
