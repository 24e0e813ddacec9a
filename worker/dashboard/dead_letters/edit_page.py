"""Edits the body of a dead letter: validated by field, refused after a concurrent change, replayed on request."""

import json
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

from tornado.web import HTTPError, url

from lanes.dead_letters import operations
from lanes.dead_letters.bulk import why_not
from lanes.printable import printable
from lanes.queue.job import Job
from lanes.queue.new_job import NewJob
from lanes.storage.stored import json_object_of
from producers.dead_letter_edit import apply_form, differences, field_names, form_value, new_job_with_body, parse_body
from producers.errors import InvalidJobError
from producers.receipt import FieldError
from worker.dashboard.jobs.reveal import digest_of, find
from worker.dashboard.page import Change, Page

FIXED_FIELDS = ("pipelineId", "locationId", "contactId")
FIXED_FIELD_MESSAGE = (
    "must not change: it identifies the opportunity. For another one, enqueue a new job and purge this dead letter"
)
CONFLICT_MESSAGE = "the dead letter was changed meanwhile: load the page again"


@dataclass(frozen=True, slots=True)
class DeadLetterBody:
    """A dead letter, and the exact bytes of its body."""

    job: Job
    body: bytes

    @property
    def values(self) -> dict[str, Any]:
        """The fields of the body; none if it cannot be read."""
        return json_object_of(self.body) or {}


class _EditHandler(Page):
    """The base of the handlers."""

    async def read(self, job_id: str) -> DeadLetterBody:
        """Return the dead letter.

        Raises:
            HTTPError: there is no such dead letter.
        """
        return await self.run_in_thread(self._read, job_id)

    def _read(self, job_id: str) -> DeadLetterBody:
        # The body first: after an edit in between it does not match when it is written.
        body = self.store.stored_body(job_id)
        job = find(self.store, job_id)
        if not job.is_dead_letter or body is None or job.merged_into:
            state = "merged" if job.merged_into else job.state.value
            raise HTTPError(409, f"{printable(job_id)} is not a dead letter: it is {state.replace('_', ' ')}")
        return DeadLetterBody(job, body)


class DeadLetterEditPage(_EditHandler):
    """The page: the names of the fields; their values come on request."""

    async def get(self, job_id: str) -> None:
        """Show it."""
        found = await self.read(job_id)
        names = dict.fromkeys([*field_names(found.job), *found.values])
        self.show(
            "dead_letter_edit.html",
            active="dead_letters",
            job=found.job,
            names=[(name, printable(name)) for name in names],
            fixed=FIXED_FIELDS,
            printable=printable,
        )


class RevealForEdit(Change, _EditHandler):
    """Reveals the body for an edit."""

    async def post(self, job_id: str) -> None:
        """Send the body as the values of a form and as JSON, and its digest.

        Values that a form would change, such as several lines, are only in the JSON.
        """
        found = await self.read(job_id)
        await self.log_change("reveal", job_id, f"to edit it; location {found.job.location_id}")
        cells = {name: form_value(value) for name, value in found.values.items()}
        self.send_json(
            {
                "read": digest_of(found.body),
                "cells": {name: cell for name, cell in cells.items() if cell.isprintable()},
                "multiline": [name for name, cell in cells.items() if not cell.isprintable()],
                "text": readable_json(found.values),
            }
        )


class SaveEdit(Change, _EditHandler):
    """Changes the body; with `check`, only returns what would change."""

    async def post(self, job_id: str) -> None:
        """Take `cells` or `text`, and the digest `read`; `replay` and `force` to replay it."""
        found = await self.read(job_id)
        if self.payload.get("read") != digest_of(found.body):
            raise HTTPError(409, CONFLICT_MESSAGE)
        try:
            new_job = new_job_from(found, self.payload)
        except InvalidJobError as error:
            self.send_json({"problems": [field_error_as_json(problem) for problem in error.field_errors]})
            return
        changes = list(differences(found.values, json.loads(new_job.body)))
        if self.payload.get("check") is True:
            replay_preview = (await self.run_in_thread(operations.replay, self.store, [job_id], dry_run=True))[0]
            self.send_json(
                {
                    "changes": [
                        {"field": printable(each.field), "before": each.before, "after": each.after} for each in changes
                    ],
                    "superseded": replay_preview.answer == "superseded",
                    "unconfirmed": replay_preview.unconfirmed,
                    "why": "" if replay_preview.answer == "replayed" else printable(why_not(replay_preview)),
                }
            )
            return
        if changes:
            await self.log_change("edit", job_id, f"fields: {', '.join(printable(each.field) for each in changes)}")
            answer = await self.run_in_thread(self.store.edit, job_id, found.body, new_job)
            if answer != "edited":
                raise HTTPError(
                    409, CONFLICT_MESSAGE if answer == "changed" else f"it is now {answer.replace('_', ' ')}"
                )
        sent = await self._replay(job_id) if self.payload.get("replay") is True else {}
        self.send_json({"edited": len(changes), **sent})

    async def _replay(self, job_id: str) -> dict[str, Any]:
        force = self.payload.get("force") is True
        await self.log_change("replay", job_id, "overwriting newer data" if force else "")
        moved = (await self.run_in_thread(operations.replay, self.store, [job_id], force=force))[0]
        if moved.answer == "replayed":
            return {"replayed": True, "why": ""}
        return {"replayed": False, "why": printable(why_not(moved))}


def new_job_from(found: DeadLetterBody, given: Mapping[str, Any]) -> NewJob:
    """Return the dead letter as a new job, with the body of a form or an editor.

    Raises:
        InvalidJobError: with every problem, by field.
        HTTPError: both are missing.
    """
    text, cells = given.get("text"), given.get("cells")
    if isinstance(text, str):
        body = parse_body(text)
    elif isinstance(cells, dict) and all(isinstance(cell, str) for cell in cells.values()):
        body = apply_form(found.values, cells)
    else:
        raise HTTPError(400, "text: must be the body in JSON; or cells: its fields")
    new_job = new_job_with_body(found.job, body)
    if (new_job.location_id, new_job.record) != (found.job.location_id, found.job.record):
        new = json.loads(new_job.body)
        moved = [name for name in FIXED_FIELDS if new.get(name) != found.values.get(name)]
        raise InvalidJobError(
            [FieldError(name, "", FIXED_FIELD_MESSAGE) for name in moved] or [FieldError("", "", FIXED_FIELD_MESSAGE)]
        )
    return new_job


def field_error_as_json(problem: FieldError) -> dict[str, str]:
    """Return a problem as plain values."""
    return {"field": problem.field, "value": printable(problem.value), "message": printable(problem.message)}


def readable_json(body: Mapping[str, Any]) -> str:
    """Return a body as JSON for people. Characters that are invisible or change the writing direction are escaped."""
    text = json.dumps(body, indent=2, ensure_ascii=False)
    return "".join(c if c.isprintable() or c == "\n" else json.dumps(c)[1:-1] for c in text) + "\n"


handlers: list[url] = [
    url(r"/dead-letter/([^/]+)/edit", DeadLetterEditPage, name="dead_letter_edit"),
    url(r"/dead-letter/([^/]+)/open", RevealForEdit, name="dead_letter_open"),
    url(r"/dead-letter/([^/]+)/change", SaveEdit, name="dead_letter_change"),
]
