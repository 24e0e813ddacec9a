"""The worker's app with a fault, for the tests of the watchdog; the variable FAULT names it."""

import os
import time
from typing import Any

from celery import bootsteps
from celery.utils.nodenames import worker_direct

from worker.app import load_app


def go_deaf(consumer: Any) -> None:
    """Take nothing more from the broker, and go on otherwise, as Celery was seen to do after a reconnect."""
    consumer.task_consumer.cancel()


def cancel_queue(consumer: Any) -> None:
    """Stop consuming its own queue, as remote control could make it."""
    consumer.cancel_task_queue(worker_direct(consumer.hostname).name)


def stand_still(consumer: Any) -> None:
    """Never come back."""
    del consumer
    while True:
        time.sleep(60)


FAULTS = {"deaf": go_deaf, "cancelled": cancel_queue, "still": stand_still}


class FaultStep(bootsteps.StartStopStep):  # type: ignore[misc]
    """Breaks the first consumer as soon as it consumes."""

    requires = {"celery.worker.consumer:Tasks"}  # noqa: RUF012 - Celery's way to say it
    done = False

    def start(self, parent: Any) -> None:
        """Set the fault up, once."""
        if FaultStep.done:
            return
        FaultStep.done = True
        ready = parent.on_ready

        def break_it() -> None:
            del parent.on_ready
            ready()
            FAULTS[os.environ["FAULT"]](parent)

        parent.on_ready = break_it


app = load_app()
app.steps["consumer"].add(FaultStep)
