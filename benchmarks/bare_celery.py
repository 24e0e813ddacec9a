"""What the lanes are measured against: Celery alone, one task per upsert, with late acks and task events.

`celery -A benchmarks.bare_celery worker` drains it. Its addresses come from the environment.
"""

import os
import threading
from typing import Any

import requests
from celery import Celery

REDIS_URL = "BARE_REDIS_URL"
API_URL = "BARE_API_URL"
TIMEOUT_SECONDS = 20
HEADERS = {"Authorization": "Bearer benchmark", "Version": "2021-07-28", "Accept": "application/json"}

_sessions = threading.local()


def make_app(redis_url: str) -> Celery:
    """Return an app that has Celery's defaults but for JSON, late acks, events and no results."""
    app = Celery("bare", broker=redis_url)
    app.conf.update(
        accept_content=["json"],
        task_serializer="json",
        task_ignore_result=True,
        task_acks_late=True,
        worker_send_task_events=True,
        broker_connection_retry_on_startup=True,
    )
    return app


def post(body: dict[str, Any]) -> None:
    """Send one upsert over this thread's own kept connection; raise for anything but success."""
    session: requests.Session | None = getattr(_sessions, "session", None)
    if session is None:
        session = _sessions.session = requests.Session()
        session.trust_env = False
        session.headers.update(HEADERS)
    url = os.environ[API_URL] + "/opportunities/upsert"
    session.post(url, json=body, timeout=TIMEOUT_SECONDS).raise_for_status()


def register(app: Celery) -> Any:
    """Return `post` as a task of the app."""
    return app.task(name="upsert")(post)


app = make_app(os.environ.get(REDIS_URL, "redis://"))
upsert = register(app)
