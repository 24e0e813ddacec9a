"""What is in a job: masked on every page until somebody asks for it, and then there is an entry in the trail."""

import hashlib
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

from tornado.web import HTTPError

from lanes.queue.job import Job
from lanes.queue.store import LaneStore
from worker.dashboard.page import Change


def kind_of(value: object) -> str:
    """Return what kind of value stands in a field, and nothing of the value."""
    if isinstance(value, bool):
        return "yes or no"
    if isinstance(value, (int, float)):
        return "number"
    if isinstance(value, str):
        return "text"
    if isinstance(value, list):
        return "list"
    return "nothing" if value is None else "object"


def masked(body: dict[str, Any] | None) -> list[dict[str, str]] | None:
    """Return the names of the fields of a body and the kinds of their values; None where there is no body."""
    return None if body is None else [{"name": name, "kind": kind_of(value)} for name, value in body.items()]


def find(store: LaneStore, job_id: str) -> Job:
    """Return a job as it is now.

    Raises:
        HTTPError: there is none.
    """
    job = store.job(job_id) if job_id else None
    if job is None:
        raise HTTPError(404, "no such job: mistyped, or done so long ago that it was pruned")
    return job


def id_in(given: dict[str, Any]) -> str:
    """Return the id that was sent.

    Raises:
        HTTPError: there is none.
    """
    job_id = given.get("id")
    if not isinstance(job_id, str) or not job_id:
        raise HTTPError(400, "which job?")
    return job_id


@dataclass(frozen=True, slots=True)
class MaskedField:
    """A field of a body by the kind of its value; `before` is that before an edit, None where the value is the same."""

    name: str
    kind: str
    before: str | None = None


def masked_fields(job: Job) -> list[MaskedField]:
    """Return the fields of a body, and those that an edit took away, with nothing of their values."""
    body, original = job.body or {}, job.original

    def kind_in(values: Mapping[str, Any], name: str) -> str:
        return kind_of(values[name]) if name in values else "not set"

    def before(name: str) -> str | None:
        same = original is None or (name in body and name in original and body[name] == original[name])
        return None if same else kind_in(original or {}, name)

    names = dict.fromkeys([*body, *(original or {})])
    return [MaskedField(name, kind_in(body, name), before(name)) for name in names]


def digest_of(body: bytes) -> str:
    """Return what stands for a body that was read, so that an edit notices when it is another."""
    return hashlib.sha256(body).hexdigest()


class Reveal(Change):
    """Shows what is in a job, to somebody who asked for it by name."""

    async def post(self) -> None:
        """Answer its body, the one before it was edited, and its record."""
        job_id = id_in(self.payload)
        job = await self.run_in_thread(find, self.store, job_id)
        if job.body is None:
            raise HTTPError(409, "its content is gone: it is kept until the job is done with")
        await self.log_change("reveal", job_id, f"{job.state.value.replace('_', ' ')}, location {job.location_id}")
        self.send_json({"body": job.body, "original": job.original, "record": job.record})
