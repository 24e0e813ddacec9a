"""The page of a job: its history, what it waits for, its masked content; cancel."""

from typing import Any

from tornado.web import HTTPError, url

from lanes.activity import audit_log
from lanes.queue.job import Job, State
from lanes.queue.rejected_task import RejectedTask
from worker.dashboard.jobs import history
from worker.dashboard.jobs.history import HistoryEvent, HistorySources
from worker.dashboard.jobs.reveal import Reveal, find, masked
from worker.dashboard.page import Change, Page

# The newest audit-log entries that are searched for a job, and the merged jobs that are listed.
AUDIT_LOG_ENTRIES = 300
MAX_MERGED_JOBS = 50

CANCEL_REFUSALS = {
    "unknown": "the job no longer exists",
    "dead": "it is a dead letter now: purge it on its page",
    "expired": "it is a dead letter now: purge it on its page",
    "has_merged_jobs": "other jobs were merged into it",
    "merged": "it was merged into another job, which delivers it too",
}


class JobPage(Page):
    """The page of a job, or of the rows that an enqueue task refused; its id is in the path or the query."""

    answers_json = False  # even if the id ends in /data

    async def get(self, job_id: str | None = None) -> None:
        """Show the page; its content comes as data."""
        job_id = self.argument("id") if job_id is None else job_id
        rejected = await self.run_in_thread(self._read_rejected, job_id)
        if rejected is None:
            self.show("job.html", active="lanes", job_id=job_id)
        else:
            self.show("rejected_task.html", active="lanes", task=rejected)

    def _read_rejected(self, job_id: str) -> RejectedTask | None:
        """Return what an enqueue task refused; None for a job."""
        try:
            find(self.store, job_id)
        except HTTPError:
            if not job_id or (rejected := self.store.rejected_task(job_id)) is None:
                raise
            return rejected
        return None


class JobData(Page):
    """The data of a job."""

    async def get(self) -> None:
        """Send everything except its content."""
        job_id = self.argument("id")
        task = self.dashboard.task_url(job_id)
        self.send_json({**await self.run_in_thread(self._read_data, job_id), "task": task})

    def _read_data(self, job_id: str) -> dict[str, Any]:
        store = self.store
        job, where = find(store, job_id), store.queue_position(job_id)
        is_dead_letter = job.is_dead_letter and job.merged_into is None
        merged = store.merged_jobs(job_id, MAX_MERGED_JOBS)
        changes = tuple(entry for entry in audit_log.read(store, AUDIT_LOG_ENTRIES) if entry.on == job_id)
        sources = HistorySources(job, merged.total, where is not None and where.replayed, changes)
        return {
            "at": store.time(),
            "job": _facts(job) | ({"expires_at": where.expires_at} if where and where.expires_at else {}),
            "history": [_event(event) for event in history.history_of(sources)],
            "waits": [wait.as_json() for wait in where.blockers()] if where else [],
            "fields": masked(job.body),
            "fields_before": masked(job.original),
            "merged_jobs": {"total": merged.total, "some": merged.some},
            "may_cancel": job.state is State.PENDING and job.merged_into is None and not merged.total,
            "lane": self.page_url("lane", job.location_id),
            "dead_letter": self.page_url("dead_letter", job_id) if is_dead_letter else None,
        }


def _facts(job: Job) -> dict[str, Any]:
    """Return the fields of a job except its content. Its record counts as content: it names a contact."""
    values = job.as_json()
    return {name: values[name] for name in values if name not in ("body", "original", "record", "attempts")}


def _event(event: HistoryEvent) -> dict[str, Any]:
    return {name: getattr(event, name) for name in ("at", "words", "tone", "seconds", "facts", "job_id", "dated")}


class CancelJob(Change):
    """Cancels a pending job."""

    async def post(self) -> None:
        """Cancel it."""
        job_id = self.text("id")
        job = await self.run_in_thread(find, self.store, job_id)
        await self.log_change("cancel", job_id)
        answer = await self.change_lanes(
            [job.location_id], self.store.cancel, job_id, self.lanes_settings.retention_seconds
        )
        if answer != State.CANCELLED:
            raise HTTPError(409, CANCEL_REFUSALS.get(answer, f"it is {answer.replace('_', ' ')}"))
        self.send_json({"message": "The job is cancelled."})


# The last of all handlers: an id may contain anything.
handlers: list[url] = [
    url(r"/jobs/data", JobData, name="job_data"),
    url(r"/jobs/reveal", Reveal, name="job_reveal"),
    url(r"/jobs/cancel", CancelJob, name="job_cancel"),
    url(r"/job", JobPage, name="job_by_id"),
    url(r"/job/(.+)", JobPage, name="job"),
]
