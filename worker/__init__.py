"""The worker: `celery -A worker worker`, and Flower with `celery -A worker flower`."""

from worker.app import app

__all__ = ["app"]
