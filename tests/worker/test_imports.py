"""To import a module configures and patches nothing; only `worker.celery` does."""

import subprocess
import sys
from typing import Any

CODE = """
import logging, pkgutil, sys
from importlib import import_module

import structlog
from celery.worker.consumer import consumer
from celery.worker.control import Panel
from kombu.transport import redis as transport

dump_body, commands, close, loads = consumer.dump_body, set(Panel.data), transport.Channel.close, transport.loads
import lanes, ops, producers, worker

for package in (lanes, producers, worker, ops):
    for module in pkgutil.walk_packages(package.__path__, package.__name__ + "."):
        if not module.name.endswith("__main__"):
            import_module(module.name)
assert not structlog.is_configured()
assert (dump_body, close, loads) == (consumer.dump_body, transport.Channel.close, transport.loads)
assert set(Panel.data) == commands
"""


def run(code: str, **environment: str) -> "subprocess.CompletedProcess[str]":
    options: dict[str, Any] = {"capture_output": True, "text": True, "env": environment}
    return subprocess.run([sys.executable, "-c", code], check=False, **options)


def test_to_import_every_module_reads_no_setting_and_changes_nothing() -> None:
    done = run(CODE, LANES_LEASE_SECONDS="nonsense")
    assert done.stderr == ""
    assert done.returncode == 0


def test_the_app_is_made_when_celery_asks_for_it() -> None:
    done = run("import worker; assert worker.celery is worker.celery; print(worker.celery.main)")
    assert (done.stdout, done.stderr) == ("lanes\n", "")
    done = run("import worker; worker.celery", LANES_LEASE_SECONDS="nonsense")
    assert done.returncode == 2
    assert "LANES_LEASE_SECONDS" in done.stderr
    assert "Traceback" not in done.stderr
