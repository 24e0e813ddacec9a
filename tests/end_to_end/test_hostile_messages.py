"""An attacker with access to the broker only: the effect of their messages on a real worker."""

import base64
import json
import pickle
import uuid
from collections.abc import Callable
from pathlib import Path

import redis
from celery import Celery

from ops.embedded.stack import Stack
from tests.end_to_end.conftest import producer_of, store_of
from tests.helpers import row, until

SECRET = "Secret-Name-Of-A-Deal"
MORE_HOLES = ("shutdown", "pool_shrink", "pool_restart", "autoscale", "cancel_consumer", "rate_limit", "time_limit")


class TouchFile:
    """Unpickled, it makes a file."""

    def __init__(self, path: Path) -> None:
        self._path = path

    def __reduce__(self) -> tuple[object, tuple[str]]:
        return (exec, (f"open({str(self._path)!r}, 'w').close()",))


def message(task: str, body: bytes, content_type: str) -> bytes:
    """A message as kombu puts it into a list of Redis."""
    tag = str(uuid.uuid4())
    return json.dumps(
        {
            "body": base64.b64encode(body).decode(),
            "content-encoding": "utf-8" if content_type.endswith("json") else "binary",
            "content-type": content_type,
            "headers": {"lang": "py", "task": task, "id": tag, "root_id": tag, "parent_id": None, "group": None},
            "properties": {
                "correlation_id": tag,
                "reply_to": "",
                "delivery_mode": 2,
                "delivery_info": {"exchange": "", "routing_key": "lanes"},
                "priority": 0,
                "body_encoding": "base64",
                "delivery_tag": tag,
            },
        }
    ).encode()


def test_no_message_harms_a_worker_or_shows_content(make_stack: Callable[..., Stack], tmp_path: Path) -> None:
    stack = make_stack()
    worker = stack.start_worker()
    touched = tmp_path / "touched"
    arguments: list[object] = [[row("loc", "c", name=SECRET)], {}, {}]
    plain = json.dumps(arguments).encode()
    hostile = [
        message("work_shift", pickle.dumps(TouchFile(touched)), "application/x-python-serialize"),
        message("producers.enqueue", pickle.dumps([[TouchFile(touched)], {}, {}]), "application/x-python-serialize"),
        message("os.system", plain, "application/json"),
        message("celery.backend_cleanup", b'[[], {}, {"chord": null}]', "application/json"),
        message("producers.enqueue", json.dumps([[SECRET, 1, 2, 3], {}, {}]).encode(), "application/json"),
        message("producers.enqueue", b"[[" * 50_000, "application/json"),
        message("producers.enqueue", SECRET.encode(), "application/json"),
        message("producers.enqueue", plain, "application/x-yaml"),
        b"{}",
        b"[[" * 50_000,
        b'"text"',
        b'{"body":"","properties":{"delivery_tag":"x","delivery_info":{}}}',
        SECRET.encode(),
    ]
    with redis.Redis.from_url(stack.redis.url) as client:
        for payload in hostile:
            client.lpush("lanes:celery:lanes", payload)
    app = Celery(broker=stack.redis.url)
    app.conf.broker_transport_options = {"global_keyprefix": "lanes:celery:"}
    with app.connection_for_write() as connection:
        for name in ("heartbeat", *MORE_HOLES):  # the first is Flower's, when it starts
            app.control.broadcast(name, connection=connection)
        replies = app.control.ping(connection=connection, timeout=10, limit=1)
    app.close()
    assert len(replies) == 1
    job_id = producer_of(stack).enqueue(row("loc", "after")).job_id
    store = store_of(stack)
    until(lambda: (job := store.job(job_id)) and job.state.value == "delivered", "the worker to be well")
    with redis.Redis.from_url(stack.redis.url) as client:
        until(lambda: client.llen("lanes:celery:lanes") == 0, "every message to be taken")
    assert worker.status is None
    assert not touched.exists()
    assert "pidbox command error" not in worker.output
    assert "remote control: heartbeat is refused" not in worker.output
    assert "remote control: shutdown is refused" in worker.output
    assert SECRET not in worker.output
