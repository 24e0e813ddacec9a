"""The private parts of kombu and Celery that are used or patched are as this project knows them.

When a test fails after an upgrade, its message says what changed. The code: `worker/safety/patches_for_kombu.py` and
`worker/safety/patches_for_celery.py`.
"""

import inspect
import sys
from collections.abc import Iterator
from importlib.metadata import version
from pathlib import Path
from types import SimpleNamespace
from typing import Any
from unittest.mock import Mock

import pytest
from celery import Celery
from celery.concurrency.prefork import TaskPool
from celery.events.dispatcher import EventDispatcher
from celery.worker.consumer import consumer
from celery.worker.control import Panel
from kombu import connection as brokers
from kombu import message as messages
from kombu.transport import redis as transport
from kombu.utils import json

from ops.embedded.redis_server import RedisServer
from worker.safety.patches_for_celery import children, patch_body_dump, unsent_events
from worker.safety.patches_for_kombu import patch_channel_close, patch_message_parsing, sockets
from worker.safety.remote_control import ALLOWED_COMMANDS

Connection: Any = brokers.Connection
Message: Any = messages.Message
UNPATCHED = inspect.unwrap(transport.Channel.close)


@pytest.fixture
def server(tmp_path: Path) -> Iterator[RedisServer]:
    with RedisServer(tmp_path) as server:
        yield server


@pytest.fixture
def channel(server: RedisServer, monkeypatch: pytest.MonkeyPatch) -> Iterator[Any]:
    """A channel of kombu as it is, whatever this process patched before."""
    monkeypatch.setattr(transport.Channel, "close", UNPATCHED)
    monkeypatch.setattr(transport, "loads", json.loads)
    with Connection(server.url) as connection:
        yield connection.channel()
        monkeypatch.undo()


def listen(channel: Any) -> Any:
    """Wait for messages as a worker's consumer does; return the connection to Redis."""
    channel._active_queues.append("q")
    channel._update_queue_cycle()
    channel.client.connection = channel.client.connection_pool.get_connection()
    channel._brpop_start()
    return channel.client.connection


@pytest.mark.parametrize("package", ["celery", "kombu"])
def test_the_version_that_these_tests_were_written_for(package: str) -> None:
    assert version(package).startswith("5.7."), f"another {package}: read what changed in it, then this file"


def test_a_channel_that_is_closed_without_redis_leaves_nothing_open(channel: Any, server: RedisServer) -> None:
    heard = listen(channel)
    server.stop()
    with pytest.raises(channel.connection_errors):
        channel.close()
    assert not channel.closed, "kombu closes such a channel by itself now: the patch may go"
    opened = channel.connection.channels
    assert channel in opened
    patch_channel_close()
    channel._in_poll = heard
    channel.close()
    assert channel.closed
    assert channel not in opened
    assert heard._sock is None


def test_what_is_no_message_is_an_unknown_message(channel: Any, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(transport, "loads", json.loads)
    garbage = ("garbage", "{}", '{"properties": {}}', "7")
    channel.client.lpush("q", *garbage)
    for _ in garbage:
        with pytest.raises((LookupError, TypeError, ValueError)):
            channel.basic_get("q")
    channel.client.lpush("q", *garbage)
    patch_message_parsing()
    for _ in garbage:
        message = channel.basic_get("q", no_ack=True)
        assert (message.body, message.content_type) == (b"", "text/plain")
    for method in (transport.Channel._brpop_read, transport.Channel._receive_one):
        assert "loads(bytes_to_str(" in inspect.getsource(method), f"{method.__name__} reads messages in another way"


def test_the_sockets_of_a_broker_connection(channel: Any) -> None:
    heard = listen(channel)
    assert list(sockets(channel.connection.client)) == [heard._sock]
    assert list(sockets(Connection("redis://127.0.0.1:1"))) == []


def test_a_message_that_celery_cannot_use_is_logged_without_its_body(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(consumer, "dump_body", consumer.dump_body)
    patch_body_dump()
    message = Message(body="a secret", content_type="text/plain", headers={}, delivery_info={})
    reported = consumer.Consumer._message_report(SimpleNamespace(), message.body, message)
    assert "a secret" not in reported
    assert "(8 bytes, not shown)" in reported
    for method in ("on_decode_error", "on_unknown_task", "_message_report"):
        assert "dump_body(" in inspect.getsource(getattr(consumer.Consumer, method)), f"{method} shows bodies otherwise"


def test_the_events_that_are_not_sent_yet() -> None:
    app = Celery(broker="memory://")
    with app.connection_for_write() as connection:
        dispatcher = EventDispatcher(connection, app=app, buffer_group={"task"}, buffer_limit=sys.maxsize)
        dispatcher.send("task-started", uuid="a")
        assert unsent_events(dispatcher) == 1
        dispatcher.flush()
        assert unsent_events(dispatcher) == 0
        dispatcher.producer.publish = no_broker = Mock(side_effect=OSError)
        dispatcher.send("worker-online")
        dispatcher.send("task-started", uuid="b")
        assert unsent_events(dispatcher) == 2
        assert no_broker.called
        dispatcher.close()


def test_the_processes_of_a_pool() -> None:
    started = SimpleNamespace(_pool=[SimpleNamespace(pid=7), SimpleNamespace(pid=None)])
    assert children(SimpleNamespace(pool=SimpleNamespace(_pool=started))) == [7]
    assert children(SimpleNamespace(pool=SimpleNamespace(_pool=None))) == []
    assert "p.pid for p in self._pool._pool" in inspect.getsource(TaskPool), "the pool keeps its processes elsewhere"


def test_the_commands_of_remote_control_that_are_kept() -> None:
    assert set(Panel.data) >= ALLOWED_COMMANDS | {"enable_events"}
