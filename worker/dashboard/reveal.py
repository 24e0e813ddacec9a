"""What is in a job: masked on every page until somebody asks for it, and then there is an entry in the trail."""

import hashlib
import json
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

from tornado.web import HTTPError, url

from lanes.job import Job
from lanes.printable import printable
from worker.dashboard.page import Change

MASK = "••••••"
# These say where it goes; the pages show them anyhow.
OPEN = ("locationId", "pipelineId")


@dataclass(frozen=True, slots=True)
class BodyField:
    """A field of a body as a page shows it; `before` is its value before an edit, None where that is the same."""

    name: str
    value: str
    before: str | None = None

    def as_json(self) -> dict[str, Any]:
        """Return it as plain values."""
        return {"name": self.name, "value": self.value, "before": self.before}


def masked_fields(job: Job) -> list[BodyField]:
    """Return the fields of a body without their values."""
    return [
        BodyField(
            field.name,
            field.value if field.name in OPEN else MASK,
            None if field.before is None else MASK,
        )
        for field in open_fields(job)
    ]


def open_fields(job: Job) -> list[BodyField]:
    """Return the fields of a body, and those that an edit took away."""
    body, original = job.body or {}, job.original
    if original is None:
        return [BodyField(printable(name), shown(value)) for name, value in body.items()]
    return [
        BodyField(
            printable(name),
            shown(body[name]) if name in body else "not set",
            None if name in body and body[name] == original.get(name) else _before(original, name),
        )
        for name in [*body, *(name for name in original if name not in body)]
    ]


def _before(original: Mapping[str, Any], name: str) -> str:
    return shown(original[name]) if name in original else "not set"


def shown(value: object) -> str:
    """Return a value as text that a page can show."""
    return printable(value if isinstance(value, str) else json.dumps(value, ensure_ascii=False))


def digest_of(body: bytes) -> str:
    """Return what stands for a body that was read, so that an edit notices when it is another."""
    return hashlib.sha256(body).hexdigest()


class Reveal(Change):
    """Shows what is in a job, to somebody who asked for it by name."""

    async def post(self, job_id: str) -> None:
        """Answer the fields of its body."""
        job = await self.in_thread(self.store.job, job_id)
        if job is None or job.body is None:
            raise HTTPError(404, "its content is gone: that is kept until a job is delivered or given up")
        await self.note("reveal", job_id, f"{job.state.value.replace('_', ' ')}, location {job.location_id}")
        self.answer({"fields": [field.as_json() for field in open_fields(job)]})


handlers: list[url] = [url(r"/job/([^/]+)/reveal", Reveal, name="reveal")]
"""Every page with a body uses this address."""
