"""Credentials, and the forms in which people enter them."""

import json
from collections.abc import Mapping
from dataclasses import asdict, dataclass, field, fields
from enum import StrEnum
from hashlib import sha256
from typing import Any

from lanes.credentials import AGENCY
from lanes.errors import LanesError
from lanes.settings.bare_secret import check_secret

_NUMBERS = frozenset({"expires_at", "lifetime", "renewed_at"})


class CredentialError(LanesError):
    """The input is not a credential. The message repeats nothing of it."""


class CredentialKind(StrEnum):
    """Where the access token comes from."""

    PRIVATE = "private"  # a Private Integration Token, which is never renewed
    OAUTH = "oauth"  # a pair: the refresh token is exchanged for the next pair
    AGENCY = "agency"  # obtained with the token of its agency


@dataclass(frozen=True, slots=True)
class Credential:
    """The credential of a location or an agency. Times in seconds since the epoch, by the clock of Redis.

    `expires_at` and `lifetime` (seconds) are None if the API did not name them, `renewed_at` until the first renewal.
    `client_id` and `client_secret` are empty if those of the settings apply. `company_id` is the agency.
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
        """Whether a new token can be obtained without a person."""
        return self.kind is not CredentialKind.PRIVATE

    @property
    def fingerprint(self) -> str:
        """A short hash that distinguishes tokens and reveals none."""
        secret = self.refresh_token or self.access_token
        return sha256(secret.encode()).hexdigest()[:8] if secret else "-"

    def as_json(self) -> dict[str, Any]:
        """Return it as plain values with secrets, for the vault."""
        return {name: value for name, value in asdict(self).items() if value not in (None, "")}

    @classmethod
    def parse(cls, values: Mapping[str, Any]) -> "Credential":
        """Read what `as_json` returned.

        Raises:
            CredentialError: it is not a credential of this version.
        """
        known = {each.name for each in fields(cls)}
        wrong = sum(name not in known or not _has_its_type(name, value) for name, value in values.items())
        if wrong or values.get("kind") not in set(CredentialKind):
            problem = f"{wrong} of its fields are unknown or of a wrong type" if wrong else "its kind is unknown"
            raise CredentialError(problem)
        return cls(**{**values, "kind": CredentialKind(values["kind"])})


def _has_its_type(name: str, value: object) -> bool:
    if name in _NUMBERS:
        return isinstance(value, (int, float)) and not isinstance(value, bool)
    return isinstance(value, str)


def read_credential(text: str, now: float) -> Credential:
    """Read the input of a person: a bare token, or JSON with the fields of `from_fields`.

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
        CredentialError: it is not one.
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
    """Return the credential of these fields, of one of three kinds; other fields are ignored.

    `token`: a Private Integration Token. `refresh_token`, `access_token` and `expires_in`: from an answer of the API,
    with `client_id` and `client_secret` unless those of the settings apply. `agency`: the company id.

    Raises:
        CredentialError: a field is missing or wrong.
    """
    if "token" in fields:
        return Credential(CredentialKind.PRIVATE, _secret("token", fields["token"]))
    if "agency" in fields:
        return Credential(CredentialKind.AGENCY, company_id=_secret("agency", fields["agency"]))
    if "refresh_token" not in fields:
        message = "must have one of: token, refresh_token, agency"
        if "access_token" in fields:
            message = (
                "must have refresh_token with its access_token, as the API returned both; a Private Integration Token "
                "is the text alone"
            )
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
    """Return the name under which a row's credential is stored: of its location, or of its agency.

    Raises:
        CredentialError: it has neither.
    """
    location, company = fields.get("locationId"), fields.get("companyId")
    if isinstance(location, str) and location:
        return location
    if isinstance(company, str) and company:
        return AGENCY + company
    message = "must have locationId, or companyId for an agency's token"
    raise CredentialError(message)


def seconds(value: object) -> float | None:
    """Return a number of seconds of the API's, None if it is not a plausible one."""
    number = isinstance(value, (int, float)) and not isinstance(value, bool)
    return float(value) if number and 0 < value < 1e10 else None  # type: ignore[operator, arg-type]


def _secret(what: str, value: object) -> str:
    try:
        return check_secret(value if isinstance(value, str) else "")
    except ValueError as error:
        message = f"{what} {error}"
        raise CredentialError(message) from None
