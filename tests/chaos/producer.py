"""`python -m tests.chaos.producer JOURNAL SEED NAME RATE`: a service that enqueues, and insists, until SIGTERM.

Does as a service should: each row with an idempotency key of its own, again and again until it is acknowledged, and no
newer row of a record before that. Killed and started again on its journal, it goes on where it was.
"""

import random
import signal
import sys
import threading
import time
from collections.abc import Iterator
from datetime import UTC, datetime
from pathlib import Path

from lanes.errors import RedisUnavailableError
from lanes.settings import ProducerSettings
from producers import OpportunityProducer
from producers.errors import UnknownJobError
from tests.chaos.journal import Journal, lines
from tests.chaos.traffic import RecordKind, Row, Traffic

PAUSE_SECONDS = (0.05, 0.25)


class Service:
    """Enqueues at `rate` rows a second, as long as it can; after a delay it catches up, but not without end."""

    def __init__(self, journal: Journal, producer: OpportunityProducer, rate: float) -> None:
        self.stopped = threading.Event()
        self._journal = journal
        self._producer = producer
        self._rate = rate
        self._chance = random.Random()

    def work(self, steps: Iterator[list[Row]], done: set[str]) -> None:
        """Enqueue what is not done yet."""
        due_at = time.monotonic()
        for rows in steps:
            left = [row for row in rows if row.uid not in done]
            if not left:
                continue
            if self.stopped.wait(max(0.0, due_at - time.monotonic())):
                return
            due_at = max(due_at + len(left) / self._rate, time.monotonic() - 1)
            while not self._enqueue(left):
                time.sleep(self._chance.uniform(*PAUSE_SECONDS))

    def _enqueue(self, rows: list[Row]) -> bool:
        """Enqueue rows together; return whether all were acknowledged."""
        asked_at, now = time.monotonic(), datetime.now(UTC)
        try:
            if len(rows) == 1:
                ids = [self._producer.enqueue(rows[0].body, **rows[0].options(now)).job_id]
            else:
                values = [{**row.body, "_options": row.options(now)} for row in rows]
                report = self._producer.enqueue_many(values)
                if report.refused:
                    message = str(report.refused[0])
                    raise RuntimeError(message)
                ids = report.job_ids
        except RedisUnavailableError as error:
            self._journal.refused(error, asked_at)
            return False
        for row, job_id in zip(rows, ids, strict=True):
            self._journal.acknowledged(row, job_id, asked_at)
            if row.kind is RecordKind.CANCELLED:
                self._cancel(row, job_id, asked_at)
        return True

    def _cancel(self, row: Row, job_id: str, asked_at: float) -> None:
        """Take a job back if it is not too late. An answer that is lost leaves it open whether it was."""
        try:
            if self._producer.cancel(job_id):
                self._journal.cancelled(row)
        except (RedisUnavailableError, UnknownJobError) as error:
            self._journal.refused(error, asked_at)


def main(path: Path, seed: int, name: str, rate: float) -> None:
    """Enqueue until SIGTERM."""
    done = {line["uid"] for line in lines(path) if line["what"] == "ack"}
    settings = ProducerSettings.load(env_file=None)
    with Journal(path) as journal, OpportunityProducer.from_settings(settings) as producer:
        service = Service(journal, producer, rate)
        signal.signal(signal.SIGTERM, lambda *_: service.stopped.set())
        try:
            service.work(Traffic(seed, name).steps(), done)
        except BaseException as error:
            journal.unexpected_error(error)
            raise


if __name__ == "__main__":
    main(Path(sys.argv[1]), int(sys.argv[2]), sys.argv[3], float(sys.argv[4]))
