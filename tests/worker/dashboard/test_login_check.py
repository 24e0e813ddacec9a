"""Which passwords are tried, in virtual time."""

from base64 import b64encode

import pytest

from worker.dashboard import login
from worker.dashboard.login import FREE_GUESSES, PAUSE_SECONDS, Login, LoginCheck, LoginRefused


class Attacked:
    """A login check with a clock that the test sets."""

    def __init__(self, *credentials: str) -> None:
        self.now = 1000.0
        self.check = LoginCheck(lambda: credentials, lambda: self.now)

    def send(self, credentials: str, address: str = "10.0.0.1") -> LoginRefused | None:
        return self.check.refusal("Basic " + b64encode(credentials.encode()).decode(), address)


def test_each_guess_after_the_free_ones_costs_a_pause() -> None:
    attacked = Attacked("ana:right")
    for number in range(FREE_GUESSES):
        assert attacked.send(f"ana:guess {number}") == LoginRefused()
    assert attacked.send("ana:right") == LoginRefused(int(PAUSE_SECONDS))
    attacked.now += PAUSE_SECONDS
    assert attacked.send("ana:another guess") == LoginRefused()  # one try
    assert attacked.send("ana:right") == LoginRefused(int(PAUSE_SECONDS))
    attacked.now += PAUSE_SECONDS
    assert attacked.send("ana:right") is None
    assert attacked.send("ana:guess") == LoginRefused()  # the count began again
    assert attacked.send("ana:right") is None


def test_guesses_from_many_addresses_lock_no_one_out_and_take_bounded_memory(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(login, "MAX_REMEMBERED", 50)
    attacked = Attacked("ana:right")
    for number in range(500):
        attacked.send(f"ana:guess {number % 7}", f"10.0.1.{number}")
        attacked.send(f"{'x' * 5000}{number}:y")
    assert len(attacked.check._wrong) <= 50
    assert attacked.send("ana:right", "10.9.9.9") is None


def test_old_guesses_are_forgotten() -> None:
    attacked = Attacked("ana:right")
    for number in range(3 * FREE_GUESSES):
        attacked.send(f"ana:guess {number}")
        attacked.now += login.FORGET_SECONDS + 1
    assert attacked.send("ana:right") is None


def test_a_composed_character_is_equal_to_its_parts() -> None:
    assert Attacked("ana:é").send("ana:e\u0301") is None
    assert Attacked("ana:e\u0301").send("ana:é") is None


@pytest.mark.parametrize(
    ("header", "expected"),
    [
        ("Basic YTpiOmM=", Login("a", "b:c")),
        ("basic  YTpi", Login("a", "b")),
        ("Basic YWI=", None),
        ("Basic /w==", None),
        ("Basic YTpi!", None),
        ("Bearer YTpi", None),
        ("Basic", None),
        ("", None),
        ("Basic \udcff", None),
    ],
)
def test_what_is_no_basic_authentication_is_no_guess(header: str, expected: Login | None) -> None:
    assert Login.parse(header) == expected
    if expected is None:
        attacked = Attacked("ana:right")
        assert {attacked.check.refusal(header, "10.0.0.1") for _ in range(20)} == {LoginRefused()}
