"""The settings, by the process that reads them. Each is an environment variable `LANES_...` or a line of `.env`.

A process ignores the settings that only others read, right or wrong. It refuses a name that no process reads.
"""

from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import Literal, Self

from pydantic import BaseModel, ConfigDict, Field, SecretStr, ValidationError, model_validator

from lanes.errors import SettingsError
from lanes.rate_limits import DEFAULT_BURST, DEFAULT_DAILY
from lanes.settings.environment import variable
from lanes.settings.errors import explain
from lanes.settings.sources import ENV_FILE, read_values
from lanes.settings.types import (
    ApiToken,
    ApiUrl,
    ApiVersions,
    Count,
    DurabilityLevel,
    KeyPrefix,
    NotifyUrl,
    OAuthClientId,
    OAuthSecret,
    RedisUrl,
    Seconds,
    SecretKeys,
    ServiceName,
)
from lanes.storage.keys import DEFAULT_PREFIX
from lanes.urls import API_URL
from lanes.versions import DEFAULT_VERSION, ApiVersion


class _Settings(BaseModel):
    """A set of settings that can be loaded."""

    model_config = ConfigDict(frozen=True, extra="forbid", allow_inf_nan=False, defer_build=True)

    @classmethod
    def load(cls, environ: Mapping[str, str] | None = None, env_file: Path | None = ENV_FILE) -> Self:
        """Load the settings from the environment, else from `env_file`, else the defaults.

        Raises:
            SettingsError: a line for each unknown or wrong setting, with what is allowed.
        """
        known, fields = map(variable, WorkerSettings.model_fields), {variable(name): name for name in cls.model_fields}
        found = read_values(environ, env_file, list(known), fields)
        given = {name: value for name, value in found.values.items() if value != ""}
        lines = found.problems
        try:
            settings = cls.model_validate({fields[name]: value for name, value in given.items()})
        except ValidationError as error:
            lines += [explain(dict(problem), given, found.places) for problem in error.errors(include_url=False)]
        else:
            if not lines:
                return settings
        raise SettingsError("\n".join(lines))

    def conflicts(self) -> Iterator[str]:
        """Yield a line for each two settings that contradict each other."""
        yield from ()

    @model_validator(mode="after")
    def _check_conflicts(self) -> Self:
        if lines := list(self.conflicts()):
            raise ValueError("\n".join(lines))
        return self


class RedisSettings(_Settings):
    """Where the lanes are."""

    redis_url: RedisUrl = Field("redis://127.0.0.1:6379/0", description="URL of the Redis that holds the lanes")
    prefix: KeyPrefix = Field(DEFAULT_PREFIX, description="prefix of every Redis key")


class ProducerSettings(RedisSettings):
    """Enqueueing and reading jobs."""

    service: ServiceName | None = Field(None, description="name of the calling service, stored with its jobs")
    merge: bool = Field(default=False, description="merge an upsert into a pending one of the same opportunity")
    durability: DurabilityLevel = Field(
        "accepted", description="how safe a job is when `enqueue` returns: `accepted`, `fsync` or `replicas:N`"
    )
    enqueue_timeout_seconds: float = Field(
        10, ge=0.1, le=600, description="how long a producer retries while Redis is unavailable"
    )
    idempotency_seconds: Seconds = Field(86_400, description="how long an idempotency key is remembered")
    max_not_before_days: float = Field(
        30, gt=0, le=3650, description="how many days ahead the `not_before` of a job may be"
    )
    retention_seconds: Seconds = Field(86_400, description="how long a delivered or cancelled job can be read")
    api_version: ApiVersion = Field(
        DEFAULT_VERSION, description="API version of every location that `LANES_API_VERSIONS` does not name"
    )
    api_versions: ApiVersions | None = Field(
        None, description="API versions of single locations: `locA=v3,locB=2021-07-28`"
    )

    def version_of(self, location_id: str) -> ApiVersion:
        """Return the API version of a location."""
        return (self.api_versions or {}).get(location_id, self.api_version)


class RateLimitSettings(_Settings):
    """The caps on requests for each location."""

    burst_limit: Count = Field(
        DEFAULT_BURST,
        description="maximum number of requests per rate window; not set, the API's own limit applies (at first 100)",
    )
    burst_window_seconds: Seconds = Field(10, description="length of the rate window")
    daily_limit: Count = Field(
        DEFAULT_DAILY,
        description="maximum number of requests in 24 hours; not set, the API's own quota applies (at first 200,000)",
    )

    @property
    def burst_cap(self) -> int | None:
        """The limit per rate window if it is set, else None: then the API's own limit applies."""
        return self.burst_limit if "burst_limit" in self.model_fields_set else None

    @property
    def daily_cap(self) -> int | None:
        """The limit per day if it is set, else None."""
        return self.daily_limit if "daily_limit" in self.model_fields_set else None


