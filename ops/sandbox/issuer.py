"""Issues, rotates, expires and revokes tokens. Times in seconds, monotonic. No input, no output."""

import secrets
import time
from collections.abc import Iterable
from dataclasses import dataclass
from typing import NamedTuple

from ops.sandbox.settings import SandboxSettings


class Owner(NamedTuple):
    """The owner of a token: a location or, without a location, an agency."""

    company_id: str
    location_id: str = ""


class TokenPair(NamedTuple):
    """The answer to a grant; `refresh_token` is empty for a token created from an agency's."""

    access_token: str
    refresh_token: str
    expires_in: float


@dataclass(slots=True)
class AccessToken:
    """An issued access token."""

    owner: Owner
    expires_at: float


@dataclass(slots=True)
class RefreshToken:
    """The `generation`th refresh token of its owner. Once spent, it returns `following` again for the grace period."""

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
    """Issues and revokes tokens. The server's thread writes, any thread may read."""

    def __init__(self, settings: SandboxSettings) -> None:
        self._settings = settings
        self._access: dict[str, AccessToken] = {}
        self._refresh: dict[str, RefreshToken] = {}
        self._codes: dict[str, Owner] = {}
        self._revoked: set[str] = set()

    def locations_of(self, token: str) -> frozenset[str] | None:
        """Return the locations of a valid token: None for all, an empty set for none."""
        if token in self._revoked:
            return frozenset()
        if token in self._settings.tokens:
            return self._settings.tokens[token]
        access = self._access.get(token)
        if access is None or time.monotonic() >= access.expires_at or not access.owner.location_id:
            return frozenset()
        return frozenset({access.owner.location_id})

    def knows(self, token: str) -> bool:
        """Whether a token is valid."""
        return (token in self._settings.tokens and token not in self._revoked) or bool(self.locations_of(token))

    def company_of(self, token: str) -> str | None:
        """Return the agency of a valid agency token, else None."""
        access = self._access.get(token)
        if access is None or access.owner.location_id or token in self._revoked:
            return None
        return access.owner.company_id if time.monotonic() < access.expires_at else None

    def new_code(self, owner: Owner) -> str:
        """Return an authorization code, as the installation of an app does."""
        code = f"code-{secrets.token_hex(12)}"
        self._codes[code] = owner
        return code

    def spend_code(self, code: str) -> Owner | None:
        """Spend an authorization code; return its owner."""
        return self._codes.pop(code, None)

    def issue(self, owner: Owner, generation: int = 1) -> TokenPair:
        """Issue a new pair."""
        pair = TokenPair(f"at-{secrets.token_hex(16)}", f"rt-{secrets.token_hex(16)}", self._settings.token_seconds)
        self._access[pair.access_token] = AccessToken(owner, time.monotonic() + pair.expires_in)
        self._refresh[pair.refresh_token] = RefreshToken(owner, generation)
        return pair

    def issue_access_token(self, owner: Owner) -> TokenPair:
        """Issue an access token without a refresh token."""
        pair = self.issue(owner)
        del self._refresh[pair.refresh_token]
        return pair._replace(refresh_token="")

    def find(self, refresh_token: str) -> RefreshToken | None:
        """Return an issued refresh token."""
        return self._refresh.get(refresh_token)

    def rotate(self, refresh: RefreshToken) -> TokenPair | None:
        """Spend a refresh token: return the next pair, the same one again in the grace period, None after it."""
        now = time.monotonic()
        if refresh.state(now, self._settings.grace_seconds) not in ("current", "grace"):
            return None
        if refresh.following is None:
            refresh.spent_at, refresh.following = now, self.issue(refresh.owner, refresh.generation + 1)
        return refresh.following

    def revoke(self, owner: Owner, *, access_only: bool = False) -> None:
        """Revoke the tokens of an owner; with `access_only`, its refresh token stays valid."""
        self._revoked.update(token for token, access in self._access.items() if access.owner == owner)
        for refresh in self._refresh.values():
            refresh.revoked |= refresh.owner == owner and not access_only

    def revoke_token(self, token: str) -> None:
        """Revoke one access token; it may be one of the settings."""
        self._revoked.add(token)

    def secrets(self) -> Iterable[str]:
        """Return every token ever issued."""
        return [*self._access, *self._refresh]
