"""Rows of `lanes token import`. No error repeats a value, because it may be a token."""

from dataclasses import dataclass
from typing import Any

from lanes.credentials import AGENCY
from ops.command.console import LocationId
from producers.files.cells import number
from producers.files.rows import FieldMapping, FileRow
from worker.tokens.credential import Credential, CredentialError, from_fields, name_of

TOKEN_FIELDS = (
    *("locationId", "companyId", "token", "agency"),
    *("access_token", "refresh_token", "expires_in", "client_id", "client_secret"),
)
TOKEN_COLUMNS = FieldMapping(known={name: name for name in TOKEN_FIELDS}, ignore_others=True)


@dataclass(frozen=True, slots=True)
class TokenRow:
    """The credential of a row, and the name under which it is stored."""

    name: str
    credential: Credential


def read_token(row: FileRow, now: float) -> TokenRow:
    """Return the credential of a row.

    Raises:
        CredentialError: the row cannot be read, or is none.
        click.UsageError: the location is none.
    """
    if not isinstance(row.value, dict):
        raise CredentialError("; ".join(_without_value(each.field, each.message) for each in row.field_errors))
    fields: dict[str, Any] = row.value
    if isinstance(lifetime := fields.get("expires_in"), str):  # of a CSV cell
        fields = {**fields, "expires_in": number(lifetime)}
    name = name_of(fields)
    LocationId().convert(name.removeprefix(AGENCY), None, None)
    return TokenRow(name, from_fields(fields, now))


def _without_value(field: str, message: str) -> str:
    return f"{field}: {message}" if field in TOKEN_FIELDS else message
