"""A dashboard with the page of `touching.py`, as a process, and clients that ask it for a change."""

import json
from contextlib import ExitStack
from pathlib import Path
from typing import Any

import requests

from lanes.activity import audit_log
from ops.embedded.stack import Stack
from tests.worker.dashboard.conftest import Site

ROOT = Path(__file__).parents[3]


class ExtraPageSite(Site):
    """A dashboard with the page that changes something."""

    def session(self, who: tuple[str, str] | None = None) -> requests.Session:
        """Return a client that has seen a page, as a browser has before it changes something."""
        made = requests.Session()
        made.auth = who
        made.get(f"{self.url}/throughput", timeout=10)
        return made

    def request_change(
        self, client: requests.Session, on: str = "x", *, token: str | None = None, **headers: str
    ) -> Any:
        """Request a change, by default as our pages do."""
        sent = str(client.cookies.get("_xsrf")) if token is None else token
        headers = {"X-XSRFToken": sent, "Content-Type": "application/json"} | headers
        return client.post(f"{self.url}/test-change", data=json.dumps({"on": on}), headers=headers, timeout=10)

    def recorded_changes(self) -> list[tuple[str, str]]:
        """Return who changed what, from the audit log."""
        return [(entry.who, entry.on) for entry in audit_log.read(self.store) if entry.what == "test-change"]


def start(folder: Path, ends: ExitStack, *options: str, prefix: str = "", **environ: str) -> ExtraPageSite:
    stack = ends.enter_context(Stack(folder))
    stack.start_redis()
    arguments = ["tests.worker.dashboard.extra_page", "dashboard", f"--port={stack.flower_port}", *options]
    child = stack.start("dashboard", arguments, PYTHONPATH=str(ROOT), **environ)
    url = f"{stack.flower_url}{prefix}/healthcheck"
    stack.until(lambda: _is_up(url), child)
    return ExtraPageSite(stack, prefix, ends)


def _is_up(url: str) -> bool:
    try:
        return requests.get(url, timeout=2).ok
    except requests.ConnectionError:
        return False
