"""A job: its whole story, what it waits for, what is in it (masked until asked for), and taking it back."""

from typing import Any

from tornado.web import HTTPError, url

from lanes import trail
from lanes.job import Job, State
from worker.dashboard import timeline
from worker.dashboard.page import Change, Page
from worker.dashboard.reveal import Reveal, find, id_in, masked
from worker.dashboard.timeline import Event, Life

# Entries of the trail that are looked through for what people did to a job, and merged jobs that are named.
TRAIL_ENTRIES = 300
MOST_CARRIED = 50

REFUSALS = {
    "unknown": "there is no such job any more",
    "dead": "it is a dead letter by now: give it up there",
    "expired": "it is a dead letter by now: give it up there",
    "carries": "other jobs were merged into it, and are not yours to take back",
    "merged": "it was merged into another job, which delivers it too",
}


class JobPage(Page):
    """The page of a job: its id is in the path, or in the query where somebody searched for it."""

    speaks_json = False  # whatever its id is

    async def get(self, job_id: str | None = None) -> None:
        """Show it; what it shows comes as data."""
        job_id = self.text("id") if job_id is None else job_id
        await self.in_thread(find, self.store, job_id)
        self.show("job.html", active="lanes", job_id=job_id)


class JobData(Page):
    """What is known of a job."""

    async def get(self) -> None:
        """Answer all but what is in it."""
        job_id = self.text("id")
        task = self.dashboard.task_url(job_id)
        self.answer({**await self.in_thread(self._look, job_id), "task": task})

    def _look(self, job_id: str) -> dict[str, Any]:
        store = self.store
        job, where = find(store, job_id), store.whereabouts(job_id)
        carried = store.carried(job_id, MOST_CARRIED)
        people = tuple(entry for entry in trail.read(store, TRAIL_ENTRIES) if entry.on == job_id)
        life = Life(job, carried.total, where is not None and where.replayed, people)
        return {
            "at": store.time(),
            "job": _facts(job) | ({"expires_at": where.expires_at} if where and where.expires_at else {}),
            "story": [_event(event) for event in timeline.story(life)],
            "waits": [wait.as_json() for wait in where.waits()] if where else [],
            "fields": masked(job.body),
            "fields_before": masked(job.original),
            "carried": {"total": carried.total, "some": carried.some},
            "may_cancel": job.state is State.PENDING and job.merged_into is None and not carried.total,
            "lane": self.page_url("lane", job.location_id),
            "letter": self.page_url("letter", job_id) if job.is_letter and job.merged_into is None else None,
        }


def _facts(job: Job) -> dict[str, Any]:
    """Return what is said of a job beside its content; its record names a contact, and is content, too."""
    values = job.as_json()
    return {name: values[name] for name in values if name not in ("body", "original", "record", "attempts")}


def _event(event: Event) -> dict[str, Any]:
    return {name: getattr(event, name) for name in ("at", "words", "tone", "seconds", "facts", "job_id", "dated")}


class Cancel(Change):
    """Takes a job back that is not on its way yet."""

    async def post(self) -> None:
        """Cancel it."""
        job_id = id_in(self.given)
        job = await self.in_thread(find, self.store, job_id)
        await self.note("cancel", job_id)
        answer = await self.in_thread(self._cancel, job)
        if answer != State.CANCELLED:
            raise HTTPError(409, REFUSALS.get(answer, f"it is {answer.replace('_', ' ')}"))
        self.answer({"told": "The job is cancelled."})

    def _cancel(self, job: Job) -> str:
        answer = self.store.cancel(job.id, self.settings_of_lanes.retention_seconds)
        self.watcher.renew(job.location_id)
        return answer


# After those of all other pages: an id may hold anything, and `/job/ID/...` may be theirs.
handlers: list[url] = [
    url(r"/jobs/data", JobData, name="job_data"),
    url(r"/jobs/reveal", Reveal, name="job_reveal"),
    url(r"/jobs/cancel", Cancel, name="job_cancel"),
    url(r"/job", JobPage, name="job_by_id"),
    url(r"/job/(.+)", JobPage, name="job"),
]
