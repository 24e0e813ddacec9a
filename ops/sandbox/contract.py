"""The contract of `POST /opportunities/upsert` by version: which requests are refused, and with which message. Pure.

Sources: HighLevel's published OpenAPI specification for the fields and the answers 200, 400, 401 and 422. The texts of
the messages and the answers 403 and 429 were observed.
"""

import json
import sys
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from enum import StrEnum
from typing import Any

from ops.sandbox.issuer import Issuer
from ops.sandbox.settings import SandboxSettings

STATUSES = ("open", "won", "lost", "abandoned", "all")
ACTIONS = ("add", "remove")
# What the edge network was observed to refuse: the start of the User-Agent, in lower case, and the source. All others
# pass, as those of the API's own SDKs do (`python-httpx/`, `axios/`).
REFUSED_AGENTS = {
    "python-urllib/": "several public clients of the API, live on 2026-06-13 and 2026-07-07: 403 and error code 1010",
}
EDGE_PAGE = "<!DOCTYPE html><html><head><title>Access denied</title></head><body>error code: 1010</body></html>"

_LARGEST = sys.float_info.max


class FieldKind(StrEnum):
    """What a field holds."""

    TEXT = "text"
    NUMBER = "number"
    FLAG = "flag"
    TEXTS = "texts"
    STATUS = "status"
    ACTION = "action"


COMMON = {
    "name": FieldKind.TEXT,
    "status": FieldKind.STATUS,
    "pipelineStageId": FieldKind.TEXT,
    "monetaryValue": FieldKind.NUMBER,  # in v3 specified as an object, with a number for its example
    "assignedTo": FieldKind.TEXT,
}


@dataclass(frozen=True, slots=True)
class Contract:
    """The fields of a version's body, with their kinds."""

    required: Mapping[str, FieldKind]
    optional: Mapping[str, FieldKind]

    @property
    def fields(self) -> dict[str, FieldKind]:
        """Every field."""
        return {**self.required, **self.optional}


CONTRACTS = {
    "2021-07-28": Contract(dict.fromkeys(("pipelineId", "locationId", "contactId"), FieldKind.TEXT), COMMON),
    "v3": Contract(
        {
            "pipelineId": FieldKind.TEXT,
            "locationId": FieldKind.TEXT,
            "followers": FieldKind.TEXTS,
            "isRemoveAllFollowers": FieldKind.FLAG,
            "followersActionType": FieldKind.ACTION,
        },
        {
            **COMMON,
            "id": FieldKind.TEXT,
            "forecastExpectedCloseDate": FieldKind.TEXT,
            "forecastProbability": FieldKind.NUMBER,
            "lostReasonId": FieldKind.TEXT,
        },
    ),
}


@dataclass(frozen=True, slots=True)
class ErrorResponse:
    """An answer other than success; `html` replaces the JSON body for answers of the edge network."""

    status: int
    message: str | list[str] = ""
    error: str | None = None
    html: str | None = None

    def body(self, trace_id: str) -> dict[str, Any]:
        """Return the JSON body."""
        error = {} if self.error is None else {"error": self.error}
        return {"statusCode": self.status, "message": self.message, **error, "traceId": trace_id}


EDGE_BLOCK = ErrorResponse(403, html=EDGE_PAGE)
TOO_MANY_REQUESTS = ErrorResponse(429, "Too Many Requests")


def check_edge(headers: Mapping[str, str]) -> ErrorResponse | None:
    """Refuse the User-Agents that the edge network in front of the API was observed to refuse."""
    agent = headers.get("User-Agent", "").lower()
    return EDGE_BLOCK if agent.startswith(tuple(REFUSED_AGENTS)) else None


def has_access(issuer: Issuer, headers: Mapping[str, str], location: str) -> bool:
    """Whether the request has a token of this location. Only then it counts against the location's limits."""
    locations = issuer.locations_of(bearer(headers))
    return locations is None or location in locations


