"""Faults on demand: which requests are answered otherwise than they would be. No input, no output."""

import random
from collections import Counter
from collections.abc import Mapping
from enum import StrEnum
from typing import Annotated, Any, Literal

from pydantic import BaseModel, ConfigDict, Field


class FaultKind(StrEnum):
    """What happens to a request instead of its answer."""

    STATUS = "status"  # an answer with this status, and with these headers and this body beside those of every answer
    SCRIPTED = "scripted"  # this status, these headers and no others, these bytes
    TIMEOUT = "timeout"  # nothing for `delay_seconds`, then the connection is closed
    RESET = "reset"  # the connection is reset (RST)
    HANG_HEADERS = "hang_headers"  # the headers drop by drop over `delay_seconds`, never complete
    SLOW_BODY = "slow_body"  # the headers at once, then the body drop by drop over `delay_seconds`
    HTML_403 = "html_403"  # the page of the edge network, error code 1010
    INVALID_JSON = "invalid_json"  # a body that is cut off
    HUGE_BODY = "huge_body"  # a body of many megabytes
    REDIRECT = "redirect"  # to another place on the same server
    OTHER_CONTACT = "other_contact"  # a success that names another contact, as after a merge of contacts
    OTHER_LOCATION = "other_location"  # a success that names another location: the answer to another upsert
    MAINTENANCE_PAGE = "maintenance_page"  # a page in HTML, with the status 200
    EARLY_HINTS = "early_hints"  # a 103 before the answer
    TRAILING_BYTES = "trailing_bytes"  # the answer, then the bytes of `raw`
    TWO_ANSWERS = "two_answers"  # the answer, then another whole one, with `status` and `body`


STATUS_OF_KIND = {FaultKind.STATUS: 500, FaultKind.HTML_403: 403, FaultKind.REDIRECT: 302, FaultKind.TWO_ANSWERS: 400}
# Nothing that ends is sent.
SILENT = frozenset({FaultKind.TIMEOUT, FaultKind.RESET, FaultKind.HANG_HEADERS})
# The request takes effect and gets its own answer; only what comes before or behind it is wrong.
AROUND_THE_ANSWER = frozenset({FaultKind.EARLY_HINTS, FaultKind.TRAILING_BYTES, FaultKind.TWO_ANSWERS})

Positive = Annotated[int, Field(gt=0)]


class Fault(BaseModel):
    """A fault and the requests that it befalls: those that fit every filter, as long as it lasts.

    `contact_prefix`: of the contact, or, where none is named, of the opportunity's id. `first`: of each record only the
    first so many requests. `times`: so many requests in all. `probability`: of each request. `applied`: the upsert has
    taken effect before the fault, as when only the answer is lost. `status`: by default 500 for the kind `status` and
    200 where only the body is wrong. `body`: JSON, or a text as it is, instead of the API's own form with `message`.
    `raw`: the bytes of a scripted answer, or those behind an answer, in JSON as base64. `sized`: a slow body comes
    with a `Content-Length`, else in chunks. A 429 made so is none that the limits provoked. `endpoint`: upserts, or
    requests for tokens.
    """

    model_config = ConfigDict(frozen=True, extra="forbid", ser_json_bytes="base64", val_json_bytes="base64")

    kind: FaultKind
    status: Annotated[int, Field(ge=200, le=599)] | None = None
    message: str | list[str] = "made by the sandbox"
    body: dict[str, Any] | list[Any] | str | None = None
    raw: bytes = b""
    headers: dict[str, str] = Field(default_factory=dict)
    retry_after: str | int | None = None
    endpoint: Literal["upsert", "token"] = "upsert"
    location: str | None = None
    pipeline: str | None = None
    contact_prefix: str = ""
    first: Positive | None = None
    times: Positive | None = None
    probability: Annotated[float, Field(gt=0, le=1)] = 1
    delay_seconds: Annotated[float, Field(ge=0, allow_inf_nan=False)] = 30
    applied: bool = False
    sized: bool = False

    @property
    def answer_status(self) -> int:
        """The status of the answer, where there is one."""
        return self.status or STATUS_OF_KIND.get(self.kind, 200)

    @property
    def answer_headers(self) -> dict[str, str]:
        """The headers of the answer, beside those that every answer has."""
        return self.headers if self.retry_after is None else {**self.headers, "Retry-After": str(self.retry_after)}

    def matches(self, body: Mapping[str, Any]) -> bool:
        """Whether a request with this body passes the filters."""
        location_fits = self.location is None or body.get("locationId") == self.location
        pipeline_fits = self.pipeline is None or body.get("pipelineId") == self.pipeline
        record = str(body.get("contactId") or body.get("id") or "")
        return location_fits and pipeline_fits and record.startswith(self.contact_prefix)


class Faults:
    """The faults in force, in the order in which they were asked for; the first that fits befalls a request.

    Args:
        seed: the same seed and the same requests in the same order: the same faults.
    """

    def __init__(self, seed: int = 0) -> None:
        self._faults: list[tuple[Fault, Counter[str]]] = []
        self._chance = random.Random(seed)  # noqa: S311 - a test's dice

    def add(self, fault: Fault) -> None:
        """Put a fault in force."""
        self._faults.append((fault, Counter()))

    def clear(self) -> None:
        """Lift all faults."""
        self._faults.clear()

    def match(self, body: Mapping[str, Any], endpoint: str = "upsert") -> Fault | None:
        """Return the fault that befalls a request, and count it."""
        if not self._faults:
            return None
        record = str([body.get(name) for name in ("locationId", "pipelineId", "contactId", "id")])
        for fault, matched in self._faults:
            lasts = fault.times is None or matched.total() < fault.times
            early = fault.first is None or matched[record] < fault.first
            matches = fault.endpoint == endpoint and fault.matches(body)
            if lasts and early and matches and self._chance.random() < fault.probability:
                matched[record] += 1
                return fault
        return None
