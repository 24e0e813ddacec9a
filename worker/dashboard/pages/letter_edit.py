"""Mending the body of a dead letter: checked by field, refused when it changed meanwhile, sent again if wished."""

import json
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

from tornado.web import HTTPError, url

from lanes import letters
from lanes.job import Job
from lanes.letter_moves import why_not
from lanes.order import Order
from lanes.printable import printable
from producers.errors import InvalidJobError, Problem
from producers.letter_edits import cell_of, differences, fields_of, fill_in, mended, parse_body
from worker.dashboard.page import Change, Page
from worker.dashboard.reveal import digest_of

FIXED = ("pipelineId", "locationId", "contactId")
ELSEWHERE = "must stay: it says which opportunity it is for. For another one, enqueue a new job and purge this letter"
CHANGED = "somebody else changed this letter meanwhile: load the page again to see what it is now"


@dataclass(frozen=True, slots=True)
class Read:
    """A letter, and its body byte for byte."""

    job: Job
    body: bytes

    @property
    def values(self) -> dict[str, Any]:
        """The fields of the body."""
        found: dict[str, Any] = json.loads(self.body)
        return found


class _Letter(Page):
    """What the handlers share."""

    async def read(self, job_id: str) -> Read:
        """Return the letter.

        Raises:
            HTTPError: there is none.
        """
        return await self.in_thread(self._read, job_id)

    def _read(self, job_id: str) -> Read:
        # The body first: if somebody edits in between, it does not match when it is written.
        body = self.store.read(lambda client: client.get(self.store.key("body", job_id)))
        job = self.store.job(job_id)
        if job is None:
            raise HTTPError(404, f"no job {printable(job_id)}: mistyped, or done so long ago that it was pruned")
        if not job.is_letter or body is None or job.merged_into:
            state = "merged" if job.merged_into else job.state.value
            raise HTTPError(409, f"{printable(job_id)} is no dead letter: it is {state.replace('_', ' ')}")
        return Read(job, body)


class EditPage(_Letter):
    """The page: the names of the fields; what is in them comes when it is asked for."""

    async def get(self, job_id: str) -> None:
        """Show it."""
        found = await self.read(job_id)
        names = dict.fromkeys([*fields_of(found.job), *found.values])
        self.show(
            "letter_edit.html",
            active="letters",
            job=found.job,
            names=[(name, printable(name)) for name in names],
            fixed=FIXED,
            printable=printable,
        )


class Open(Change, _Letter):
    """Shows the body to somebody who is going to edit it."""

    async def post(self, job_id: str) -> None:
        """Answer the body as cells of a form and as JSON, and what stands for it until it is written.

        A value that a form would spoil (of several lines, say) is in the JSON alone.
        """
        found = await self.read(job_id)
        await self.note("reveal", job_id, f"to edit it; location {found.job.location_id}")
        cells = {name: cell_of(value) for name, value in found.values.items()}
        self.answer(
            {
                "read": digest_of(found.body),
                "cells": {name: cell for name, cell in cells.items() if cell.isprintable()},
                "spoiled": [name for name, cell in cells.items() if not cell.isprintable()],
                "text": readable_json(found.values),
            }
        )


class Edit(Change, _Letter):
    """Changes the body; with `check`, tells only what that would be."""

    async def post(self, job_id: str) -> None:
        """Take `cells` or `text`, and `read`, as they were opened; `replay` and `even_if_newer` if it is to be sent."""
        found = await self.read(job_id)
        if self.given.get("read") != digest_of(found.body):
            raise HTTPError(409, CHANGED)
        try:
            order = order_from(found, self.given)
        except InvalidJobError as error:
            self.answer({"problems": [problem_as_json(problem) for problem in error.problems]})
            return
        changes = list(differences(found.values, json.loads(order.body)))
        if self.given.get("check") is True:
            prospect = (await self.in_thread(letters.replay, self.store, [job_id], rehearsal=True))[0]
            self.answer(
                {
                    "changes": [
                        {"field": printable(each.field), "before": each.before, "after": each.after} for each in changes
                    ],
                    "overtaken": prospect.answer == "overtaken",
                    "unconfirmed": prospect.unconfirmed,
                    "why": "" if prospect.answer == "replayed" else printable(why_not(prospect)),
                }
            )
            return
        if changes:
            await self.note("edit", job_id, f"fields: {', '.join(printable(each.field) for each in changes)}")
            answer = await self.in_thread(self.store.edit, job_id, found.body, order)
            if answer != "edited":
                raise HTTPError(409, CHANGED if answer == "changed" else f"it is {answer.replace('_', ' ')} by now")
        sent = await self._replay(job_id) if self.given.get("replay") is True else {}
        self.answer({"edited": len(changes), **sent})

    async def _replay(self, job_id: str) -> dict[str, Any]:
        even = self.given.get("even_if_newer") is True
        await self.note("replay", job_id, "even over what is newer" if even else "")
        moved = (await self.in_thread(letters.replay, self.store, [job_id], even_if_newer=even))[0]
        if moved.answer == "replayed":
            return {"replayed": True, "why": ""}
        return {"replayed": False, "why": printable(why_not(moved))}


def order_from(found: Read, given: Mapping[str, Any]) -> Order:
    """Return the letter's order with what a form or an editor says.

    Raises:
        InvalidJobError: with every problem, by field.
        HTTPError: neither is there.
    """
    text, cells = given.get("text"), given.get("cells")
    if isinstance(text, str):
        body = parse_body(text)
    elif isinstance(cells, dict) and all(isinstance(cell, str) for cell in cells.values()):
        body = fill_in(found.values, cells)
    else:
        raise HTTPError(400, "text: must be the body in JSON; or cells: its fields")
    order = mended(found.job, body)
    if (order.location_id, order.record) != (found.job.location_id, found.job.record):
        new = json.loads(order.body)
        moved = [name for name in FIXED if new.get(name) != found.values.get(name)]
        raise InvalidJobError([Problem(name, "", ELSEWHERE) for name in moved] or [Problem("", "", ELSEWHERE)])
    return order


def problem_as_json(problem: Problem) -> dict[str, str]:
    """Return a problem as plain values."""
    return {"field": problem.field, "value": printable(problem.value), "message": printable(problem.message)}


def readable_json(body: Mapping[str, Any]) -> str:
    """Return a body in JSON for people: what would not show, or would turn the writing around, is escaped."""
    text = json.dumps(body, indent=2, ensure_ascii=False)
    return "".join(c if c.isprintable() or c == "\n" else json.dumps(c)[1:-1] for c in text) + "\n"


handlers: list[url] = [
    url(r"/letter/([^/]+)/edit", EditPage, name="letter_edit"),
    url(r"/letter/([^/]+)/open", Open, name="letter_open"),
    url(r"/letter/([^/]+)/change", Edit, name="letter_change"),
]
