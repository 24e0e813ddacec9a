"""Validates URLs of Redis, and of HTTP services that receive secrets. Only plain URLs, which all clients read alike."""

import re
from collections.abc import Collection
from urllib.parse import SplitResult, parse_qs, urlsplit

LOOPBACK = frozenset({"127.0.0.1", "localhost", "::1"})
_URL = re.compile(
    r"(?P<scheme>https?)://"
    r"(?P<host>[A-Za-z0-9](?:[A-Za-z0-9_.-]{0,252}[A-Za-z0-9])?|\[[0-9A-Fa-f:.]{2,45}\])"
    r"(?::(?P<port>[0-9]{1,5}))?"
    r"(?P<path>/[A-Za-z0-9._~!$&'()*+,;=:%/-]*)?"
    r"(?P<query>\?[A-Za-z0-9._~!$&'()*+,;=:%/?@-]*)?"
)
_DATABASE = re.compile(r"/?|/[0-9]{1,6}/?")


def check_url(url: str, at_home: Collection[str] = LOOPBACK, *, query: bool = False) -> None:
    """Check that a URL is plain: https (http only to a host in `at_home`), no credentials, no fragment.

    Raises:
        ValueError: it is not; the message does not contain it, since it may have a secret.
    """
    found = _URL.fullmatch(url)
    if found is None or int(found["port"] or 443) > 65535 or (found["query"] and not query):
        without = "" if query else ", query"
        message = f"must be a plain URL like https://example.com/path, without credentials{without} and fragment"
        raise ValueError(message)
    if found["scheme"] == "http" and found["host"].strip("[]").lower() not in at_home:
        message = "must be an https:// URL (http:// only for services on this machine)"
        raise ValueError(message)


def check_redis_url(url: str) -> None:
    """Check the URL of a Redis: the client accepts wrong ones, and uses database 0 if it cannot read the number.

    Raises:
        ValueError: it is wrong; the message does not contain it, since it may have a password.
    """
    if message := _error_in_redis_url(urlsplit(url)):
        raise ValueError(message)


def _error_in_redis_url(parts: SplitResult) -> str:
    if parts.scheme not in ("redis", "rediss", "unix"):
        return "must begin with redis://, rediss:// (TLS) or unix://"
    if parts.fragment:
        return "must have %23 for # in a password"
    try:
        _ = parts.port
        (parts.hostname or "").encode("idna")
    except UnicodeError:
        return "must have the name of a host, without empty or overlong parts"
    except ValueError:
        return "must have a number from 0 to 65535 for its port"
    if parts.scheme != "unix" and not _DATABASE.fullmatch(parts.path):
        return "must name its database by a number, like /0 at its end"
    if "decode_responses" in parse_qs(parts.query):
        return "must be without decode_responses: replies are read as bytes"
    return ""
