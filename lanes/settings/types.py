"""Types of settings: each validates its text, and its error says what is allowed."""

import base64
import re
from collections.abc import Mapping
from typing import Annotated

from pydantic import AfterValidator, BeforeValidator, Field, SecretStr

from lanes.ids import is_id, is_service
from lanes.settings.bare_secret import check_secret
from lanes.settings.redis_url import check_redis_url
from lanes.storage.durability import Durability
from lanes.urls import check_api_url, check_url
from lanes.versions import ApiVersion

SECRET_KEY_BYTES = 32
_PREFIX = re.compile(r"[A-Za-z0-9:_.-]{1,32}")


def _redis_url(value: str) -> str:
    check_redis_url(value)
    return value


def _api_url(value: str) -> str:
    check_api_url(value)
    return value.rstrip("/")


def _notify_url(value: SecretStr) -> SecretStr:
    if value:
        check_url(value.get_secret_value(), query=True)
    return value


def _service(value: str) -> str:
    if not is_service(value):
        message = "must be 1 to 64 printable ASCII characters, no spaces"
        raise ValueError(message)
    return value


def _prefix(value: str) -> str:
    if not _PREFIX.fullmatch(value):
        message = "must be 1 to 32 letters, digits, and : _ . -"
        raise ValueError(message)
    return value


def _secret(value: SecretStr | None) -> SecretStr | None:
    text = value.get_secret_value().strip() if value else ""
    return SecretStr(check_secret(text)) if text else None


def _client_id(value: str | None) -> str | None:
    return check_secret(value) if value else None


def _secret_keys(value: SecretStr) -> SecretStr:
    for key in value.get_secret_value().split(",") if value else ():
        try:
            size = len(base64.b64decode(key.strip(), altchars=b"-_", validate=True))
        except ValueError:
            size = 0
        if size != SECRET_KEY_BYTES:
            message = "each key must be 32 random bytes in URL-safe base64; make one with: lanes token new-key"
            raise ValueError(message)
    return value


def _api_versions(value: object) -> object:
    """Read pairs, separated by commas or white space."""
    if not isinstance(value, str):
        return value
    known = " or ".join(ApiVersion)
    versions: dict[str, str] = {}
    for pair in filter(None, re.split(r"[,\s]+", value)):
        location, _, version = pair.partition("=")
        if not is_id(location) or version not in list(ApiVersion):
            message = f"must be like locA=v3,locB=2021-07-28, each version {known}; {pair!r} is not"
            raise ValueError(message)
        if versions.setdefault(location, version) != version:
            message = f"must name a location once; {location} has two versions"
            raise ValueError(message)
    return versions


# Redis counts in milliseconds. The longest time is ten years.
Seconds = Annotated[float, Field(ge=0.001, le=315_360_000)]
Count = Annotated[int, Field(gt=0, le=1_000_000_000)]
RedisUrl = Annotated[str, AfterValidator(_redis_url)]
ApiUrl = Annotated[str, AfterValidator(_api_url)]
NotifyUrl = Annotated[SecretStr, AfterValidator(_notify_url)]
ServiceName = Annotated[str, AfterValidator(_service)]
DurabilityLevel = Annotated[str, AfterValidator(lambda value: str(Durability.parse(value)))]
KeyPrefix = Annotated[str, AfterValidator(_prefix)]
ApiToken = Annotated[SecretStr | None, AfterValidator(_secret)]
OAuthClientId = Annotated[str | None, AfterValidator(_client_id)]
OAuthSecret = Annotated[SecretStr | None, AfterValidator(_secret)]
SecretKeys = Annotated[SecretStr, AfterValidator(_secret_keys)]
ApiVersions = Annotated[Mapping[str, ApiVersion], BeforeValidator(_api_versions)]
