"""The baseline of the lanes: Celery alone, one task per upsert, with late acks and task events.

`celery -A benchmarks.bare_celery worker` drains it.
"""

import os
from typing import Any

from celery import Celery
from celery.signals import worker_ready

from benchmarks.upsert import REDIS_URL, post


def make_app(redis_url: str) -> Celery:
    """Return an app with Celery's defaults, except JSON, late acks, events and no results."""
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


def register(app: Celery) -> Any:
    """Return `post` as a task of this app alone: a shared one would take the place of other apps' tasks of its name."""
    return app.task(name="upsert", shared=False)(post)


@worker_ready.connect  # type: ignore[untyped-decorator]
def say_ready(**_: Any) -> None:
    """Celery says so itself only on a level on which it also writes two lines for each task."""
    print("worker ready.", flush=True)


app = make_app(os.environ.get(REDIS_URL, "redis://"))
upsert = register(app)
