"""How the sandbox behaves. What the API's documents leave open is a setting."""

from typing import Annotated, Literal

from pydantic import BaseModel, ConfigDict, Field, field_validator

Seconds = Annotated[float, Field(ge=0, allow_inf_nan=False)]
Window = Annotated[float, Field(gt=0, allow_inf_nan=False)]
Count = Annotated[int, Field(gt=0)]

DEFAULT_TOKEN = "sandbox-token"  # noqa: S105 - opens the sandbox and nothing else


class SandboxSettings(BaseModel):
    """Times in seconds; port 0 is any free one.

    `tokens` names each token's locations, None for all; those in `tokens_without_scope` lack `opportunities.write`.
    `burst_limits` names locations that have another one than `burst_limit`.
    `window` tells how the burst window goes, which the API's documents leave open, as they do `retry_after`: whether a
    429 says when to come back. `latency_seconds` is the least and the most that an answer takes. `known_pipelines`:
    every other is refused; None knows them all. Without `control` there is nothing at `/_sandbox/`. OAuth access tokens
    live for `token_seconds`; a spent refresh token gives the same pair again for `grace_seconds`; `oauth_client` is the
    id and the secret of the one app that there is, None for any.
    """

    model_config = ConfigDict(frozen=True, extra="forbid")

    host: str = "127.0.0.1"
    port: Annotated[int, Field(ge=0, le=65535)] = 0
    tokens: dict[str, frozenset[str] | None] = {DEFAULT_TOKEN: None}
    tokens_without_scope: frozenset[str] = frozenset()
    burst_limit: Count = 100
    burst_window_seconds: Window = 10
    burst_limits: dict[str, Count] = {}
    daily_limit: Count = 200_000
    daily_window_seconds: Window = 86_400
    window: Literal["sliding", "fixed"] = "sliding"
    retry_after: bool = False
    latency_seconds: tuple[Seconds, Seconds] = (0, 0)
    known_pipelines: frozenset[str] | None = None
    control: bool = True
    token_seconds: Window = 86_399
    grace_seconds: Seconds = 30
    oauth_client: tuple[str, str] | None = None

    @field_validator("latency_seconds")
    @classmethod
    def _check_latency(cls, value: tuple[float, float]) -> tuple[float, float]:
        if value[0] > value[1]:
            message = f"the least ({value[0]:g}) must not be more than the most ({value[1]:g})"
            raise ValueError(message)
        return value
