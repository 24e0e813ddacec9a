"""The names of the Celery tasks, as in messages and Flower."""

SHIFT_TASK = "work_shift"
ENQUEUE_TASK = "producers.enqueue"
