"""The names of the Celery tasks, as messages and Flower have them."""

SHIFT_TASK = "work_shift"
ENQUEUE_TASK = "producers.enqueue"
