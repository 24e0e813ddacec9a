"""How a job ends in a test."""

from dataclasses import dataclass
from typing import Any, ClassVar

from lanes.queue.job import Reason, State


@dataclass(frozen=True, slots=True)
class Delivered:
    """The API accepts it, as a new or known opportunity; its id is made from the job's id by default."""

    opportunity_id: str | None = None
    new: bool = True

    state: ClassVar = State.DELIVERED
    outcome: ClassVar = State.DELIVERED.value

    def detail(self, job_id: str) -> dict[str, Any]:
        """Return the details of the attempt."""
        opportunity_id = self.opportunity_id or f"opportunity-{job_id[:8]}"
        return {"status": 201 if self.new else 200, "opportunity_id": opportunity_id, "new": self.new}


@dataclass(frozen=True, slots=True)
class Dead:
    """It becomes a dead letter, with the API's message, status and code, if any.

    By default the API refuses it. With `Reason.UNCONFIRMED` no answer confirmed it: the API may have it.
    """

    message: str
    status: int = 400
    code: str | None = None
    reason: Reason = Reason.REFUSED

    state: ClassVar = State.DEAD

    @property
    def outcome(self) -> str:
        """The outcome of the attempt."""
        return self.reason.value

    def detail(self, _job_id: str) -> dict[str, Any]:
        """Return the details of the attempt."""
        code = {} if self.code is None else {"code": self.code}
        return {"status": self.status, "message": self.message, **code}


Ending = Delivered | Dead
