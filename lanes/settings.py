"""Settings, from environment variables or a file `.env`, with the prefix `LANES_`."""

import base64
import os
import re
from collections.abc import Mapping
from difflib import get_close_matches
from pathlib import Path
from typing import Annotated, Literal, Self

from pydantic import (
    BaseModel,
    ConfigDict,
    Field,
    SecretStr,
    ValidationError,
    field_validator,
    model_validator,
)

from lanes.errors import SettingsError
from lanes.queue.rate_limits import DEFAULT_BURST, DEFAULT_DAILY
from lanes.storage.durability import Durability
from lanes.storage.keys import DEFAULT_PREFIX
from lanes.urls import LOOPBACK, check_redis_url, check_url
from lanes.versions import DEFAULT_VERSION, ApiVersion

PREFIX = "LANES_"
_SERVICE = re.compile(r"[!-~]{1,64}")
_LOCATION = re.compile(r"[A-Za-z0-9_-]{1,64}")
SECRET_KEY_BYTES = 32
_ENV_LINE = re.compile(r"^\s*(?:export\s+)?([A-Za-z_][A-Za-z0-9_]*)\s*=\s*(.*?)\s*$")
# Read by other parts of the project, not settings of a service or worker.
_NOT_SETTINGS = frozenset({"LANES_REQUIRE_REAL_PARTS"})

# Redis counts in milliseconds; ten years are for ever.
Seconds = Annotated[float, Field(ge=0.001, le=315_360_000)]
Count = Annotated[int, Field(gt=0)]


