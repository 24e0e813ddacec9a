"""`lanes`, with a page more on its dashboard that changes something: for what every change goes through.

Run as `python -m tests.worker.dashboard.extra_page dashboard ...`.
"""

from tornado.web import url

from ops.command import main
from worker.dashboard.audit_log import audit_log_page
from worker.dashboard.page import Change, Page


class ExtraChange(Change):
    """Writes its input to the audit log; `fail` makes it fail unexpectedly."""

    async def post(self) -> None:
        """Do so."""
        await self.log_change("test-change", str(self.payload.get("on", "nothing")))
        if self.payload.get("fail"):
            message = "a secret that stands in the message"
            raise RuntimeError(message)
        self.send_json({"changed": self.payload.get("on"), "by": self.who})


class BrokenPage(Page):
    """Fails unexpectedly."""

    def get(self) -> None:
        """Do so."""
        message = "a secret that stands in the message"
        raise RuntimeError(message)


if __name__ == "__main__":
    audit_log_page.handlers += [url(r"/test-change", ExtraChange), url(r"/broken", BrokenPage)]
    main()
