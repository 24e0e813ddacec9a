"""`lanes`, with a page more on its dashboard that changes something: for what every change goes through.

Run as `python -m tests.worker.dashboard.touching dashboard ...`.
"""

from tornado.web import url

from ops.command import main
from worker.dashboard.page import Change, Page
from worker.dashboard.pages import trail


class Touch(Change):
    """Writes into the trail what it was given; `fail` makes it fail as nobody expects."""

    async def post(self) -> None:
        """Do so."""
        await self.note("touch", str(self.given.get("on", "nothing")))
        if self.given.get("fail"):
            message = "a secret that stands in the message"
            raise RuntimeError(message)
        self.answer({"touched": self.given.get("on"), "by": self.who})


class Broken(Page):
    """Fails as nobody expects."""

    def get(self) -> None:
        """Do so."""
        message = "a secret that stands in the message"
        raise RuntimeError(message)


if __name__ == "__main__":
    trail.handlers += [url(r"/touch", Touch), url(r"/broken", Broken)]
    main()