class WorkerSettings(BaseModel):
    """Every setting with its default; times in seconds. The environment wins over `.env`.

    `LANES_X_FILE` names a file that holds the value of `LANES_X`, as secrets of a container come.
    """

    model_config = ConfigDict(frozen=True, extra="forbid")

    redis_url: str = Field("redis://127.0.0.1:6379/0", description="where the lanes are")
    prefix: str = Field(DEFAULT_PREFIX, pattern=r"^[A-Za-z0-9:_.-]{1,32}$", description="what every key begins with")
    service: str | None = Field(None, description="name of the calling service, kept with its jobs")
    merge: bool = Field(default=False, description="whether an upsert joins a waiting one of the same opportunity")
    durability: str = Field("accepted", description="how safe a job is when `enqueue` returns: `fsync`, `replicas:1`")
    enqueue_timeout_seconds: float = Field(
        10, ge=0.1, le=600, description="how long a producer insists while Redis is away"
    )
    idempotency_seconds: Seconds = Field(86_400, description="how long an idempotency key is known")
    retention_seconds: Seconds = Field(86_400, description="how long a delivered or cancelled job can be read")

    api_base_url: str = Field("https://services.leadconnectorhq.com", description="where the API is")
    api_version: ApiVersion = Field(DEFAULT_VERSION, description="the API version that is spoken")
    api_versions: Mapping[str, ApiVersion] | None = Field(
        None, description="where a location has another one: `locA=v3,locB=2021-07-28`"
    )
    api_token: SecretStr | None = Field(None, description="token for locations that have none of their own")
    secret_key: SecretStr | None = Field(
        None,
        description="encrypts the stored tokens; of several (`new,old`) the first encrypts and all decrypt",
    )
    oauth_client_id: str | None = Field(None, description="the app whose OAuth tokens are renewed")
    oauth_client_secret: SecretStr | None = Field(None, description="its secret")

    burst_limit: Count = Field(
        DEFAULT_BURST, description="cap on requests in a window; unset, the API says (100 at first)"
    )
    burst_window_seconds: Seconds = Field(10, description="the window")
    daily_limit: Count = Field(DEFAULT_DAILY, description="cap on requests in 24 hours; unset, the API says (200,000)")

    max_attempts: Count = Field(12, description="attempts before a job is a dead letter")
    max_age_seconds: Seconds = Field(
        86_400, description="age since acceptance or replay past which a failed attempt is the last"
    )
    backoff_base_seconds: Seconds = Field(1, description="upper bound of the first backoff")
    backoff_max_seconds: Seconds = Field(300, description="upper bound of any backoff")
    repeat_unnamed: bool = Field(
        default=False,
        description="whether a v3 upsert without `id` is sent again when the API may have it: then there may be two",
    )
    lease_seconds: Seconds = Field(45, description="until a job is taken back from a silent worker")
    http_timeout_seconds: Seconds = Field(20, description="for a whole request, connecting included")
    shift_seconds: Seconds = Field(5, description="how long a shift goes on before Celery has its slot back")
    shift_threads: int = Field(32, ge=1, description="requests at once of one process of a worker (pool prefork)")
    outage_failures: int = Field(
        20, ge=3, le=10_000, description="failures of the API in a row that are an outage, or pause a single lane"
    )
    outage_locations: int = Field(3, ge=2, le=1000, description="locations over which they must be spread")
    outage_probe_seconds: float = Field(1, ge=0.05, le=60, description="first gap between probes in an outage")
    outage_probe_max_seconds: float = Field(60, ge=0.05, le=3600, description="the longest gap between probes")
    refusal_brake: int = Field(
        20, ge=0, le=10_000, description="refusals in a row that put a lane on the brake; 0 for none"
    )
    notify_url: SecretStr | None = Field(None, description="where notices are posted (https, or http on this machine)")
    notify_secret: SecretStr | None = Field(None, min_length=16, description="signs the notices")
    notify_dead_above: int | None = Field(None, ge=0, description="dead letters above which there is a notice")
    allow_unsafe_redis: bool = Field(
        default=False, description="whether workers start on a Redis that may lose jobs, or evict them"
    )
    watchdog_seconds: float = Field(
        60, ge=1, le=3600, description="after which a worker that takes no work starts its consumer anew, then ends"
    )
    metrics_port: int = Field(0, ge=0, le=65_535, description="where a worker serves its metrics; 0 for nowhere")
    metrics_address: str = Field("127.0.0.1", min_length=1, description="the address of that")
    metrics_lanes: int = Field(20, ge=0, le=1000, description="locations that metrics name; the others are summed")
    log_level: Literal["debug", "info", "warning", "error"] = Field("info", description="the least that workers log")

    @field_validator("redis_url")
    @classmethod
    def _check_redis_url(cls, value: str) -> str:
        check_redis_url(value)
        return value

    @field_validator("service")
    @classmethod
    def _check_service(cls, value: str | None) -> str | None:
        if value is not None and not _SERVICE.fullmatch(value):
            message = "must be 1 to 64 printable ASCII characters, no spaces"
            raise ValueError(message)
        return value

    @field_validator("durability")
    @classmethod
    def _check_durability(cls, value: str) -> str:
        return str(Durability.parse(value))

    @field_validator("api_base_url")
    @classmethod
    def _check_api_base_url(cls, value: str) -> str:
        check_url(value, LOOPBACK | {"sandbox"})
        return value.rstrip("/")

    @field_validator("api_versions", mode="before")
    @classmethod
    def _read_api_versions(cls, value: object) -> object:
        return _read_versions(value) if isinstance(value, str) else value

    @field_validator("notify_url")
    @classmethod
    def _check_notify_url(cls, value: SecretStr | None) -> SecretStr | None:
        if value:
            check_url(value.get_secret_value(), query=True)
        return value

    @field_validator("api_token")
    @classmethod
    def _check_api_token(cls, value: SecretStr | None) -> SecretStr | None:
        # A stray line end in a token answers 401 `Invalid Private Integration token` (observed).
        if value is None:
            return None
        token = value.get_secret_value().strip()
        if not token.isascii() or not token.isprintable() or " " in token:
            message = "must be printable ASCII without spaces"
            raise ValueError(message)
        return SecretStr(token) if token else None

    @field_validator("secret_key")
    @classmethod
    def _check_secret_key(cls, value: SecretStr | None) -> SecretStr | None:
        for key in value.get_secret_value().split(",") if value else ():
            try:
                size = len(base64.b64decode(key.strip(), altchars=b"-_", validate=True))
            except ValueError:
                size = 0
            if size != SECRET_KEY_BYTES:
                message = "each key must be 32 random bytes in URL-safe base64; make one with: lanes token new-key"
                raise ValueError(message)
        return value

    @model_validator(mode="after")
    def _check_lease(self) -> Self:
        if self.lease_seconds <= self.http_timeout_seconds:
            message = (
                f"LANES_LEASE_SECONDS ({self.lease_seconds:g}) must be longer than LANES_HTTP_TIMEOUT_SECONDS "
                f"({self.http_timeout_seconds:g}): a job must not be taken back while its request may still run"
            )
            raise ValueError(message)
        return self

    @model_validator(mode="after")
    def _check_retention(self) -> Self:
        if self.retention_seconds < self.lease_seconds:
            message = (
                f"LANES_RETENTION_SECONDS ({self.retention_seconds:g}) must not be shorter than LANES_LEASE_SECONDS "
                f"({self.lease_seconds:g}): a late report must find the job, should another attempt have delivered it"
            )
            raise ValueError(message)
        return self

    @property
    def burst_cap(self) -> int | None:
        """The requests in a window that a person set, None where nobody did: then the API's own limit holds."""
        return self.burst_limit if "burst_limit" in self.model_fields_set else None

    @property
    def daily_cap(self) -> int | None:
        """The requests in a day that a person set, None where nobody did."""
        return self.daily_limit if "daily_limit" in self.model_fields_set else None

    def version_of(self, location_id: str) -> ApiVersion:
        """Return the API version that a location has."""
        return (self.api_versions or {}).get(location_id, self.api_version)

    @model_validator(mode="after")
    def _check_outage(self) -> Self:
        if self.outage_probe_max_seconds < self.outage_probe_seconds:
            message = "LANES_OUTAGE_PROBE_MAX_SECONDS must not be less than LANES_OUTAGE_PROBE_SECONDS"
            raise ValueError(message)
        if self.notify_url is not None and self.notify_secret is None:
            message = "LANES_NOTIFY_SECRET must be set beside LANES_NOTIFY_URL; it signs what is sent there"
            raise ValueError(message)
        return self

    @classmethod
    def load(cls, environ: Mapping[str, str] | None = None, env_file: Path | None = Path(".env")) -> Self:
        """Return the settings of the environment and of `env_file`, where there is one.

        Raises:
            SettingsError: one line for each setting that is unknown or wrong, naming it and what would be right.
        """
        environ = os.environ if environ is None else environ
        found = _read_env_file(env_file) if env_file is not None and env_file.is_file() else {}
        found |= {name: value for name, value in environ.items() if name.startswith(PREFIX)}
        found = {name: value for name, value in found.items() if name not in _NOT_SETTINGS}
        known = {PREFIX + name.upper(): name for name in cls.model_fields}
        found = _read_secret_files(found, known)
        unknown = [name for name in found if name not in known]
        if unknown:
            raise SettingsError("\n".join(_unknown(name, known) for name in unknown))
        try:
            return cls.model_validate({known[name]: value for name, value in found.items() if value != ""})
        except ValidationError as error:
            lines = [_wrong(dict(problem), found) for problem in error.errors(include_url=False)]
            raise SettingsError("\n".join(lines)) from None


