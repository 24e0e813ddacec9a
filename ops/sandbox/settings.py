"""The settings of the sandbox. Behaviour that the API's documents leave open is a setting."""

from typing import Annotated, Literal

from pydantic import BaseModel, ConfigDict, Field, field_validator

Seconds = Annotated[float, Field(ge=0, allow_inf_nan=False)]
Window = Annotated[float, Field(gt=0, allow_inf_nan=False)]
Count = Annotated[int, Field(gt=0)]

DEFAULT_TOKEN = "sandbox-token"  # noqa: S105 - opens the sandbox and nothing else


class SandboxSettings(BaseModel):
    """Times in seconds. The fields with a description are options of the command as well."""

    model_config = ConfigDict(frozen=True, extra="forbid")

    host: str = Field("127.0.0.1", description="Address to listen on.")
    port: int = Field(0, ge=0, le=65535, description="Port; 0 is any free one.")
    # The locations of each token, None for all.
    tokens: dict[str, frozenset[str] | None] = {DEFAULT_TOKEN: None}
    # Tokens that lack `opportunities.write`.
    tokens_without_scope: frozenset[str] = frozenset()
    burst_limit: Count = Field(100, description="Requests of a location in one rate window.")
    burst_limits: dict[str, Count] = Field({}, description="Burst limit of one location. Can be repeated.")
    burst_window_seconds: Window = Field(10, description="Length of the rate window in seconds.")
    daily_limit: Count = Field(200_000, description="Requests of a location in 24 hours.")
    daily_window_seconds: Window = 86_400
    window: Literal["sliding", "fixed"] = Field("sliding", description="Kind of rate window.")
    retry_after: bool = Field(default=False, description="Send Retry-After with each 429.")
    latency_seconds: tuple[Seconds, Seconds] = Field((0, 0), description="Seconds until the response, or their range.")
    known_pipelines: frozenset[str] | None = Field(
        None, description="Refuse other pipelines with 400. Can be repeated."
    )
    control: bool = Field(default=True, description="Serve the control API at /_sandbox/.")
    token_seconds: Window = Field(86_399, description="Lifetime of an OAuth access token in seconds.")
    grace_seconds: Seconds = Field(30, description="Seconds in which a used refresh token returns the same pair again.")
    # Id and secret of the only OAuth app, None for any.
    oauth_client: tuple[str, str] | None = None

    @field_validator("latency_seconds")
    @classmethod
    def _check_latency(cls, value: tuple[float, float]) -> tuple[float, float]:
        if value[0] > value[1]:
            raise ValueError(f"the minimum ({value[0]:g}) must not be above the maximum ({value[1]:g})")
        return value
