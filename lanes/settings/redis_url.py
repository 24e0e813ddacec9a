"""Validates the URL of a Redis. The client skips what it cannot read, and finds other errors only when it connects."""

import re
from urllib.parse import quote, urlsplit

from lanes.errors import SettingsError
from lanes.settings.redis_options import UnknownOptionError, problem_of_options

_SCHEMES = ("redis://", "rediss://", "unix://")
_DATABASE = re.compile(r"/?|/[0-9]{1,6}/?")
_NO_HOST = re.compile(r"[^\w.:%-]")
_RESERVED = re.compile(r"[/?#\[\]@\s]|%(?![0-9A-Fa-f]{2})")


def check_redis_url(url: str) -> None:
    """Check the URL of a Redis and its options, with the files that they name.

    Raises:
        ValueError: it is wrong; the message does not contain it, since it may have a password.
    """
    if message := _problem(url):
        raise ValueError(message)


def raise_if_wrong(url: str) -> None:
    """Check a URL that need not come from the settings.

    Raises:
        SettingsError: it is wrong.
    """
    if message := _problem(url):
        raise SettingsError(f"the URL of Redis {message}")


def _problem(url: str) -> str:
    if not url.startswith(_SCHEMES):
        return "must begin with redis://, rediss:// (TLS) or unix://"
    if message := _problem_of_address(url):
        return _unescaped(url) or message
    parts = urlsplit(url)
    if _RESERVED.search(parts.netloc.rpartition("@")[0]):
        return _unescaped(url)
    try:
        return problem_of_options(url)
    except UnknownOptionError as error:
        return _unescaped(url) or str(error)


def _unescaped(url: str) -> str:
    """Return the percent codes of the reserved characters before the last @: user and password end there."""
    user = url.partition("://")[2].rpartition("@")[0]
    codes = [f"{quote(letter, safe='')} for {letter}" for letter in dict.fromkeys(_RESERVED.findall(user))]
    return f"must have {', '.join(codes)} in its user or password" if codes else ""


def _problem_of_address(url: str) -> str:
    if re.search(r"[\s\x00-\x1f\x7f]", url):
        return "must be without white space, also without a comment after it"
    try:
        parts = urlsplit(url)
        port, host = parts.port, parts.hostname or ""
        host.encode("idna")
    except UnicodeError:
        return "must have the name of a host, without empty or overlong parts"
    except ValueError:
        return "must have a number from 1 to 65535 for its port, and [ ] only around an IPv6 address"
    if port == 0:
        return "must have a number from 1 to 65535 for its port"
    if _NO_HOST.search(host):
        return "must have the name of one host, like redis.example.com"
    if "#" in url:
        return "must be without #; in a password it is %23"
    if parts.scheme == "unix":
        is_path = not host and parts.path.strip("/")
        return "" if is_path else "must have three slashes and the path of a socket, like unix:///run/redis.sock"
    return "" if _DATABASE.fullmatch(parts.path) else "must name its database by a number, like /0 at its end"
