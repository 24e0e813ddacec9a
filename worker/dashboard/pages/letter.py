"""One dead letter: why it died, every attempt with its answer, and what a replay of it would come to."""

from dataclasses import dataclass

from tornado.web import HTTPError, url

from lanes import letters
from lanes.job import Job
from lanes.letter import Moved
from lanes.letter_moves import why_not
from lanes.letter_summary import summarize
from lanes.printable import printable
from worker.dashboard.letter_views import moment
from worker.dashboard.page import Page
from worker.dashboard.reveal import masked_fields


@dataclass(frozen=True, slots=True)
class Prospect:
    """What a replay would come to; `newer` is the job that it would overwrite, as far as that is known still."""

    moved: Moved
    newer: Job | None

    @property
    def allowed(self) -> bool:
        """Whether it would be sent."""
        return self.moved.answer == "replayed"

    @property
    def told(self) -> str:
        """It in a line."""
        if self.allowed:
            again = " The API may have it already: no answer confirmed it." if self.moved.unconfirmed else ""
            return f"It would be sent again, and overwrite nothing that is newer.{again}"
        if self.newer is None:
            return f"Refused: {printable(why_not(self.moved))}."
        when = f" since {moment(self.newer.ended_at)} UTC" if self.newer.ended_at else ""
        return (
            f"Refused: a newer job of the same opportunity, {printable(self.newer.id)}, is "
            f"{self.newer.state.value.replace('_', ' ')}{when}; a replay would overwrite what that wrote."
        )


class Letter(Page):
    """The page."""

    speaks_json = False  # whatever its id is

    async def get(self, job_id: str) -> None:
        """Show it; a job that is no dead letter has a page of its own."""
        job = await self.in_thread(self.store.job, job_id)
        if job is None:
            raise HTTPError(404, f"no job {printable(job_id)}: mistyped, or done so long ago that it was pruned")
        if not job.is_letter:
            if story := self.page_url("job", job_id):
                self.redirect(story)
                return
            raise HTTPError(404, f"{printable(job_id)} is no dead letter: it is {job.state.value.replace('_', ' ')}")
        self.show(
            "letter.html",
            active="letters",
            job=job,
            job_id=job.id,
            summary=summarize(job),
            fields=masked_fields(job),
            prospect=await self.in_thread(self._prospect, job),
            moment=moment,
            printable=printable,
        )

    def _prospect(self, job: Job) -> Prospect:
        moved = letters.replay(self.store, [job.id], rehearsal=True)[0]
        return Prospect(moved, self.store.job(moved.newer) if moved.newer else None)


handlers: list[url] = [url(r"/letter/([^/]+)", Letter, name="letter")]
