"""A job: its whole story, what it waits for, what is in it (masked until asked for), and taking it back."""

from typing import Any

from tornado.web import HTTPError, url

from lanes.activity import audit_log
from lanes.queue.job import Job, State
from worker.dashboard.jobs import history
from worker.dashboard.jobs.history import HistoryEvent, HistorySources
from worker.dashboard.jobs.reveal import Reveal, find, id_in, masked
from worker.dashboard.page import Change, Page

# Entries of the trail that are looked through for what people did to a job, and merged jobs that are named.
AUDIT_LOG_ENTRIES = 300
MAX_MERGED_JOBS = 50

CANCEL_REFUSALS = {
    "unknown": "there is no such job any more",
    "dead": "it is a dead letter by now: give it up there",
    "expired": "it is a dead letter by now: give it up there",
    "has_merged_jobs": "other jobs were merged into it, and are not yours to take back",
    "merged": "it was merged into another job, which delivers it too",
}


class JobPage(Page):
    """The page of a job: its id is in the path, or in the query where somebody searched for it."""

    answers_json = False  # whatever its id is

    async def get(self, job_id: str | None = None) -> None:
        """Show it; what it shows comes as data."""
        job_id = self.argument("id") if job_id is None else job_id
        await self.run_in_thread(find, self.store, job_id)
        self.show("job.html", active="lanes", job_id=job_id)


class JobData(Page):
    """What is known of a job."""

    async def get(self) -> None:
        """Answer all but what is in it."""
        job_id = self.argument("id")
        task = self.dashboard.task_url(job_id)
        self.send_json({**await self.run_in_thread(self._read_data, job_id), "task": task})

    def _read_data(self, job_id: str) -> dict[str, Any]:
        store = self.store
        job, where = find(store, job_id), store.queue_position(job_id)
        carried = store.merged_jobs(job_id, MAX_MERGED_JOBS)
        changes = tuple(entry for entry in audit_log.read(store, AUDIT_LOG_ENTRIES) if entry.on == job_id)
        sources = HistorySources(job, carried.total, where is not None and where.replayed, changes)
        return {
            "at": store.time(),
            "job": _facts(job) | ({"expires_at": where.expires_at} if where and where.expires_at else {}),
            "history": [_event(event) for event in history.history_of(sources)],
            "waits": [wait.as_json() for wait in where.blockers()] if where else [],
            "fields": masked(job.body),
            "fields_before": masked(job.original),
            "merged_jobs": {"total": carried.total, "some": carried.some},
            "may_cancel": job.state is State.PENDING and job.merged_into is None and not carried.total,
            "lane": self.page_url("lane", job.location_id),
            "dead_letter": self.page_url("dead_letter", job_id)
            if job.is_dead_letter and job.merged_into is None
            else None,
        }


def _facts(job: Job) -> dict[str, Any]:
    """Return what is said of a job beside its content; its record names a contact, and is content, too."""
    values = job.as_json()
    return {name: values[name] for name in values if name not in ("body", "original", "record", "attempts")}


def _event(event: HistoryEvent) -> dict[str, Any]:
    return {name: getattr(event, name) for name in ("at", "words", "tone", "seconds", "facts", "job_id", "dated")}


class CancelJob(Change):
    """Takes a job back that is not on its way yet."""

    async def post(self) -> None:
        """Cancel it."""
        job_id = id_in(self.payload)
        job = await self.run_in_thread(find, self.store, job_id)
        await self.log_change("cancel", job_id)
        answer = await self.run_in_thread(self._cancel, job)
        if answer != State.CANCELLED:
            raise HTTPError(409, CANCEL_REFUSALS.get(answer, f"it is {answer.replace('_', ' ')}"))
        self.send_json({"message": "The job is cancelled."})

    def _cancel(self, job: Job) -> str:
        answer = self.store.cancel(job.id, self.lanes_settings.retention_seconds)
        self.lane_cache.refresh(job.location_id)
        return answer


# After those of all other pages: an id may hold anything, and `/job/ID/...` may be theirs.
handlers: list[url] = [
    url(r"/jobs/data", JobData, name="job_data"),
    url(r"/jobs/reveal", Reveal, name="job_reveal"),
    url(r"/jobs/cancel", CancelJob, name="job_cancel"),
    url(r"/job", JobPage, name="job_by_id"),
    url(r"/job/(.+)", JobPage, name="job"),
]
