"""The upserts that every benchmark enqueues: typical ids and fields, each a record of its own, the same each time."""

import random
import string
from itertools import cycle, islice

LOCATIONS = 20
ID_LENGTHS = (20, 22, 24)
ALPHABET = string.ascii_letters + string.digits


def make_bodies(count: int) -> list[dict[str, object]]:
    """Return bodies as a service hands them over, going round the locations."""
    chance = random.Random(count)
    lengths = cycle(ID_LENGTHS)

    def new_id() -> str:
        return "".join(chance.choices(ALPHABET, k=next(lengths)))

    pipeline, stage, user = new_id(), new_id(), new_id()
    locations = [new_id() for _ in range(LOCATIONS)]
    return [
        {
            "pipelineId": pipeline,
            "locationId": location,
            "contactId": new_id(),
            "name": f"Deal {number} of the spring campaign",
            "status": "open",
            "pipelineStageId": stage,
            "monetaryValue": 1200 + number % 700,
            "assignedTo": user,
        }
        for number, location in enumerate(islice(cycle(locations), count), 1)
    ]
