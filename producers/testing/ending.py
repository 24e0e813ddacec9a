"""How a job ends: what the API is to say to it."""

from dataclasses import dataclass
from typing import Any

from lanes.queue.job import Reason, State


@dataclass(frozen=True, slots=True)
class Delivered:
    """The API takes it: as the opportunity with this id, by default one made of the job's id, new or known."""

    opportunity_id: str | None = None
    new: bool = True

    @property
    def state(self) -> State:
        """The state of the job then."""
        return State.DELIVERED

    @property
    def outcome(self) -> str:
        """The outcome of the attempt."""
        return State.DELIVERED.value

    def detail(self, job_id: str) -> dict[str, Any]:
        """Return what is noted of the attempt."""
        return {
            "status": 201 if self.new else 200,
            "opportunity_id": self.opportunity_id or f"opportunity-{job_id[:8]}",
            "new": self.new,
        }


@dataclass(frozen=True, slots=True)
class Dead:
    """It becomes a dead letter, with these words, this status, and the API's code, if any.

    By default the API refuses it. With the reason `Reason.UNCONFIRMED` no answer confirmed it: the API may have it.
    """

    message: str
    status: int = 400
    code: str | None = None
    reason: Reason = Reason.REFUSED

    @property
    def state(self) -> State:
        """The state of the job then."""
        return State.DEAD

    @property
    def outcome(self) -> str:
        """The outcome of the attempt."""
        return self.reason.value

    def detail(self, job_id: str) -> dict[str, Any]:
        """Return what is noted of the attempt."""
        del job_id
        code = {} if self.code is None else {"code": self.code}
        return {"status": self.status, "message": self.message, **code}


Ending = Delivered | Dead
