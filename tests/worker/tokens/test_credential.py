"""Credentials that people store, and those that are refused."""

import json
from typing import Any

import pytest

from worker.tokens.credential import (
    Credential,
    CredentialError,
    CredentialKind,
    from_fields,
    name_of,
    read_credential,
    read_object,
)

PAIR = {"access_token": "at", "refresh_token": "rt", "expires_in": 86399, "userType": "Location", "userId": "u"}


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        ("pit-1", Credential(CredentialKind.PRIVATE, "pit-1")),
        ("  pit-1\r\n", Credential(CredentialKind.PRIVATE, "pit-1")),
        ('{"token": "pit-1\\n"}', Credential(CredentialKind.PRIVATE, "pit-1")),
        ('{"agency": "company"}', Credential(CredentialKind.AGENCY, company_id="company")),
        (json.dumps(PAIR), Credential(CredentialKind.OAUTH, "at", "rt", expires_at=86499.0, lifetime=86399.0)),
        ('{"refresh_token": "rt"}', Credential(CredentialKind.OAUTH, "", "rt")),
        ('{"refresh_token": "rt", "expires_in": 0, "access_token": ""}', Credential(CredentialKind.OAUTH, "", "rt")),
        (
            '{"refresh_token": "rt", "client_id": "app", "client_secret": "s"}',
            Credential(CredentialKind.OAUTH, "", "rt", "app", "s"),
        ),
    ],
)
def test_what_is_a_credential(text: str, expected: Credential) -> None:
    assert read_credential(text, now=100) == expected
    assert Credential.parse(json.loads(json.dumps(expected.as_json()))) == expected


@pytest.mark.parametrize(
    "text",
    [
        "",
        "two words",
        "pit-ü",
        "pit-\x00",
        "{",
        "[1]",
        "{}",
        '{"token": 7}',
        '{"refresh_token": ""}',
        '{"agency": "a b"}',
    ],
)
def test_an_invalid_credential_is_refused_without_being_shown(text: str) -> None:
    with pytest.raises(CredentialError) as error:
        read_credential(text, now=0)
    assert not text or text not in str(error.value)
    assert "\n" not in str(error.value)


@pytest.mark.parametrize(
    ("fields", "name"),
    [
        ({"locationId": "loc"}, "loc"),
        ({"locationId": "loc", "companyId": "c"}, "loc"),
        ({"companyId": "c"}, "agency:c"),
        ({"companyId": "c", "locationId": None}, "agency:c"),
    ],
)
def test_the_name_of_a_row(fields: dict[str, Any], name: str) -> None:
    assert name_of(fields) == name


def test_a_row_without_a_name() -> None:
    with pytest.raises(CredentialError, match="must have locationId"):
        name_of({"token": "x"})


def test_secrets_show_in_no_representation() -> None:
    credential = from_fields({"refresh_token": "rt-1", "access_token": "at-1", "client_secret": "cs-1"}, 0)
    for text in (repr(credential), str(credential), credential.fingerprint):
        assert not any(secret in text for secret in ("rt-1", "at-1", "cs-1"))
    assert credential.fingerprint != from_fields({"refresh_token": "rt-2"}, 0).fingerprint


def test_what_is_no_object_is_refused() -> None:
    with pytest.raises(CredentialError):
        read_object('"text"')
