"""Faults on demand: which requests get a faulty answer. No input, no output."""

import random
from collections import Counter
from collections.abc import Mapping
from enum import StrEnum
from typing import Annotated, Any, Literal

from pydantic import BaseModel, ConfigDict, Field


class FaultKind(StrEnum):
    """What a request gets instead of its answer."""

    STATUS = "status"  # this status, with `headers` and `body`
    SCRIPTED = "scripted"  # this status, only these headers, the bytes of `raw`
    TIMEOUT = "timeout"  # nothing for `delay_seconds`, then the connection is closed
    RESET = "reset"  # a connection reset (RST)
    HANG_HEADERS = "hang_headers"  # slow headers over `delay_seconds`, never complete
    SLOW_BODY = "slow_body"  # the headers at once, then a slow body over `delay_seconds`
    HTML_403 = "html_403"  # the page of the edge network, error code 1010
    INVALID_JSON = "invalid_json"  # a truncated body
    HUGE_BODY = "huge_body"  # a body of many megabytes
    REDIRECT = "redirect"  # a redirect to another path of the same server
    OTHER_CONTACT = "other_contact"  # a success for another contact, as after a merge of contacts
    OTHER_LOCATION = "other_location"  # a success for another location: the answer to another upsert
    MAINTENANCE_PAGE = "maintenance_page"  # an HTML page with status 200
    EARLY_HINTS = "early_hints"  # a 103 before the answer
    TRAILING_BYTES = "trailing_bytes"  # the answer, then the bytes of `raw`
    TWO_ANSWERS = "two_answers"  # the answer, then a second complete one with `status` and `body`


STATUS_OF_KIND = {FaultKind.STATUS: 500, FaultKind.HTML_403: 403, FaultKind.REDIRECT: 302, FaultKind.TWO_ANSWERS: 400}
# The client gets no complete answer.
SILENT = frozenset({FaultKind.TIMEOUT, FaultKind.RESET, FaultKind.HANG_HEADERS})
# The request takes effect and gets its answer; the fault comes before or after the answer.
AROUND_THE_ANSWER = frozenset({FaultKind.EARLY_HINTS, FaultKind.TRAILING_BYTES, FaultKind.TWO_ANSWERS})

Positive = Annotated[int, Field(gt=0)]


class Fault(BaseModel):
    """A fault and the requests that get it: those that match every filter, as long as it lasts.

    `contact_prefix`: prefix of the contact, or else of the opportunity's id. `first`: only the first N requests of each
    record. `times`: N requests in all. `probability`: of each request. `applied`: the upsert takes effect first, as if
    only the answer were lost. `status`: 500 by default for the kind `status`, 200 if only the body is wrong. `body`:
    JSON or text, instead of the API's form with `message`. `raw`: the bytes of a scripted answer, or those after an
    answer; base64 in JSON. `sized`: a slow body has a `Content-Length` instead of chunks. `endpoint`: upserts or token
    requests.
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
        """The status of the answer, if there is one."""
        return self.status or STATUS_OF_KIND.get(self.kind, 200)

    @property
    def answer_headers(self) -> dict[str, str]:
        """The additional headers of the answer."""
        return self.headers if self.retry_after is None else {**self.headers, "Retry-After": str(self.retry_after)}

    def matches(self, body: Mapping[str, Any]) -> bool:
        """Whether a request with this body matches the filters."""
        location_fits = self.location is None or body.get("locationId") == self.location
        pipeline_fits = self.pipeline is None or body.get("pipelineId") == self.pipeline
        record = str(body.get("contactId") or body.get("id") or "")
        return location_fits and pipeline_fits and record.startswith(self.contact_prefix)


class Faults:
    """The active faults, oldest first. A request gets the first that matches. The same seed makes the same choices."""

    def __init__(self, seed: int = 0) -> None:
        self._faults: list[tuple[Fault, Counter[str]]] = []
        self._random = random.Random(seed)  # noqa: S311 - for tests

    def add(self, fault: Fault) -> None:
        """Activate a fault."""
        self._faults.append((fault, Counter()))

    def clear(self) -> None:
        """Remove all faults."""
        self._faults.clear()

    def match(self, body: Mapping[str, Any], endpoint: str = "upsert") -> Fault | None:
        """Return the fault for a request, and count it."""
        if not self._faults:
            return None
        record = str([body.get(name) for name in ("locationId", "pipelineId", "contactId", "id")])
        for fault, matched in self._faults:
            lasts = fault.times is None or matched.total() < fault.times
            early = fault.first is None or matched[record] < fault.first
            matches = fault.endpoint == endpoint and fault.matches(body)
            if lasts and early and matches and self._random.random() < fault.probability:
                matched[record] += 1
                return fault
        return None
