"""Lines as they leave a process: into a pipe, a terminal, a file; ours and those of others."""

import json
import logging
import os
import pty
import re
import subprocess
import sys
from pathlib import Path
from typing import Any

import pytest

from worker.logging.throttle import REMIND_SECONDS, LogThrottle

# What a hostile API or row might hope to see on a line of its own.
EVIL = 'x\n{"event": "job_delivered"}\r\x1b[2J\x1b]0;title\x07\x9b31m\u202e'
COLOURS = re.compile(r"\x1b\[[\d;]*m")

SCRIPT = f"""
import logging, sys, threading, warnings
import structlog
from lanes.settings import WorkerSettings
from worker.logging.setup import configure_logging, configure_celery_logging

evil = {EVIL!r}
settings = WorkerSettings(api_token="the-api-token", log_level="info")
configure_logging(settings)
configure_celery_logging(settings, "INFO", sys.argv[1] if len(sys.argv) > 1 else None)
log = structlog.get_logger()
log.debug("too_little")
log.warning("job_buried", job=evil, status=400, deep=[evil], message="Bearer the-api-token")
logging.getLogger("celery.worker").info("Task %s received", evil)
logging.getLogger("redis").debug("too little")
for _ in range(3):
    logging.getLogger("celery.worker.consumer").error("Cannot connect")
warnings.warn("an old way: " + evil)
def fail():
    raise ValueError("known: the-api-token " + evil)
try:
    fail()
except ValueError:
    log.exception("sender_failed")
    logging.getLogger("kombu").exception("lost %s", evil)
thread = threading.Thread(target=fail, name="dispatcher")
thread.start()
thread.join()
"""
EVENTS = ["job_buried", "Task x", "Cannot connect", "an old way", "sender_failed", "lost x", "thread_failed"]


def test_off_a_terminal_each_line_is_one_json_object() -> None:
    done = subprocess.run([sys.executable, "-c", SCRIPT], capture_output=True, check=True, timeout=60)
    assert done.stdout == b""
    lines = done.stderr.decode("ascii").splitlines()
    events = [json.loads(line) for line in lines]
    assert len(events) == len(EVENTS)
    for event, begins in zip(events, EVENTS, strict=True):
        assert begins in event["event"]
        assert {"event", "level", "timestamp"} <= event.keys()
        shown = "".join(str(value) for value in event.values())
        assert shown.replace("\n", "").isprintable()  # whoever prints a decoded value
        assert "the-api-token" not in shown
    assert events[0]["status"] == 400
    assert events[1]["logger"] == "celery.worker"
    for event in events[4:]:
        assert "ValueError: known: [secret]" in event["exception"]


def test_on_a_terminal_a_line_is_readable_and_cannot_move_the_cursor() -> None:
    ours, theirs = pty.openpty()
    child = subprocess.Popen([sys.executable, "-c", SCRIPT], stdout=theirs, stderr=theirs)
    os.close(theirs)
    seen = b""
    while piece := _read(ours):
        seen += piece
    os.close(ours)
    assert child.wait(60) == 0
    text = COLOURS.sub("", seen.decode())
    assert "the-api-token" not in text
    lines = text.replace("\r\n", "\n").splitlines()
    assert all(line.isprintable() for line in lines)
    heads = [line for line in lines if not line.startswith("    ")]
    assert len(heads) == len(EVENTS)
    for head, begins in zip(heads, EVENTS, strict=True):
        assert begins in head
        assert re.match(r"\d{4}-\d\d-\d\dT\S+Z \[(info|warning|error) *\] ", head)
    assert not [line for line in lines if line.startswith("{")]


def _read(end: int) -> bytes:
    try:
        return os.read(end, 65_536)
    except OSError:  # how a terminal says that nobody is left at its other end
        return b""


def test_a_log_file_gets_all_lines_and_may_be_rotated_away(tmp_path: Path) -> None:
    path, old = tmp_path / "worker.log", tmp_path / "worker.log.1"
    script = SCRIPT + "import os; os.rename(sys.argv[1], sys.argv[2]); log.info('after'); logging.info('after too')"
    done = subprocess.run([sys.executable, "-c", script, path, old], capture_output=True, check=True, timeout=60)
    assert done.stderr == b""
    assert len(old.read_text().splitlines()) == len(EVENTS)
    assert [json.loads(line)["event"] for line in path.read_text().splitlines()] == ["after", "after too"]


def test_a_log_file_that_cannot_be_made_is_an_error_at_once(tmp_path: Path) -> None:
    path = tmp_path / "missing" / "worker.log"
    done = subprocess.run([sys.executable, "-c", SCRIPT, path], capture_output=True, text=True, check=False, timeout=60)
    assert done.returncode == 1
    assert "FileNotFoundError" in done.stderr


def test_a_closed_standard_error_stops_no_process() -> None:
    script = SCRIPT.replace("log = ", "sys.stderr.close(); log = ") + "print('done')"
    done = subprocess.run([sys.executable, "-c", script], capture_output=True, check=True, timeout=60)
    assert done.stdout == b"done\n"
    shell = f'exec "{sys.executable}" -c "$SCRIPT" 2>/dev/full'
    done = subprocess.run(
        ["/bin/sh", "-c", shell], env={"SCRIPT": SCRIPT + "print('done')"}, capture_output=True, check=True, timeout=60
    )
    assert done.stdout == b"done\n"


def record(name: str, msg: str, level: int = logging.ERROR, args: Any = ()) -> logging.LogRecord:
    return logging.makeLogRecord({"name": name, "msg": msg, "levelno": level, "args": args})


def test_what_is_said_on_each_try_is_said_once_a_minute(monkeypatch: pytest.MonkeyPatch) -> None:
    class Clock:
        now = 0.0

        def monotonic(self) -> float:
            return self.now

    clock = Clock()
    monkeypatch.setattr("worker.logging.throttle.time", clock)
    throttle = LogThrottle()
    consumer = "celery.worker.consumer.consumer"
    passed = [throttle.filter(record(consumer, "Cannot connect to %s")) for _ in range(5)]
    assert passed == [True, False, False, False, False]
    assert throttle.filter(record(consumer, "something else"))
    assert throttle.filter(record("flower.events", "Cannot connect to %s"))
    clock.now += REMIND_SECONDS
    reminder = record(consumer, "Cannot connect to %s")
    assert throttle.filter(reminder)
    assert vars(reminder)["suppressed"] == 4
    # Each of these is news.
    assert all(throttle.filter(record(consumer, "Connected to %s", logging.INFO)) for _ in range(3))
    assert all(throttle.filter(record("celery.app.trace", "Task %s raised unexpected")) for _ in range(3))
    assert not throttle.filter(
        record("celery.app.trace", "Task %(name)s succeeded", logging.INFO, {"name": "work_shift"})
    )
    assert throttle.filter(
        record("celery.app.trace", "Task %(name)s succeeded", logging.INFO, {"name": "producers.enqueue"})
    )
    assert not throttle.filter(record("py.warnings", "consumer.py:427: CPendingDeprecationWarning: ", logging.WARNING))
    assert throttle.filter(record("py.warnings", "x.py:1: UserWarning: ", logging.WARNING))
