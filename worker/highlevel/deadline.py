"""Total deadlines of requests. A socket's own timeout is none: it restarts with every byte."""

import threading
import time
from weakref import WeakSet

from worker.highlevel.connection import Connection

CHECK_SECONDS = 0.1


class RequestDeadlines:
    """Shuts down connections at the deadline of their request, which wakes their threads. Uses one thread.

    A user sets a connection's deadline to infinity after a request, reads the clock then, and drops the connection if
    the deadline has passed. So a connection that is shut down here is never used for another request.
    """

    def __init__(self) -> None:
        self._lock = threading.Lock()
        self._connections: WeakSet[Connection] = WeakSet()
        self._thread: threading.Thread | None = None

    def watch(self, connection: Connection) -> None:
        """Enforce the deadlines of a connection as long as it exists.

        Raises:
            RuntimeError: no thread can be started.
        """
        with self._lock:
            if self._thread is None or not self._thread.is_alive():
                self._thread = threading.Thread(target=self._run, name="http-deadlines", daemon=True)
                self._thread.start()
            self._connections.add(connection)

    def _run(self) -> None:
        while True:
            time.sleep(CHECK_SECONDS)
            self._shut_down_late()

    def _shut_down_late(self) -> None:
        now = time.monotonic()  # before the deadlines are read
        with self._lock:
            late = [connection for connection in self._connections if connection.deadline <= now]
        for connection in late:
            connection.shut_down()
