"""How the sandbox behaves. What the API's documents leave open is a setting."""

from typing import Annotated, Literal

from pydantic import BaseModel, ConfigDict, Field

Seconds = Annotated[float, Field(ge=0, allow_inf_nan=False)]

DEFAULT_TOKEN = "sandbox-token"  # noqa: S105 - opens the sandbox and nothing else


class SandboxSettings(BaseModel):
    """Times in seconds.

    `tokens` names each token's locations, None for all; those in `tokens_without_scope` lack `opportunities.write`.
    `window` tells how the burst window goes, which the API's documents leave open, as they do `retry_after`: whether a
    429 says when to come back. `latency` is the least and the most that an answer takes.
    """

    model_config = ConfigDict(frozen=True, extra="forbid")

    host: str = "127.0.0.1"
    port: Annotated[int, Field(ge=0, le=65535)] = 0
    tokens: dict[str, frozenset[str] | None] = {DEFAULT_TOKEN: None}
    tokens_without_scope: frozenset[str] = frozenset()
    burst_limit: Annotated[int, Field(gt=0)] = 100
    burst_window: Annotated[float, Field(gt=0)] = 10
    daily_limit: Annotated[int, Field(gt=0)] = 200_000
    daily_window: Annotated[float, Field(gt=0)] = 86_400
    window: Literal["sliding", "fixed"] = "sliding"
    retry_after: bool = False
    latency: tuple[Seconds, Seconds] = (0, 0)
    known_pipelines: frozenset[str] | None = None