def check_access(
    settings: SandboxSettings, issuer: Issuer, headers: Mapping[str, str], location: str | None
) -> ErrorResponse | None:
    """Refuse an invalid token or `Version`, and a token without access to the location or without the scope.

    `location` is None if the body has none.
    """
    token = bearer(headers)
    if not issuer.knows(token):
        return _unauthorized("Invalid Private Integration token" if token.startswith("pit-") else "Invalid JWT")
    if refusal := check_version(headers):
        return refusal
    if location is not None and not has_access(issuer, headers, location):
        return ErrorResponse(403, "The token does not have access to this location.", "Forbidden")
    if token in settings.tokens_without_scope:
        return _unauthorized("The token is not authorized for this scope.")
    return None


def check_version(headers: Mapping[str, str]) -> ErrorResponse | None:
    """Refuse a missing or unknown `Version`."""
    version = headers.get("Version")
    if version is None:
        return _unauthorized("version header was not found.")
    return None if version in CONTRACTS else _unauthorized("version header is invalid")


def parse_body(headers: Mapping[str, str], raw: bytes) -> dict[str, Any] | ErrorResponse:
    """Return the body, or a 400 if it is not a JSON object."""
    if headers.get("Content-Type", "").partition(";")[0].strip().lower() != "application/json":
        return ErrorResponse(400, "Content-Type must be application/json")
    try:
        body = json.loads(raw, parse_constant=_refuse_constant)
    except (ValueError, RecursionError):
        return ErrorResponse(400, "Unexpected token in JSON")
    return body if isinstance(body, dict) else ErrorResponse(400, "The body must be a JSON object")


def location_of(body: Mapping[str, Any] | ErrorResponse) -> str | None:
    """Return the location of a body, None if it has none."""
    location = None if isinstance(body, ErrorResponse) else body.get("locationId")
    return location if isinstance(location, str) and location else None


def check_body(settings: SandboxSettings, body: Mapping[str, Any], version: str) -> ErrorResponse | None:
    """Refuse a body that violates the contract (422) or names an unknown pipeline (400)."""
    contract = CONTRACTS[version]
    fields = contract.fields
    messages = [f"property {name} should not exist" for name in body if name not in fields]
    for name, kind in contract.required.items():
        if body.get(name) in (None, ""):
            messages.append(f"{name} should not be empty")
        messages += _type_error(name, kind, body.get(name))
    for name, kind in contract.optional.items():
        messages += _type_error(name, kind, body[name]) if name in body else []
    if messages:
        return ErrorResponse(422, messages, "Unprocessable Entity")
    if settings.known_pipelines is not None and body["pipelineId"] not in settings.known_pipelines:
        return ErrorResponse(400, "The pipeline id is invalid.")
    return None


def _is_number(value: object) -> bool:
    # Compared without a conversion: an integer may be larger than any float.
    return isinstance(value, (int, float)) and not isinstance(value, bool) and -_LARGEST <= value <= _LARGEST


def _is_text_list(value: object) -> bool:
    return isinstance(value, list) and all(isinstance(part, str) for part in value)


_RULES: dict[FieldKind, tuple[Callable[[object], bool], str]] = {
    FieldKind.TEXT: (lambda value: isinstance(value, str), "{} must be a string"),
    FieldKind.NUMBER: (_is_number, "{} must be a number conforming to the specified constraints"),
    FieldKind.FLAG: (lambda value: isinstance(value, bool), "{} must be a boolean value"),
    FieldKind.TEXTS: (_is_text_list, "each value in {} must be a string"),
    FieldKind.STATUS: (STATUSES.__contains__, "{} must be one of the following values: " + ", ".join(STATUSES)),
    FieldKind.ACTION: (ACTIONS.__contains__, "{} must be one of the following values: " + ", ".join(ACTIONS)),
}


def _type_error(name: str, kind: FieldKind, value: object) -> list[str]:
    valid, message = _RULES[kind]
    return [] if valid(value) else [message.format(name)]


def bearer(headers: Mapping[str, str]) -> str:
    """Return the token of a request, empty if it has none."""
    scheme, _, token = headers.get("Authorization", "").partition(" ")
    return token if scheme.lower() == "bearer" else ""


def _unauthorized(message: str) -> ErrorResponse:
    return ErrorResponse(401, message, "Unauthorized")


def _refuse_constant(name: str) -> None:
    """Refuse NaN and Infinity, which are not JSON, but which Python's decoder accepts."""
    raise ValueError(name)
