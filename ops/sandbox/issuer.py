"""Who may do what: the tokens of the settings, and those that the sandbox gives out, with rotation, expiry, revocation.

Times in seconds, monotonic. No input, no output.
"""

import secrets
import time
from collections.abc import Iterable
from dataclasses import dataclass
from typing import NamedTuple

from ops.sandbox.settings import SandboxSettings


class Owner(NamedTuple):
    """Whose a token is: a location's, or, without a location, an agency's."""

    company_id: str
    location_id: str = ""


class TokenPair(NamedTuple):
    """What a grant gives; a minted token has no refresh token."""

    access_token: str
    refresh_token: str
    expires_in: float


@dataclass(slots=True)
class AccessToken:
    """An access token that was given out."""

    owner: Owner
    expires_at: float


@dataclass(slots=True)
class RefreshToken:
    """A refresh token: the `generation`th of its owner. Once spent, it gives `following` again during the grace."""

    owner: Owner
    generation: int
    spent_at: float | None = None
    following: TokenPair | None = None
    revoked: bool = False

    def state(self, now: float, grace: float) -> str:
        """Return `current`, `grace`, `spent` or `revoked`."""
        if self.revoked:
            return "revoked"
        if self.spent_at is None:
            return "current"
        return "grace" if now - self.spent_at <= grace else "spent"


class Issuer:
    """Gives tokens out and takes them back. The server's thread writes, any thread may read."""

    def __init__(self, settings: SandboxSettings) -> None:
        self._settings = settings
        self._access: dict[str, AccessToken] = {}
        self._refresh: dict[str, RefreshToken] = {}
        self._codes: dict[str, Owner] = {}
        self._revoked: set[str] = set()

    def locations_of(self, token: str) -> frozenset[str] | None:
        """Return the locations of a token that is in force, None for all, an empty set for none."""
        if token in self._revoked:
            return frozenset()
        if token in self._settings.tokens:
            return self._settings.tokens[token]
        access = self._access.get(token)
        if access is None or time.monotonic() >= access.expires_at or not access.owner.location_id:
            return frozenset()
        return frozenset({access.owner.location_id})

    def knows(self, token: str) -> bool:
        """Whether a token is in force at all."""
        return (token in self._settings.tokens and token not in self._revoked) or bool(self.locations_of(token))

    def company_of(self, token: str) -> str | None:
        """Return the agency whose token this is, if it is one in force."""
        access = self._access.get(token)
        if access is None or access.owner.location_id or token in self._revoked:
            return None
        return access.owner.company_id if time.monotonic() < access.expires_at else None

    def new_code(self, owner: Owner) -> str:
        """Return a code, as an installation of the app gives it."""
        code = f"code-{secrets.token_hex(12)}"
        self._codes[code] = owner
        return code

    def spend_code(self, code: str) -> Owner | None:
        """Spend a code; return whose it was."""
        return self._codes.pop(code, None)

    def issue(self, owner: Owner, generation: int = 1) -> TokenPair:
        """Give out a new pair."""
        pair = TokenPair(f"at-{secrets.token_hex(16)}", f"rt-{secrets.token_hex(16)}", self._settings.token_seconds)
        self._access[pair.access_token] = AccessToken(owner, time.monotonic() + pair.expires_in)
        self._refresh[pair.refresh_token] = RefreshToken(owner, generation)
        return pair

    def issue_access_token(self, owner: Owner) -> TokenPair:
        """Give out an access token alone."""
        pair = self.issue(owner)
        del self._refresh[pair.refresh_token]
        return pair._replace(refresh_token="")

    def find(self, refresh_token: str) -> RefreshToken | None:
        """Return what is known of a refresh token."""
        return self._refresh.get(refresh_token)

    def rotate(self, refresh: RefreshToken) -> TokenPair | None:
        """Spend a refresh token for the next pair: the same during the grace, none after it, or once it is revoked."""
        now = time.monotonic()
        if refresh.state(now, self._settings.grace_seconds) not in ("current", "grace"):
            return None
        if refresh.following is None:
            refresh.spent_at, refresh.following = now, self.issue(refresh.owner, refresh.generation + 1)
        return refresh.following

    def revoke(self, owner: Owner, *, access_only: bool = False) -> None:
        """Take back what an owner has; with `access_only`, the refresh token goes on working."""
        self._revoked.update(token for token, access in self._access.items() if access.owner == owner)
        for refresh in self._refresh.values():
            refresh.revoked |= refresh.owner == owner and not access_only

    def revoke_token(self, token: str) -> None:
        """Take one access token, or one of the settings, back."""
        self._revoked.add(token)

    def secrets(self) -> Iterable[str]:
        """Return every token that was ever given out."""
        return [*self._access, *self._refresh]
