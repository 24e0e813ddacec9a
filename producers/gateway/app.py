"""The app of the gateway: its calls, and what is around them."""

import contextlib
from collections.abc import AsyncIterator
from importlib.metadata import version
from typing import Any

from fastapi import FastAPI
from fastapi.openapi.utils import get_openapi
from fastapi.telemetry import TelemetryConfig
from starlette.types import ASGIApp

from lanes.settings import ProducerSettings
from producers.gateway import batches, jobs, outcomes, pages, problems, schemas, upserts
from producers.gateway.gateway import Gateway
from producers.gateway.metrics import Measured
from producers.gateway.parent import end_with_parent

_DESCRIPTION = (
    "A queue in front of HighLevel's Upsert Opportunity endpoint. A row that was answered with 202 is delivered "
    "or becomes a dead letter. Every call under `/v1` needs the header `Authorization: Bearer KEY` with a key of your "
    "service, and sees the jobs of that service only. Repeat a request that got no answer, or 503: with the same "
    "idempotency key or job id it makes no second job."
)
# As routes of the app, not as included routers: those would be searched twice for each request.
_ROUTES = [route for each in (upserts, batches, jobs, outcomes, pages) for route in each.router.routes]
# The gateway has its own metrics. FastAPI would ask OpenTelemetry for each request.
_NO_TELEMETRY: TelemetryConfig = {"tracing": False, "metrics": False, "logs": False}


def make_api(settings: ProducerSettings | None = None) -> FastAPI:
    """Return the calls as a FastAPI app. It connects to Redis on the first request."""

    @contextlib.asynccontextmanager
    async def lifespan(app: FastAPI) -> AsyncIterator[None]:
        end_with_parent()
        app.state.gateway = Gateway(settings or ProducerSettings.load())
        yield
        await app.state.gateway.close()

    app = FastAPI(
        title="HighLevel lanes: gateway",
        version=version("highlevel-lanes"),
        description=_DESCRIPTION,
        docs_url=None,  # FastAPI's own pages load scripts from another host
        redoc_url=None,
        redirect_slashes=False,  # behind a proxy, it would send clients and their keys to plain HTTP
        lifespan=lifespan,
        routes=_ROUTES,
        telemetry=_NO_TELEMETRY,
    )
    problems.install(app)
    _describe(app)
    return app


def make_app(settings: ProducerSettings) -> ASGIApp:
    """Return the app of one process of the gateway."""
    return Measured(make_api(settings))


def _describe(app: FastAPI) -> None:
    """Make the OpenAPI document of the app complete."""

    def openapi() -> dict[str, Any]:
        if app.openapi_schema is None:
            document = get_openapi(title=app.title, version=app.version, description=app.description, routes=app.routes)
            document["components"]["schemas"] = schemas.components()
            app.openapi_schema = document
        return app.openapi_schema

    app.openapi = openapi  # type: ignore[method-assign]  # as FastAPI's documentation says
