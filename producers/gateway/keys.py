"""Whose request it is: the service of its key."""

from typing import Annotated

from fastapi import Request, Security
from fastapi.security import HTTPAuthorizationCredentials, HTTPBearer

from producers.gateway.gateway import gateway_of
from producers.gateway.problems import unauthenticated

bearer = HTTPBearer(auto_error=False, scheme_name="key", description="A key of your service: `lanes service key NAME`.")


async def find_caller(
    request: Request, credentials: Annotated[HTTPAuthorizationCredentials | None, Security(bearer)]
) -> str:
    """Return the name of the service whose key the request has.

    The key itself is compared nowhere: Redis finds the service by the key's SHA-256.

    Raises:
        ProblemError: it has no key, or an unknown one.
    """
    if credentials is None:
        raise unauthenticated("send the header `Authorization: Bearer KEY` with a key of your service")
    service = await gateway_of(request.app).find_service(credentials.credentials)
    if service is None:
        raise unauthenticated("no service has this key: it is mistyped, or was replaced or removed")
    request.scope["lanes.connection"].authenticated = True
    return service.name


Caller = Annotated[str, Security(find_caller)]
