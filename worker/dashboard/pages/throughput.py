"""Throughput: how fast, how full, how late."""

from tornado.web import url

from worker.dashboard.page import Page


class Throughput(Page):
    """The page."""

    def get(self) -> None:
        """Show it."""
        self.show("throughput.html", active="throughput")


class ThroughputData(Page):
    """Its numbers."""

    async def get(self) -> None:
        """Answer them."""
        seen = await self.in_thread(self.watcher.snapshot)
        self.answer({"at": seen.at, "counts": seen.counts})


handlers: list[url] = [
    url(r"/throughput", Throughput, name="throughput"),
    url(r"/throughput/data", ThroughputData, name="throughput_data"),
]
