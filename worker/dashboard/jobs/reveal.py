"""The content of a job: masked, and revealed on request with an entry in the audit log."""

import hashlib
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

from tornado.web import HTTPError

from lanes.queue.job import Job
from lanes.queue.store import LaneStore
from worker.dashboard.page import Change


def kind_of(value: object) -> str:
    """Return the type of a value for people."""
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
    """Return the names of the fields of a body and the types of their values; None without a body."""
    return None if body is None else [{"name": name, "kind": kind_of(value)} for name, value in body.items()]


def find(store: LaneStore, job_id: str) -> Job:
    """Return a job.

    Raises:
        HTTPError: it is unknown.
    """
    job = store.job(job_id) if job_id else None
    if job is None:
        raise HTTPError(404, "no such job: mistyped, or done and no longer kept")
    return job


@dataclass(frozen=True, slots=True)
class MaskedField:
    """A field and the type of its value; `before` is the type before an edit, None if the value is unchanged."""

    name: str
    kind: str
    before: str | None = None


def masked_fields(job: Job) -> list[MaskedField]:
    """Return the fields of a body, and those that an edit removed, with their values masked."""
    body, original = job.body or {}, job.original

    def kind_in(values: Mapping[str, Any], name: str) -> str:
        return kind_of(values[name]) if name in values else "not set"

    def before(name: str) -> str | None:
        same = original is None or (name in body and name in original and body[name] == original[name])
        return None if same else kind_in(original or {}, name)

    names = dict.fromkeys([*body, *(original or {})])
    return [MaskedField(name, kind_in(body, name), before(name)) for name in names]


def digest_of(body: bytes) -> str:
    """Return a digest of a body, so that an edit notices a change since it was read."""
    return hashlib.sha256(body).hexdigest()


class Reveal(Change):
    """Reveals the content of a job."""

    async def post(self) -> None:
        """Send its body, its original body if it was edited, and its record."""
        job_id = self.text("id")
        job = await self.run_in_thread(find, self.store, job_id)
        if job.body is None:
            raise HTTPError(409, "its content is deleted: it is kept only until the job is done")
        await self.log_change("reveal", job_id, f"{job.state.value.replace('_', ' ')}, location {job.location_id}")
        self.send_json({"body": job.body, "original": job.original, "record": job.record})
