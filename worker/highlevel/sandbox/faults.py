"""Faults on demand: which requests are answered otherwise than they would be."""

import random
from collections import Counter
from collections.abc import Mapping
from enum import StrEnum
from typing import Annotated, Any

from pydantic import BaseModel, ConfigDict, Field


class FaultKind(StrEnum):
    """What happens to a request instead of its answer."""

    STATUS = "status"  # `status` with a JSON error body
    TIMEOUT = "timeout"  # no answer for `seconds`, then the connection is closed
    RESET = "reset"  # the connection is reset
    SLOW_BODY = "slow_body"  # the headers at once, then the body drop by drop over `seconds`
    HTML = "html"  # `status` with a page of the edge network, 403 and code 1010 when it is 403
    INVALID_JSON = "invalid_json"  # `status` with a body that is cut off
    HUGE_BODY = "huge_body"  # `status` with a body of many megabytes
    REDIRECT = "redirect"  # 302 to another place


class Fault(BaseModel):
    """A fault and the requests that it befalls: those that fit every filter, as long as it lasts.

    `first`: of each record only the first so many requests. `times`: so many requests in all. `probability`: of each
    request. `applied`: the upsert has taken effect before the fault, as when only the answer is lost.
    `headers` go with `status`; a 429 made so is none that the limits provoked.
    """

    model_config = ConfigDict(frozen=True, extra="forbid")

    kind: FaultKind
    status: Annotated[int, Field(ge=200, le=599)] = 500
    message: str | list[str] = "made by the sandbox"
    headers: dict[str, str] = Field(default_factory=dict)
    location: str | None = None
    contact_prefix: str = ""
    first: Annotated[int, Field(gt=0)] | None = None
    times: Annotated[int, Field(gt=0)] | None = None
    probability: Annotated[float, Field(gt=0, le=1)] = 1
    seconds: Annotated[float, Field(ge=0)] = 30
    applied: bool = False

    def fits(self, body: Mapping[str, Any]) -> bool:
        """Whether a request with this body passes the filters."""
        location_fits = self.location is None or body.get("locationId") == self.location
        return location_fits and str(body.get("contactId", "")).startswith(self.contact_prefix)


class Faults:
    """The faults in force, in the order in which they were asked for; the first that fits befalls a request."""

    def __init__(self, seed: int = 0) -> None:
        self._faults: list[tuple[Fault, Counter[object]]] = []
        self._chance = random.Random(seed)  # noqa: S311 - a test's dice

    def add(self, fault: Fault) -> None:
        """Put a fault in force."""
        self._faults.append((fault, Counter()))

    def clear(self) -> None:
        """Lift all faults."""
        self._faults.clear()

    def befalling(self, body: Mapping[str, Any]) -> Fault | None:
        """Return the fault that befalls a request, and count it."""
        record = (body.get("locationId"), body.get("pipelineId"), body.get("contactId"))
        for fault, seen in self._faults:
            if not fault.fits(body):
                continue
            if fault.times is not None and seen.total() >= fault.times:
                continue
            if fault.first is not None and seen[record] >= fault.first:
                continue
            if self._chance.random() >= fault.probability:
                continue
            seen[record] += 1
            return fault
        return None
