"""Sample rows for the demo: one busy location, small ones, rows that the API refuses, rows that fail at first."""

import json
import random
from collections.abc import Iterator
from pathlib import Path

HOT = "loc-hot"
SMALL = tuple(f"loc-small-{number}" for number in range(1, 7))
ROWS_OF_SMALL = 12
PIPELINE = "pipe-sales"
UNKNOWN_PIPELINE = "pipe-deleted"
FAILS_AT_FIRST = "flaky-"


def write_sample(path: Path, rows_of_hot: int) -> None:
    """Write the sample as JSON Lines, the same each time. Two rows are invalid."""
    chance = random.Random(1)  # noqa: S311 - a sample, not a secret
    rows = [json.dumps(row) for row in _hot(rows_of_hot)]
    for row in _small():
        rows.insert(chance.randrange(rows_of_hot // 2, len(rows)), json.dumps(row))
    rows.insert(len(rows) // 3, json.dumps(_row(HOT, "contact-typo", status="opened")))
    rows.insert(len(rows) // 2, json.dumps(_row(HOT, "contact-text", monetaryValue="a lot")))
    path.write_text("\n".join(rows) + "\n", encoding="utf-8")


def _hot(count: int) -> Iterator[dict[str, object]]:
    """Yield more rows than a rate window allows. Every tenth updates the opportunity of an earlier row."""
    for number in range(count):
        contact = f"contact-{number - 5 if number % 10 == 9 else number:04}"
        yield _row(HOT, contact, name=f"Deal {number}", status="open", monetaryValue=100 * number)


def _small() -> Iterator[dict[str, object]]:
    for location in SMALL:
        for number in range(ROWS_OF_SMALL):
            if number == 3:
                yield _row(location, f"contact-{number}", pipelineId=UNKNOWN_PIPELINE)
            elif number in (5, 8):
                yield _row(location, f"{FAILS_AT_FIRST}{number}", name="Retried deal", status="open")
            else:
                yield _row(location, f"contact-{number}", name=f"Deal {number}", status="won", monetaryValue=49.5)


def _row(location: str, contact: str, **fields: object) -> dict[str, object]:
    return {"pipelineId": PIPELINE, "locationId": location, "contactId": contact, **fields}
