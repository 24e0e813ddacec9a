"""The page of one dead letter: why it failed, its attempts, and a preview of its replay."""

from dataclasses import dataclass

from tornado.web import HTTPError, url

from lanes.dead_letters import operations
from lanes.dead_letters.bulk import why_not
from lanes.printable import printable
from lanes.queue.dead_letter import ActionResult
from lanes.queue.dead_letter_summary import summarize
from lanes.queue.job import Job
from lanes.times import format_time
from worker.dashboard.jobs.reveal import find, masked_fields
from worker.dashboard.page import Page


@dataclass(frozen=True, slots=True)
class ReplayPreview:
    """The result of a dry run; `superseded_by` is the newer job that it would overwrite, if still known."""

    moved: ActionResult
    superseded_by: Job | None

    @property
    def allowed(self) -> bool:
        """Whether it would be replayed."""
        return self.moved.answer == "replayed"

    @property
    def summary(self) -> str:
        """The result in one line."""
        if self.allowed:
            again = " The API may have it already: no answer confirmed it." if self.moved.unconfirmed else ""
            return f"It would be sent again, and overwrite nothing that is newer.{again}"
        if self.superseded_by is None:
            return f"Refused: {printable(why_not(self.moved))}."
        when = f" since {format_time(self.superseded_by.ended_at)}" if self.superseded_by.ended_at else ""
        return (
            f"Refused: a newer job of the same opportunity, {printable(self.superseded_by.id)}, is "
            f"{self.superseded_by.state.value.replace('_', ' ')}{when}; a replay would overwrite what that wrote."
        )


class DeadLetterPage(Page):
    """The page."""

    answers_json = False  # even if the id ends in /data

    async def get(self, job_id: str) -> None:
        """Show it; redirect to the job's page if it is no longer a dead letter."""
        job = await self.run_in_thread(find, self.store, job_id)
        if not job.is_dead_letter:
            if history_url := self.page_url("job", job_id):
                self.redirect(history_url)
                return
            raise HTTPError(404, f"{printable(job_id)} is not a dead letter: it is {job.state.value.replace('_', ' ')}")
        self.show(
            "dead_letter.html",
            active="dead_letters",
            job=job,
            job_id=job.id,
            summary=summarize(job),
            fields=masked_fields(job),
            replay_preview=await self.run_in_thread(self._replay_preview, job),
            printable=printable,
        )

    def _replay_preview(self, job: Job) -> ReplayPreview:
        moved = operations.replay(self.store, [job.id], dry_run=True)[0]
        return ReplayPreview(moved, self.store.job(moved.superseded_by) if moved.superseded_by else None)


handlers: list[url] = [url(r"/dead-letter/([^/]+)", DeadLetterPage, name="dead_letter")]
