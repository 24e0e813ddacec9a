"""Pages without a key: health, metrics and the documentation. They tell nothing of any job."""

import asyncio
from typing import Any

from fastapi import APIRouter, FastAPI, Request
from starlette.responses import HTMLResponse, PlainTextResponse, Response

from lanes.errors import LanesError
from producers.gateway.docs_page import POLICY, render
from producers.gateway.gateway import Gateway, gateway_of
from producers.gateway.metrics import exposition

router = APIRouter(include_in_schema=False)
READY_SECONDS = 3.0


@router.get("/healthz")
async def health() -> Response:
    """Answer as long as the process runs."""
    return PlainTextResponse("ok\n")


@router.get("/readyz")
async def ready(request: Request) -> Response:
    """Return 200 if calls can be answered, else 503 and why not."""
    reason = await _why_not_ready(gateway_of(request.app))
    return PlainTextResponse("ready\n") if reason is None else PlainTextResponse(f"{reason}\n", 503)


async def _why_not_ready(gateway: Gateway) -> str | None:
    try:
        async with asyncio.timeout(READY_SECONDS):
            has_keys = await asyncio.to_thread(gateway.has_keys)
    except (TimeoutError, LanesError):
        return "Redis cannot be reached, or refuses"
    return None if has_keys else "no keys: an operator makes one with `lanes service key NAME`"


@router.get("/metrics")
async def metrics() -> Response:
    """Return the metrics of the gateway."""
    return Response(await asyncio.to_thread(exposition), media_type="text/plain; version=0.0.4; charset=utf-8")


@router.get("/docs")
async def documentation(request: Request) -> Response:
    """Return the documentation of the calls as a page."""
    app: FastAPI = request.app
    document: dict[str, Any] = app.openapi()
    return HTMLResponse(render(document), headers={"Content-Security-Policy": POLICY})
