"""Validates URLs of HTTP services that receive secrets. Only plain URLs, which all clients read alike."""

import re
from collections.abc import Collection
from urllib.parse import urlsplit

API_URL = "https://services.leadconnectorhq.com"
LOOPBACK = frozenset({"127.0.0.1", "localhost", "::1"})
_URL = re.compile(
    r"(?P<scheme>https?)://"
    r"(?P<host>[A-Za-z0-9](?:[A-Za-z0-9_.-]{0,252}[A-Za-z0-9])?|\[[0-9A-Fa-f:.]{2,45}\])"
    r"(?::(?P<port>[0-9]{1,5}))?"
    r"(?P<path>/[A-Za-z0-9._~!$&'()*+,;=:%/-]*)?"
    r"(?P<query>\?[A-Za-z0-9._~!$&'()*+,;=:%/?@-]*)?"
)
_HIGHLEVEL = (".leadconnectorhq.com", ".gohighlevel.com")


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


def check_api_url(url: str) -> None:
    """Check the base URL of the API: the client adds the path. Another server, like a proxy, may have a path before it.

    Raises:
        ValueError: it is wrong; the message does not contain it.
    """
    check_url(url, LOOPBACK | {"sandbox"})
    parts = urlsplit(url)
    host, path = (parts.hostname or "").lower(), parts.path.strip("/").lower()
    if host.endswith(_HIGHLEVEL) and (path or host != urlsplit(API_URL).hostname):
        message = f"must be {API_URL}, without a path; the client adds /opportunities/upsert"
        raise ValueError(message)
    if {"opportunities", "oauth"}.intersection(path.split("/")):
        message = "must be without /opportunities and /oauth at its end: the client adds the path"
        raise ValueError(message)
