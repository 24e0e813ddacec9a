"""Celery's task events for every job, so that Flower shows jobs: the uuid is the job's id.

They are sent in batches. No event carries an opportunity's content.
"""

import sys
import threading
import time
from collections import deque
from collections.abc import Iterable
from typing import Any

from celery import Celery
from celery.events.dispatcher import EventDispatcher

from lanes.queue.results import Reclaimed, Released
from worker.highlevel.outcomes import Outcome
from worker.safety.patches_for_celery import unsent_events

TASK_NAME = "upsert_opportunity"
FLUSH_SECONDS = 0.1


class JobEvents:
    """Sends the events of one process as if each job were a task; none unless `enabled`. Thread-safe."""

    def __init__(self, app: Celery, hostname: str, *, enabled: bool = True) -> None:
        self._app = app
        self._hostname = hostname
        self._enabled = enabled
        self._flushing = threading.Lock()
        self._events: deque[tuple[str, float, dict[str, Any]]] = deque()  # type, time, fields
        self._dispatcher: EventDispatcher | None = None
        self._flushed_at = 0.0

    def _sender(self) -> EventDispatcher:
        if self._dispatcher is None:
            self._dispatcher = EventDispatcher(
                self._app.connection_for_write(),
                hostname=self._hostname,
                app=self._app,
                enabled=self._enabled,
                buffer_group={"task"},
                buffer_limit=sys.maxsize,  # sent by `flush` alone
            )
        return self._dispatcher

    def _add(self, kind: str, job_id: str, **fields: Any) -> None:
        """Keep an event until the next flush. To hand many of them to Celery in a row takes a third of the time."""
        if self._enabled:
            self._events.append((kind, time.time(), {"uuid": job_id, **fields}))

    def started(self, job: Released) -> None:
        """A job was released to a worker."""
        if job.attempt == 1:
            self._received(job.id, job)
        self._add("task-started", job.id, retries=job.attempt - 1)

    def _received(self, job_id: str, job: Released) -> None:
        arguments = f"('{job.location_id}',)"
        self._add("task-received", job_id, name=TASK_NAME, args=arguments, kwargs="{}", retries=0)

    def succeeded(self, job: Released, outcome: Outcome, seconds: float, merged_jobs: Iterable[str] = ()) -> None:
        """A job was delivered, with the jobs that were merged into it."""
        result = f"opportunity={outcome.opportunity_id} new={outcome.new}"
        self._add("task-succeeded", job.id, result=result, runtime=seconds)
        for job_id in merged_jobs:
            self._received(job_id, job)
            self._add("task-succeeded", job_id, result=f"{result} merged into {job.id}", runtime=seconds)

    def retried(self, job: Released, outcome: Outcome) -> None:
        """A job waits for another attempt."""
        self._add("task-retried", job.id, exception=_explain(outcome), traceback="")

    def failed(self, job: Released, outcome: Outcome, merged_jobs: Iterable[str] = ()) -> None:
        """A job became a dead letter, with the jobs that were merged into it."""
        exception = _explain(outcome)
        self._add("task-failed", job.id, exception=exception, traceback="")
        for job_id in merged_jobs:
            self._received(job_id, job)
            self._add("task-failed", job_id, exception=f"{exception}, merged into {job.id}", traceback="")

    def lost(self, job: Reclaimed) -> None:
        """A job was taken back from a worker that does not answer: it is retried, or became a dead letter."""
        kind = "task-failed" if job.buried else "task-retried"
        self._add(kind, job.id, exception="lost: its worker does not answer", traceback="")

    @property
    def waiting(self) -> int:
        """The number of events of this process that are not sent yet."""
        return len(self._events) + (0 if self._dispatcher is None else unsent_events(self._dispatcher))

    def flush(self, *, soon: bool = False) -> None:
        """Send what is buffered. With `soon`, only if nothing was sent for FLUSH_SECONDS, and no other thread sends."""
        if soon and time.monotonic() - self._flushed_at < FLUSH_SECONDS:
            return
        if not self._flushing.acquire(blocking=not soon):
            return
        try:
            self._flushed_at = time.monotonic()
            sender = self._sender()
            while self._events:
                kind, at, fields = self._events.popleft()
                sender.send(kind, timestamp=at, **fields)
            sender.flush()
        finally:
            self._flushing.release()


def _explain(outcome: Outcome) -> str:
    """Return kind and status only: the API's message may repeat an opportunity's content."""
    return f"{outcome.kind}: {outcome.status or 'no answer'}"
