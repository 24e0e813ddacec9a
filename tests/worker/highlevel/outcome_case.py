"""One answer of the API, and what it means."""

import json
from dataclasses import dataclass
from typing import Any

from worker.highlevel.bounded_post import MAX_ANSWER_BYTES
from worker.highlevel.envelope import MAX_MESSAGE
from worker.highlevel.outcomes import Answer, Outcome, OutcomeKind

JSON = {"content-type": "application/json"}
HTML = {"content-type": "text/html; charset=UTF-8"}
TEXT = {"content-type": "text/plain"}
EDGE_PAGE = b"<!DOCTYPE html><html><body>error code: 1010</body></html>"


@dataclass(frozen=True)
class Case:
    """An answer as the server sends it, and what of its outcome is said here; the rest may be anything."""

    status: int
    headers: dict[str, str]
    body: bytes
    expected: dict[str, Any]

    @property
    def answer(self) -> Answer:
        """What the client makes of it: the body cut at the client's limit, a header's value without outer space."""
        headers = {name: value.strip() for name, value in self.headers.items()}
        return Answer(self.status, headers, self.body[: MAX_ANSWER_BYTES + 1])

    def __str__(self) -> str:
        shown = self.body[:30].decode("ascii", "backslashreplace")
        return f"{self.status} {shown} {list(self.headers.values())}"[:80]

    def check(self, found: Outcome) -> None:
        """Compare an outcome with the row."""
        assert {name: getattr(found, name) for name in self.expected} == self.expected
        for text in (found.message, found.code, found.trace_id, found.opportunity_id, found.warning):
            assert text is None or (text.isprintable() and 0 < len(text) <= MAX_MESSAGE)
            json.dumps(text).encode()
            (text or "").encode()
        assert found.status == self.status
        assert found.wait is not None or found.kind is not OutcomeKind.THROTTLED
        assert found.wait is None or found.kind in (OutcomeKind.THROTTLED, OutcomeKind.RETRY, OutcomeKind.UNCONFIRMED)
        assert (found.message is None) == (found.kind is OutcomeKind.DELIVERED)
        assert found.warning is None or found.kind is OutcomeKind.DELIVERED
        assert found.in_doubt or found.kind is not OutcomeKind.UNCONFIRMED


def case(status: int, body: object = b"", headers: dict[str, str] | None = None, **expected: Any) -> Case:
    """Return a case; a body that is not bytes is sent as JSON."""
    raw = body if isinstance(body, bytes) else json.dumps(body).encode()
    return Case(status, JSON if headers is None else headers, raw, expected)
