"""The worker: `celery -A worker worker`, and Flower with `celery -A worker flower`."""

from typing import Any


def __getattr__(name: str) -> Any:
    """Make the app when Celery asks for it: the API's client and the sandbox beside it do without."""
    if name in ("app", "celery"):
        from worker.app import app  # noqa: PLC0415 - only now

        return app
    message = f"module {__name__!r} has no attribute {name!r}"
    raise AttributeError(message)
