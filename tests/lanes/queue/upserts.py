"""The model of an upsert that waits, with all that was merged into it."""

from dataclasses import dataclass, field


@dataclass
class Group:
    """A future request: its job, and each field's value with its time."""

    id: str
    record: str
    time: float
    fields: dict[str, tuple[object, float]]
    merged: list[str] = field(default_factory=list)
    started: bool = False
    lost: bool = False

    @property
    def times(self) -> list[float]:
        """When the services learned what it says."""
        return [self.time, *(time for _, time in self.fields.values())]

    @property
    def age(self) -> tuple[float, int]:
        """Of two groups with other times the one with the newer word is newer, else the one that came later."""
        return max(self.times), int(self.id.removeprefix("job"))

    def is_newer(self, other: "Group") -> bool:
        """Whether something that it says is newer than something that the other says."""
        return self.age > (min(other.times), int(other.id.removeprefix("job")))

    @property
    def body(self) -> dict[str, object]:
        """What is to be sent."""
        return identity(self.record) | {name: value for name, (value, _) in self.fields.items()}


def identity(record: str) -> dict[str, object]:
    return {"pipelineId": "p", "locationId": "loc", "contactId": record}
