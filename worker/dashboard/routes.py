"""The handlers of all pages."""

from tornado.web import url

from worker.dashboard import api_calls
from worker.dashboard.audit_log import audit_log_page
from worker.dashboard.dead_letters import list_page
from worker.dashboard.jobs import job_page
from worker.dashboard.lanes import table_page
from worker.dashboard.throughput import throughput_page


def handlers() -> list[url]:
    """Return the handlers of all pages, and those before Flower's API; their URLs are without `url_prefix`."""
    pages = (api_calls, throughput_page, table_page, list_page, audit_log_page, job_page)
    return [handler for page in pages for handler in page.handlers]
