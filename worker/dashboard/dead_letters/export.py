"""The export of dead letters as a file, streamed."""

import functools
from io import BytesIO
from typing import Any

import structlog
from tornado.iostream import StreamClosedError
from tornado.web import HTTPError, RequestHandler, url

from lanes.queue.job import Job
from producers.files.dead_letters import DeadLetterWriter
from producers.files.rows import Format
from worker.dashboard.dead_letters.selection import read_selected, selection_of
from worker.dashboard.dead_letters.views import views_of
from worker.dashboard.page import Change, parse_object

log = structlog.get_logger()

FORMATS: dict[str, Format] = {"jsonl": "jsonl", "csv": "csv"}
TYPES = {"jsonl": "application/x-ndjson", "csv": "text/csv; charset=UTF-8"}


class ExportDeadLetters(Change):
    """Sends dead letters with their bodies, like `lanes dead export`. A form requests it, so it is a download."""

    @functools.cached_property
    def payload(self) -> dict[str, Any]:
        """The values: JSON in a field of the form."""
        return parse_object(RequestHandler.get_body_argument(self, "given", "{}"))

    async def post(self) -> None:
        """Send the file."""
        form = FORMATS.get(str(self.payload.get("format")))
        if form is None:
            raise HTTPError(400, f"format: must be {' or '.join(FORMATS)}")
        views = views_of(self)
        selection, total = await self.run_in_thread(selection_of, self.store, views, self.payload)
        await self.log_change("export", selection.description, f"{total:,}, as {form}")
        self.set_header("Content-Type", TYPES[form])
        self.set_header("Content-Disposition", f'attachment; filename="dead-letters.{form}"')
        out = BytesIO()
        writer = DeadLetterWriter(out, form)
        batches = read_selected(self.store, selection)
        try:
            while (batch := await self.run_in_thread(next, batches, None)) is not None:
                await self.run_in_thread(_write_all, writer, batch)
                self.write(out.getvalue())
                out.seek(0)
                out.truncate()
                await self.flush()
        except StreamClosedError:
            return
        except Exception:
            # The file is half sent: only a broken connection shows the browser that it is incomplete.
            log.exception("dead_letter_export_failed")
            self.request.connection.stream.close()  # type: ignore[union-attr]


def _write_all(writer: DeadLetterWriter, jobs: list[Job]) -> None:
    for job in jobs:
        if job.body is not None:  # one that cannot be read is in the log (`stored_value_unreadable`)
            writer.write(job)


handlers: list[url] = [url(r"/dead-letters/export", ExportDeadLetters, name="dead_letters_export")]
