"""Ends a process of the gateway with the one that started it."""

import asyncio
import contextlib
import multiprocessing
import os
import signal


def end_with_parent() -> None:
    """Stop this process when the one that started it is gone. Call it in a process of several."""
    parent = multiprocessing.parent_process()
    if parent is None:
        return
    loop = asyncio.get_running_loop()

    def stop() -> None:
        loop.remove_reader(parent.sentinel)
        with contextlib.suppress(ProcessLookupError):
            os.kill(os.getpid(), signal.SIGTERM)

    loop.add_reader(parent.sentinel, stop)
