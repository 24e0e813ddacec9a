"""The jobs that a quota of their service counts, as a check finds them."""

from collections import Counter

from lanes.queue.job import State
from lanes.storage.stored import text_of

COUNTED_FIELDS = ("state", "service", "counted")
# As in `move_counted.lua`.
COUNTERS = {
    State.PENDING.value: "pending",
    State.IN_FLIGHT.value: "pending",
    State.DEAD.value: "dead",
    State.EXPIRED.value: "dead",
}


class CountedJobs:
    """The jobs that a pass over all keys found counted. A scan may find a job twice: it is noted once."""

    def __init__(self) -> None:
        self._found: dict[str, tuple[str, str]] = {}

    def note(self, job_id: str, state: bytes | None, service: bytes | None, counted: bytes | None) -> None:
        """Note a job by its fields."""
        counter = COUNTERS.get(text_of(state or b""))
        if counted is not None and service is not None and counter is not None:
            self._found[job_id] = text_of(service), counter

    def services(self) -> set[str]:
        """Return the services of these jobs."""
        return {service for service, _ in self._found.values()}

    def by_service(self) -> Counter[tuple[str, str]]:
        """Return the number of jobs by service and counter."""
        return Counter(self._found.values())
