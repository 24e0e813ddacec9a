"""The upserts that the benchmarks enqueue: typical ids and fields, each a record of its own, the same each time."""

import random
import string
from collections.abc import Iterator
from itertools import cycle, islice

LOCATIONS = 20
ID_LENGTHS = (20, 22, 24)
ALPHABET = string.ascii_letters + string.digits

Body = dict[str, object]


def make_bodies(count: int, locations: int = LOCATIONS) -> list[Body]:
    """Return bodies as a service enqueues them, one location after another."""
    return list(stream_bodies(count, locations))


def stream_bodies(count: int, locations: int) -> Iterator[Body]:
    """Yield them one by one, for counts that one would not hold in memory."""
    chance = random.Random(count)
    lengths = cycle(ID_LENGTHS)

    def new_id() -> str:
        return "".join(chance.choices(ALPHABET, k=next(lengths)))

    pipeline, stage, user = new_id(), new_id(), new_id()
    names = [new_id() for _ in range(locations)]
    for number, location in enumerate(islice(cycle(names), count), 1):
        yield {
            "pipelineId": pipeline,
            "locationId": location,
            "contactId": new_id(),
            "name": f"Deal {number} of the spring campaign",
            "status": "open",
            "pipelineStageId": stage,
            "monetaryValue": 1200 + number % 700,
            "assignedTo": user,
        }


def make_body(location: str, contact: str, value: int = 1200) -> Body:
    """Return one body with names that an account of the sandbox can be read by."""
    return {
        "pipelineId": "pipe-sales",
        "locationId": location,
        "contactId": contact,
        "name": f"Deal of {contact}",
        "status": "open",
        "monetaryValue": value,
    }
