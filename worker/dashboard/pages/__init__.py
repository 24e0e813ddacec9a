"""Our pages, each module with its handlers."""

from tornado.web import url

from worker.dashboard.pages import jobs, lanes, letters, throughput, trail


def handlers() -> list[url]:
    """Return the handlers of all pages; their URLs are without `url_prefix`."""
    return [handler for page in (throughput, lanes, letters, trail, jobs) for handler in page.handlers]
