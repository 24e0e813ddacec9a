"""Addresses of HTTP services that secrets are sent to: plain ones only, so that all who read one read the same."""

import re
from collections.abc import Collection

LOOPBACK = frozenset({"127.0.0.1", "localhost", "::1"})
_URL = re.compile(
    r"(?P<scheme>https?)://"
    r"(?P<host>[A-Za-z0-9](?:[A-Za-z0-9_.-]{0,252}[A-Za-z0-9])?|\[[0-9A-Fa-f:.]{2,45}\])"
    r"(?::(?P<port>[0-9]{1,5}))?"
    r"(?P<path>/[A-Za-z0-9._~!$&'()*+,;=:%/-]*)?"
    r"(?P<query>\?[A-Za-z0-9._~!$&'()*+,;=:%/?@-]*)?"
)


def check_url(url: str, at_home: Collection[str] = LOOPBACK, *, query: bool = False) -> None:
    """See that a URL is plain: https (http only to a host `at_home`), no credentials, no fragment, no odd character.

    Raises:
        ValueError: it is not; the message does not repeat it, since it may hold a secret.
    """
    found = _URL.fullmatch(url)
    if found is None or int(found["port"] or 443) > 65535 or (found["query"] and not query):
        without = "" if query else ", query"
        message = f"must be a plain URL like https://example.com/path, without credentials{without} and fragment"
        raise ValueError(message)
    if found["scheme"] == "http" and found["host"].strip("[]").lower() not in at_home:
        message = "must be an https:// URL (http:// only for what runs on this machine)"
        raise ValueError(message)
