"""Flower's API with an audit-log entry for each call that sends a task or a remote-control command.

The entry is written before the call. Workers ignore most remote-control commands (`worker.safety.remote_control`), but
who sent one is still worth knowing.
"""

import json
import re
import uuid
from typing import Any

from flower.api import BaseApiHandler
from flower.urls import handlers as flower_handlers
from tornado.ioloop import IOLoop
from tornado.web import HTTPError, RequestHandler, url

from lanes.activity import audit_log
from lanes.errors import LanesError
from lanes.printable import printable
from worker.dashboard.flower import Handler
from worker.dashboard.page import user_of

SENDS = ("task apply", "task async-apply", "task send-task")
MAX_CHARACTERS = 200


class LoggedCall(Handler):
    """Comes before a handler of Flower's API. `what` is the path of the call, in words."""

    what = ""

    async def prepare(self) -> None:
        """Check access as Flower does, then write the entry of a POST."""
        super().prepare()
        if self.request.method != "POST" or not self.current_user or self.dashboard.access.read_only:
            return  # Flower refuses a POST
        target = self.path_args[0]
        on, detail = (self._task_id() or target, target) if self.what in SENDS else (target, "")
        entry = [_short(text) for text in (user_of(self), self.what, on, detail)]
        try:
            threads, store = self.dashboard.threads, self.dashboard.store
            await IOLoop.current().run_in_executor(threads, audit_log.append, store, *entry)
        except LanesError as error:
            raise HTTPError(503, f"the audit log cannot be written: {error}".replace("%", "%%")) from error

    def _task_id(self) -> str:
        """Return the id of the task to send; one is added if the client gave none. Empty if the request is invalid."""
        try:
            options = json.loads(self.request.body or b"{}")
            options["task_id"] = task_id = options.get("task_id") or str(uuid.uuid4())
            self.request.body = json.dumps(options).encode()
        except (ValueError, TypeError, AttributeError, RecursionError):
            return ""
        return str(task_id)


def _short(text: str) -> str:
    return printable(text[:MAX_CHARACTERS])


def _logged(pattern: str, handler: type[BaseApiHandler]) -> url:
    what = re.sub(r"^/api/|/\(.*$", "", pattern).replace("/", " ")
    kind: Any = type(f"Logged{handler.__name__}", (LoggedCall, handler), {"what": what})
    return url(pattern, kind)


def _takes_post(handler: Any) -> bool:
    return issubclass(handler, BaseApiHandler) and handler.post is not RequestHandler.post


handlers: list[url] = [
    _logged(each[0], each[1]) for each in flower_handlers if isinstance(each, tuple) and _takes_post(each[1])
]
