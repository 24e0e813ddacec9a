"""Basic authentication: checks passwords, logs wrong ones, and slows down guessing."""

import hmac
import os
import time
from base64 import b64decode
from collections import OrderedDict
from collections.abc import Callable, Iterable
from dataclasses import dataclass
from hashlib import blake2b
from math import ceil
from unicodedata import normalize

import structlog

from lanes.printable import printable

log = structlog.get_logger()

FREE_GUESSES = 5  # wrong passwords of an address and a name before the first pause
PAUSE_SECONDS = 30.0
FORGET_SECONDS = 900.0
MAX_REMEMBERED = 10_000  # addresses and names, about 500 bytes each
MAX_NAME = 64  # characters of a name in the log and the table


@dataclass(frozen=True, slots=True)
class Login:
    """The name and password in a request."""

    user: str
    password: str

    @classmethod
    def parse(cls, header: str) -> "Login | None":
        """Read an Authorization header (RFC 7617, UTF-8); None if it is not basic authentication."""
        scheme, _, sent = header.partition(" ")
        try:
            user, colon, password = b64decode(sent.strip(), validate=True).decode().partition(":")
        except ValueError:
            return None
        return cls(user, password) if scheme.lower() == "basic" and colon else None


@dataclass(slots=True)
class WrongPasswords:
    """The wrong passwords of an address and a name. Times in seconds of the clock."""

    count: int = 0
    last: bytes = b""
    at: float = 0.0
    blocked_until: float = 0.0


@dataclass(frozen=True, slots=True)
class LoginRefused:
    """A refused login; `retry_after` is the number of seconds in which no password is tried, 0 for none."""

    retry_after: int = 0


class LoginCheck:
    """Checks passwords. Use it in one thread.

    The fifth different wrong password of an address and a name, and each after it, causes a pause of 30 s: no password
    of this address and name is tried, not even the right one. Other addresses and names are not affected. A password
    that is repeated is not a guess: a page with an old password sends it every two seconds.

    Args:
        credentials: returns the `user:password` entries.
        clock: returns seconds.
    """

    def __init__(self, credentials: Callable[[], Iterable[str]], clock: Callable[[], float] = time.monotonic) -> None:
        self._credentials = credentials
        self._clock = clock
        self._key = os.urandom(32)
        self._wrong: OrderedDict[tuple[str, str], WrongPasswords] = OrderedDict()

    def refusal(self, header: str, address: str) -> LoginRefused | None:
        """Return None if the Authorization header has the password of a user. A wrong one is logged and counted."""
        login, now = Login.parse(header), self._clock()
        if login is None:
            return LoginRefused()
        key = (address, printable(login.user[:MAX_NAME])[:MAX_NAME])
        known = self._wrong.get(key, WrongPasswords())
        if known.blocked_until > now:
            return LoginRefused(ceil(known.blocked_until - now))
        sent = _comparable(f"{login.user}:{login.password}")
        # Every entry is compared, so the time does not depend on the position.
        if sum(hmac.compare_digest(sent, _comparable(entry)) for entry in self._credentials()):
            self._wrong.pop(key, None)
            return None
        self._count(key, known, blake2b(sent, key=self._key).digest(), now)
        return LoginRefused()

    def _count(self, key: tuple[str, str], known: WrongPasswords, digest: bytes, now: float) -> None:
        if known.last == digest:
            return
        if now - known.at > FORGET_SECONDS:
            known.count = 0
        known.count, known.last, known.at = known.count + 1, digest, now
        pause = PAUSE_SECONDS if known.count >= FREE_GUESSES else 0.0
        known.blocked_until = now + pause
        self._wrong[key] = known
        self._wrong.move_to_end(key)
        if len(self._wrong) > MAX_REMEMBERED:
            self._wrong.popitem(last=False)
        address, user = key
        log.warning("login_refused", address=address, user=user, wrong_passwords=known.count, pause_seconds=pause)


def _comparable(text: str) -> bytes:
    """Return a text for a comparison: a character and its composed form are equal."""
    return normalize("NFC", text).encode("utf-8", "surrogatepass")
