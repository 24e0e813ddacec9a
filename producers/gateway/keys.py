"""Whose request it is: the service of its key."""

from collections.abc import Callable, Coroutine
from typing import Any

from fastapi import APIRouter, Request, Security
from fastapi.routing import APIRoute
from fastapi.security import HTTPBearer
from fastapi.security.utils import get_authorization_scheme_param
from starlette.responses import Response

from producers.gateway.gateway import gateway_of
from producers.gateway.problems import unauthenticated

_CALLER = "lanes.caller"


class KeyCheck(HTTPBearer):
    """The dependency of every call: it ends a request without a valid key, before its body is read.

    The key itself is compared nowhere: Redis finds the service by the key's SHA-256.
    """

    def __init__(self) -> None:
        super().__init__(scheme_name="key", description="A key of your service: `lanes service key NAME`.")

    async def __call__(self, request: Request) -> None:  # type: ignore[override]
        """See `check_key`."""
        await check_key(request)


async def check_key(request: Request) -> None:
    """Find the service of a request's key. A call that runs for long does so again: the key may have ended.

    Raises:
        ProblemError: the request has no key, or an unknown one.
    """
    scheme, key = get_authorization_scheme_param(request.headers.get("authorization"))
    if scheme.lower() != "bearer" or not key:
        raise unauthenticated("send the header `Authorization: Bearer KEY` with a key of your service")
    service = await gateway_of(request.app).find_service(key)
    request.scope["lanes.connection"].authenticated = service is not None
    if service is None:
        raise unauthenticated("no service has this key: it is mistyped, or was replaced or removed")
    request.scope[_CALLER] = service.name


class RequestCall(APIRoute):
    """A call that takes the request itself. For a single row, FastAPI's search for parameters costs too much CPU."""

    def get_route_handler(self) -> Callable[[Request], Coroutine[Any, Any, Response]]:
        """Return what answers a request."""

        async def answer(request: Request) -> Response:
            await check_key(request)
            response: Response = await self.endpoint(request)
            return response

        return answer


def router_of_calls(route_class: type[APIRoute] = APIRoute) -> APIRouter:
    """Return a router for calls: each of them needs a key."""
    return APIRouter(prefix="/v1", dependencies=[Security(KeyCheck())], route_class=route_class)


def caller_of(request: Request) -> str:
    """Return the name of the service whose key the request has.

    Raises:
        KeyError: the call has no `KeyCheck`.
    """
    name: str = request.scope[_CALLER]
    return name
