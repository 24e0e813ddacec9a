"""Who has access. Pure functions. Without authentication, the dashboard is for this machine only."""

from dataclasses import dataclass
from ipaddress import ip_address
from urllib.parse import urlsplit

from lanes.errors import LanesError

# Headers that a proxy adds: the request came from another machine.
PROXY_HEADERS = ("Forwarded", "X-Forwarded-For", "X-Forwarded-Host", "X-Real-Ip", "Via")

LOOPBACK = "127.0.0.1"


class AccessPolicyError(LanesError):
    """The options would give unauthenticated access; the message says what to do."""


@dataclass(frozen=True, slots=True)
class Client:
    """The origin of a request: the sender's address, the Host header, and whether a proxy forwarded it.

    The Host header defends against DNS rebinding: a foreign page reaches this machine, but names its own host.
    """

    ip: str
    host: str
    proxied: bool = False

    @property
    def is_local(self) -> bool:
        """Whether the request was made on this machine, for this machine."""
        return is_loopback(self.ip) and is_loopback(_hostname(self.host)) and not self.proxied


@dataclass(frozen=True, slots=True)
class AccessPolicy:
    """Which authentication is configured, and whether changes are disabled."""

    basic_auth: bool = False
    oauth: bool = False
    read_only: bool = False

    @property
    def requires_login(self) -> bool:
        """Whether a login is required."""
        return self.basic_auth or self.oauth

    def allows(self, client: Client) -> bool:
        """Return whether the request may reach authentication."""
        return self.requires_login or client.is_local

    def allows_changes(self, client: Client) -> bool:
        """Return whether an authenticated request may change something."""
        return not self.read_only and self.allows(client)

    def allows_anonymous_metrics(self, client: Client) -> bool:
        """Return whether /metrics, which names locations and workers, needs no login.

        Prometheus cannot use OAuth; with OAuth, a Prometheus on this machine needs no login.
        """
        return not self.basic_auth and client.is_local


def bind_address(
    access: AccessPolicy, address: str, *, unix_socket: str = "", unauthenticated_api: bool = False
) -> str:
    """Return the address to listen on: loopback without authentication.

    Raises:
        AccessPolicyError: the options ask for another one.
    """
    if access.requires_login:
        return address
    remedy = "configure authentication (--basic-auth-file, or Flower's --auth)"
    if unauthenticated_api:
        message = f"FLOWER_UNAUTHENTICATED_API would let anyone start tasks: unset it, or {remedy}"
        raise AccessPolicyError(message)
    if unix_socket:
        message = f"--unix_socket={unix_socket} is open to every user and proxy of this machine: {remedy}"
        raise AccessPolicyError(message)
    if address and not is_loopback(address):
        message = f"--address={address} would be open to others: {remedy}, or leave it at {LOOPBACK}"
        raise AccessPolicyError(message)
    return address or LOOPBACK


def read_credentials(content: bytes, where: str) -> list[str]:
    """Read `user:password` lines in UTF-8; empty lines and comments with # are skipped.

    Raises:
        AccessPolicyError: there are none, one lacks a name or a password, or the file is not UTF-8.
    """
    try:
        text = content.decode("utf-8-sig")
    except UnicodeDecodeError as error:
        number = content.count(b"\n", 0, error.start) + 1
        message = f"{where}: line {number} is not UTF-8: save the file as UTF-8"
        raise AccessPolicyError(message) from None
    lines = [line.strip() for line in text.splitlines()]
    found = [line for line in lines if line and not line.startswith("#")]
    check_credentials(found, where)
    return found


def check_credentials(entries: list[str], where: str) -> None:
    """Check that each entry is `user:password`, and that there is at least one.

    Raises:
        AccessPolicyError: otherwise. The message does not show the entry.
    """
    for number, entry in enumerate(entries, 1):
        user, _, password = entry.partition(":")
        if not user or not password:
            message = f"{where}: entry {number} is not user:password"
            raise AccessPolicyError(message)
    if not entries:
        message = f"{where}: no user:password in it"
        raise AccessPolicyError(message)


def is_loopback(name: str) -> bool:
    """Return whether this is a loopback address or localhost, without a resolver."""
    if name.lower().rstrip(".") == "localhost":
        return True
    try:
        return ip_address(name.strip("[]")).is_loopback
    except ValueError:
        return False


def same_origin(host: str, fetch_site: str | None, origin: str | None) -> bool:
    """Return whether a change was sent by a page of this host, according to the browser.

    `Sec-Fetch-Site` decides if present: no page can forge it, and a proxy may have changed the Host. Other clients send
    neither header; they need the XSRF token.
    """
    if fetch_site is not None:
        return fetch_site == "same-origin"
    return origin is None or urlsplit(origin).netloc == host


def _hostname(host: str) -> str:
    """Return a Host header without its port."""
    try:
        return urlsplit(f"//{host}").hostname or ""
    except ValueError:
        return ""
