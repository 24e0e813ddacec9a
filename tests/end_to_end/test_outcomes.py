"""`lanes job ID --json` shows each answer of the API in its own words, once the job has its state."""

import json
import subprocess
import sys
from collections.abc import Callable
from pathlib import Path
from typing import Any

from ops.embedded.stack import Stack
from ops.sandbox import Fault, FaultKind, SandboxControl
from tests.end_to_end.conftest import producer_of, store_of
from tests.helpers import row, until

JSON = {"content-type": "application/json", "x-trace-id": "trace-of-the-header"}
PAGE = b"<!DOCTYPE html><html><body>bad gateway</body></html>"
HALF = "the answer does not hold the promised body"

# Contact -> what the server answers to its first request, the state of the job, and what its JSON holds.
ANSWERS: dict[str, tuple[tuple[int, dict[str, str], bytes], str, dict[str, Any]]] = {
    "half": ((200, JSON, b'{"new": false}'), "delivered", {"warning": HALF, "opportunity_id": None, "new": False}),
    "empty": ((200, JSON, b""), "delivered", {"message": "HTTP 200 without a body"}),
    "cut": ((201, JSON, b'{"opportunity": {"id": "op'), "delivered", {"message": "HTTP 201 without the promised body"}),
    "maintenance": ((200, {"content-type": "text/html"}, PAGE), "delivered", {"message": "HTTP 200 with an HTML page"}),
    "failed": ((200, JSON, b'{"success": false, "message": "no such stage"}'), "dead", {"message": "no such stage"}),
    "broken": (
        (200, {}, b'{"opportunity": {"id": "opp", "name": "\xff"}, "new": true}'),
        "delivered",
        {"warning": None, "opportunity_id": "opp", "new": True},
    ),
    "array": ((422, JSON, b'{"message": ["first", "second"], "error": "x"}'), "dead", {"message": "first; second"}),
    "code": (
        (400, JSON, b'{"message": "No duplicates.", "code": "OPPORTUNITY_NO_DUPLICATE", "traceId": "t-1"}'),
        "dead",
        {"message": "No duplicates.", "code": "OPPORTUNITY_NO_DUPLICATE", "trace_id": "t-1"},
    ),
    "v3": (
        (404, JSON, b'{"error": {"code": "OPPORTUNITY_NOT_FOUND", "message": "Not found", "details": []}}'),
        "dead",
        {"message": "Not found", "code": "OPPORTUNITY_NOT_FOUND", "trace_id": "trace-of-the-header"},
    ),
    "deep": ((400, JSON, b"[" * 200_000), "dead", {"message": "HTTP 400 without a message"}),
    "huge": ((400, JSON, b'{"message": "%s"}' % (b"x" * 500_000)), "dead", {"message": "HTTP 400 without a message"}),
    "page": ((502, {"content-type": "text/html"}, PAGE), "delivered", {"message": "HTTP 502 with an HTML page"}),
    "edge": ((403, {}, b"error code: 1010"), "delivered", {"status": 403}),
    "limit": ((429, {"retry-after": "1"}, b""), "delivered", {"message": "HTTP 429 without a message"}),
}


def lanes_job(stack: Stack, job_id: str) -> dict[str, Any]:
    command = [str(Path(sys.executable).with_name("lanes")), "job", job_id, "--json"]
    done = subprocess.run(command, env=stack.environ, cwd=stack.folder, capture_output=True, check=True, timeout=60)
    shown: dict[str, Any] = json.loads(done.stdout)
    return shown


def test_each_answer_ends_in_its_state_with_its_message(make_stack: Callable[..., Stack]) -> None:
    stack = make_stack(backoff_base_seconds=0.05)
    control = SandboxControl(stack.sandbox_url)
    for contact, ((status, headers, raw), _, _) in ANSWERS.items():
        fault = Fault(kind=FaultKind.SCRIPTED, status=status, headers=headers, raw=raw, contact_prefix=contact, times=1)
        control.inject(fault)
    lost = Fault(
        kind=FaultKind.SCRIPTED, status=401, raw=b'{"message": "Invalid JWT", "traceId": "t-2"}', location="held"
    )
    control.inject(lost)
    worker = stack.start_worker()
    with producer_of(stack) as producer:
        ids = {contact: producer.enqueue(row("loc", contact, name="Secret-Name")).job_id for contact in ANSWERS}
        jobs = {contact: producer.wait(job_id, 60) for contact, job_id in ids.items()}
        dead = producer.wait(producer.enqueue(row("held", "c1")).job_id, 60)
        behind = producer.enqueue(row("held", "c2")).job_id
    for contact, (_, state, words) in ANSWERS.items():
        shown = lanes_job(stack, ids[contact])
        assert (contact, shown["state"]) == (contact, state)
        first, last = shown["attempts"][0], shown["attempts"][-1]
        assert {name: {**first, **shown, "message": first.get("message")}.get(name) for name in words} == words, contact
        assert shown["api_version"] == "2021-07-28"
        if state == "dead":
            assert jobs[contact].message == words["message"]
            assert jobs[contact].code == words.get("code")
        elif len(shown["attempts"]) > 1:
            assert (last["outcome"], jobs[contact].new) == ("delivered", True)
            assert last["trace_id"]
    assert (dead.reason, dead.message, dead.attempts[0].detail["trace_id"]) == ("unauthorized", "Invalid JWT", "t-2")
    waiting = lanes_job(stack, behind)
    assert (waiting["state"], waiting["attempts"]) == ("pending", [])
    [lane] = [lane for lane in store_of(stack).lanes() if lane.location_id == "held"]
    assert lane.hold == "Invalid JWT"
    until(lambda: HALF in worker.output, "the warning in the log")
    assert "Secret-Name" not in worker.output