class NotificationSettings(_Settings):
    """Notifications to a webhook."""

    notify_url: NotifyUrl | None = Field(
        None, description="webhook for notifications (https, or http on this machine); not set, there are none"
    )
    notify_secret: SecretStr | None = Field(
        None, min_length=16, description="signs the notifications; required with `LANES_NOTIFY_URL`"
    )
    notify_dead_above: int | None = Field(
        None, ge=0, description="number of dead letters above which a notification is sent"
    )

    def conflicts(self) -> Iterator[str]:
        """Yield a line for each two settings that contradict each other."""
        yield from super().conflicts()
        if self.notify_url is not None and self.notify_secret is None:
            yield "LANES_NOTIFY_URL needs LANES_NOTIFY_SECRET, which signs the notifications"


class CommandSettings(RateLimitSettings, ProducerSettings):
    """The command `lanes`."""

    lease_seconds: Seconds = Field(
        45, description="time after which a job is taken back from a worker that does not answer"
    )
    history_share: float = Field(
        0.5,
        ge=0,
        le=1,
        description="share of Redis' `maxmemory` that delivered and cancelled jobs may take: beyond it the oldest are "
        "forgotten before their time; without a `maxmemory` there is no limit",
    )
    secret_key: SecretKeys | None = Field(
        None, description="encrypts the stored tokens; of several keys (`new,old`) the first encrypts, all decrypt"
    )


class DashboardSettings(CommandSettings):
    """The dashboard."""

    api_token: ApiToken = Field(None, description="token of the locations that have no stored token")
    metrics_lanes: int = Field(
        20, ge=0, le=1000, description="locations with metrics of their own, the longest lanes first; others are summed"
    )
    log_level: Literal["debug", "info", "warning", "error"] = Field("info", description="lowest level that is logged")


class WorkerSettings(NotificationSettings, DashboardSettings):
    """Workers. They read every setting."""

    api_base_url: ApiUrl = Field(API_URL, description="URL of the API")
    oauth_client_id: OAuthClientId = Field(None, description="OAuth app whose tokens are refreshed")
    oauth_client_secret: OAuthSecret = Field(None, description="client secret of the OAuth app")
    http_timeout_seconds: Seconds = Field(20, description="time limit of a request, from connecting to the last byte")

    outcome_retention_seconds: Seconds = Field(604_800, description="how long an outcome is kept for its service")
    max_outcomes: Count = Field(100_000, description="outcomes of a service beyond which the oldest are removed")

    max_attempts: Count = Field(12, description="attempts after which a job becomes a dead letter")
    max_age_seconds: Seconds = Field(
        86_400, description="age, since enqueue or replay, after which a failed attempt is the last one"
    )
    backoff_base_seconds: Seconds = Field(1, description="upper bound of the first backoff")
    backoff_max_seconds: Seconds = Field(300, description="upper bound of every backoff")
    repeat_unnamed: bool = Field(
        default=False,
        description="retry a v3 upsert without `id` that the API may have accepted: it may create a second opportunity",
    )
    shift_threads: int = Field(
        256, ge=1, le=4096, description="maximum number of concurrent requests of each worker process (prefork pool)"
    )
    shift_seconds: Seconds = Field(5, description="length of a shift, the Celery task that sends due jobs")

    outage_failures: int = Field(
        20, ge=3, le=10_000, description="API failures in a row that start an outage, or limit a single lane to probes"
    )
    outage_locations: int = Field(3, ge=2, le=1000, description="minimum number of failing locations in an outage")
    outage_probe_seconds: float = Field(1, ge=0.05, le=60, description="first interval between probes")
    outage_probe_max_seconds: float = Field(60, ge=0.05, le=3600, description="longest interval between probes")
    refusal_brake: int = Field(
        20, ge=0, le=10_000, description="refusals in a row that put a lane on the brake; 0 turns the brake off"
    )

    allow_unsafe_redis: bool = Field(default=False, description="start even if this Redis can lose jobs or evict keys")
    watchdog_seconds: float = Field(
        60, ge=1, le=3600, description="time without work after which a worker restarts its consumer, then exits"
    )
    metrics_port: int = Field(0, ge=0, le=65_535, description="port of a worker's metrics; 0 turns them off")
    metrics_address: str = Field("127.0.0.1", min_length=1, description="address of a worker's metrics")

    def conflicts(self) -> Iterator[str]:
        """Yield a line for each two settings that contradict each other."""
        yield from super().conflicts()
        if self.lease_seconds <= self.http_timeout_seconds:
            yield (
                f"LANES_LEASE_SECONDS ({self.lease_seconds:g}) must be longer than LANES_HTTP_TIMEOUT_SECONDS "
                f"({self.http_timeout_seconds:g}): a job must not be taken back while its request may still run"
            )
        if self.retention_seconds < self.lease_seconds:
            yield (
                f"LANES_RETENTION_SECONDS ({self.retention_seconds:g}) must not be shorter than LANES_LEASE_SECONDS "
                f"({self.lease_seconds:g}): a late report must find its job, even if another attempt delivered it"
            )
        if self.outage_probe_max_seconds < self.outage_probe_seconds:
            yield "LANES_OUTAGE_PROBE_MAX_SECONDS must not be less than LANES_OUTAGE_PROBE_SECONDS"