def _read_versions(text: str) -> dict[str, str]:
    """Read pairs with commas or line ends between them."""
    known = " or ".join(ApiVersion)
    versions: dict[str, str] = {}
    for pair in filter(None, re.split(r"[,\s]+", text)):
        location, _, version = pair.partition("=")
        if not _LOCATION.fullmatch(location) or version not in list(ApiVersion):
            message = f"must be like locA=v3,locB=2021-07-28, each version {known}; {pair!r} is not"
            raise ValueError(message)
        if versions.setdefault(location, version) != version:
            message = f"must name a location once; {location} has two versions"
            raise ValueError(message)
    return versions


def _read_secret_files(found: Mapping[str, str], known: Mapping[str, str]) -> dict[str, str]:
    """Return the settings with each `LANES_X_FILE` replaced by `LANES_X` as the file has it."""
    values = dict(found)
    for name, path in found.items():
        setting = name.removesuffix("_FILE")
        if setting == name or setting not in known or not path:
            continue
        if found.get(setting):
            message = f"{name}: {setting} is set too; keep one of the two"
            raise SettingsError(message)
        values[setting] = _read_text(name, Path(path)).strip()
        del values[name]
    return {name: value for name, value in values.items() if value or not name.endswith("_FILE")}


def _read_text(name: str, path: Path) -> str:
    try:
        return path.read_text("utf-8")
    except (OSError, UnicodeDecodeError) as error:
        message = f"{name}: {str(path)!r} cannot be read: {getattr(error, 'strerror', None) or 'it is not UTF-8'}"
        raise SettingsError(message) from None


def _unknown(name: str, known: Mapping[str, str]) -> str:
    close = get_close_matches(name, known, n=1, cutoff=0.6)
    hint = f"did you mean {close[0]}?" if close else f"known are {', '.join(sorted(known))}"
    return f"{name}: no such setting; {hint}"


def _wrong(problem: dict[str, object], found: Mapping[str, str]) -> str:
    location = problem["loc"]
    message = str(problem["msg"]).removeprefix("Value error, ")
    if not isinstance(location, tuple) or not location:
        return message
    name = PREFIX + str(location[0]).upper()
    secret = name.endswith(("TOKEN", "KEY", "URL", "SECRET"))
    return f"{name}: {message}" + ("" if secret else f" (it is {found.get(name, '')!r})")


def _read_env_file(path: Path) -> dict[str, str]:
    found = {}
    for line in _read_text(".env", path).splitlines():
        match = _ENV_LINE.match(line)
        if match and match[1].startswith(PREFIX):
            value = match[2]
            if len(value) > 1 and value[0] == value[-1] and value[0] in "'\"":
                value = value[1:-1]
            found[match[1]] = value
    return found
