"""The worker: `celery -A worker worker`, and Flower with `celery -A worker flower`."""

from importlib import import_module
from typing import Any


def __getattr__(name: str) -> Any:
    """Make the app when Celery's command reads `worker.celery`. Other imports of the package make none."""
    if name == "celery":
        return import_module("worker.app").load_app()
    message = f"module {__name__!r} has no attribute {name!r}"
    raise AttributeError(message)
