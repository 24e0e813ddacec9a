"""Dead letters as a file, written while it is sent."""

import functools
from io import BytesIO
from typing import Any

import structlog
from tornado.iostream import StreamClosedError
from tornado.web import HTTPError, RequestHandler, url

from lanes.job import Job
from producers.letter_rows import LetterWriter
from producers.rows import Format
from worker.dashboard.letter_selection import read_whole, selection_of
from worker.dashboard.letters_desk import desk_of
from worker.dashboard.page import Change, read_object

log = structlog.get_logger()

FORMATS: dict[str, Format] = {"jsonl": "jsonl", "csv": "csv"}
TYPES = {"jsonl": "application/x-ndjson", "csv": "text/csv; charset=UTF-8"}


class Export(Change):
    """Sends letters whole, as `lanes dead export` writes them; asked for by a form, so that it is a download."""

    @functools.cached_property
    def given(self) -> dict[str, Any]:
        """The values, which come as JSON in a field of the form."""
        return read_object(RequestHandler.get_body_argument(self, "given", "{}"))

    async def post(self) -> None:
        """Send the file."""
        form = FORMATS.get(str(self.given.get("format")))
        if form is None:
            raise HTTPError(400, f"format: must be {' or '.join(FORMATS)}")
        desk = desk_of(self.application.settings, self.store)
        selection, total = await self.in_thread(selection_of, self.store, desk, self.given)
        await self.note("export", selection.told, f"{total:,}, as {form}")
        self.set_header("Content-Type", TYPES[form])
        self.set_header("Content-Disposition", f'attachment; filename="dead-letters.{form}"')
        out = BytesIO()
        writer = LetterWriter(out, form)
        batches = read_whole(self.store, selection)
        try:
            while (batch := await self.in_thread(next, batches, None)) is not None:
                await self.in_thread(_write_all, writer, batch)
                self.write(out.getvalue())
                out.seek(0)
                out.truncate()
                await self.flush()
        except StreamClosedError:
            return
        except Exception:
            # The answer has begun: only a connection that breaks tells the browser that the file is not whole.
            log.exception("letters_export_failed")
            self.request.connection.stream.close()  # type: ignore[union-attr]


def _write_all(writer: LetterWriter, jobs: list[Job]) -> None:
    for job in jobs:
        writer.write(job)


handlers: list[url] = [url(r"/letters/export", Export, name="letters_export")]
