"""What a credential is, and how people hand one in."""

import json
from collections.abc import Mapping
from dataclasses import asdict, dataclass, field, fields
from enum import StrEnum
from hashlib import sha256
from typing import Any

from lanes.credentials import AGENCY
from lanes.errors import LanesError

_NUMBERS = frozenset({"expires_at", "lifetime", "renewed_at"})


class CredentialError(LanesError):
    """What was handed in is no credential; the message repeats nothing of it."""


class CredentialKind(StrEnum):
    """Where its access token comes from."""

    PRIVATE = "private"  # a Private Integration Token: it stays as it is
    OAUTH = "oauth"  # a pair: the refresh token gets the next pair
    AGENCY = "agency"  # minted with the token of an agency


@dataclass(frozen=True, slots=True)
class Credential:
    """A location's, or an agency's, way to a token. Times in seconds since the epoch, by the clock of Redis.

    `expires_at` and `lifetime` (seconds) are None where the API did not say; `renewed_at` is None until we renewed it.
    `client_id` and `client_secret` are empty where those of the settings serve. `company_id` is the agency that mints.
    """

    kind: CredentialKind
    access_token: str = field(default="", repr=False)
    refresh_token: str = field(default="", repr=False)
    client_id: str = ""
    client_secret: str = field(default="", repr=False)
    company_id: str = ""
    expires_at: float | None = None
    lifetime: float | None = None
    renewed_at: float | None = None

    @property
    def renewable(self) -> bool:
        """Whether there is a way to another token without a person."""
        return self.kind is not CredentialKind.PRIVATE

    @property
    def fingerprint(self) -> str:
        """What tells two tokens apart and gives neither away."""
        secret = self.refresh_token or self.access_token
        return sha256(secret.encode()).hexdigest()[:8] if secret else "-"

    def as_json(self) -> dict[str, Any]:
        """Return it as plain values, secrets included: for the vault."""
        return {name: value for name, value in asdict(self).items() if value not in (None, "")}

    @classmethod
    def parse(cls, values: Mapping[str, Any]) -> "Credential":
        """Read what `as_json` returned.

        Raises:
            CredentialError: it is nothing of that; a later version may have written it.
        """
        kinds, known = {kind.value for kind in CredentialKind}, {each.name for each in fields(cls)}
        wrong = [name for name in values if name not in known] + [
            name
            for name, value in values.items()
            if (name in _NUMBERS) != (isinstance(value, (int, float)) and not isinstance(value, bool))
            or (name not in _NUMBERS and not isinstance(value, str))
        ]
        if wrong or values.get("kind") not in kinds:
            message = (
                "its kind is unknown" if not wrong else f"{len(wrong)} of its fields are unknown or of a wrong type"
            )
            raise CredentialError(message)
        return cls(**{**values, "kind": CredentialKind(values["kind"])})


def read_credential(text: str, now: float) -> Credential:
    """Read what a person hands in: a bare token, or JSON as `from_fields` takes it.

    Raises:
        CredentialError: it is neither.
    """
    text = text.strip()
    if not text.startswith(("{", "[")):
        return Credential(CredentialKind.PRIVATE, _secret("the token", text))
    return from_fields(read_object(text), now)


def read_object(text: str) -> dict[str, Any]:
    """Read a JSON object.

    Raises:
        CredentialError: it is none.
    """
    try:
        found = json.loads(text)
    except (ValueError, RecursionError):
        found = None
    if not isinstance(found, dict):
        message = "must be a JSON object"
        raise CredentialError(message)
    return found


def from_fields(fields: Mapping[str, Any], now: float) -> Credential:
    """Return the credential of these fields, whichever of three it is; other fields are ignored.

    `token`: a Private Integration Token. `access_token` and `refresh_token`, as the API answers them, with `expires_in`
    and, where those of the settings do not serve, `client_id` and `client_secret`. `agency`: the company that mints.

    Raises:
        CredentialError: one is missing or wrong.
    """
    if "token" in fields:
        return Credential(CredentialKind.PRIVATE, _secret("token", fields["token"]))
    if "agency" in fields:
        return Credential(CredentialKind.AGENCY, company_id=_secret("agency", fields["agency"]))
    if "refresh_token" not in fields:
        message = "must have one of: token, refresh_token, agency"
        raise CredentialError(message)
    access_token, client_id, client_secret = (
        _secret(name, fields[name]) if fields.get(name) else ""
        for name in ("access_token", "client_id", "client_secret")
    )
    lifetime = seconds(fields.get("expires_in"))
    return Credential(
        CredentialKind.OAUTH,
        access_token,
        _secret("refresh_token", fields["refresh_token"]),
        client_id,
        client_secret,
        expires_at=None if lifetime is None else now + lifetime,
        lifetime=lifetime,
    )


def name_of(fields: Mapping[str, Any]) -> str:
    """Return the name under which a row's credential is stored: its location, or its company's when it is an agency's.

    Raises:
        CredentialError: it names neither.
    """
    location, company = fields.get("locationId"), fields.get("companyId")
    if isinstance(location, str) and location:
        return location
    if isinstance(company, str) and company:
        return AGENCY + company
    message = "must have locationId, or companyId for an agency's token"
    raise CredentialError(message)


def seconds(value: object) -> float | None:
    """Return a number of seconds as the API tells it, None where it makes no sense."""
    number = isinstance(value, (int, float)) and not isinstance(value, bool)
    return float(value) if number and 0 < value < 1e10 else None  # type: ignore[operator, arg-type]


def _secret(what: str, value: object) -> str:
    # A stray line end in a token answers 401 `Invalid Private Integration token` (observed).
    text = value.strip() if isinstance(value, str) else ""
    if not text or not text.isascii() or not text.isprintable() or " " in text:
        message = f"{what} must be printable ASCII without spaces"
        raise CredentialError(message)
    return text
