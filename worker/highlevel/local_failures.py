"""Troubles of this machine or process that keep it from sending: nobody's refusal, and no outage of the API."""

import errno
import mmap
import random
import socket
import ssl
import struct
import time

import structlog

log = structlog.get_logger()

# No descriptors, no memory, no ports of its own to send from, not allowed to, or a file that is missing (as that of the
# certificates of those who vouch for others). Whatever may as well be the network's or the API's own is none of these.
LOCAL = frozenset(
    {
        *(errno.EMFILE, errno.ENFILE, errno.ENOBUFS, errno.ENOMEM),
        *(errno.EADDRNOTAVAIL, errno.EACCES, errno.EPERM, errno.ENOENT),
    }
)
REMIND_SECONDS = 60.0
SETTLE_SECONDS = 10.0
PAUSE_SECONDS = 1.0


def is_local(error: BaseException | None) -> bool:
    """Return whether an error, or one that it came from, is such a trouble."""
    while error is not None:
        if isinstance(error, (ssl.SSLError, socket.gaierror)):
            return False  # their numbers mean something else
        if isinstance(error, OSError) and error.errno in LOCAL:
            return True
        error = error.__cause__ or error.__context__
    return False


class LocalFailures:
    """Says that this worker cannot send, once and then once a minute, and once that it can again.

    One for all threads and processes of a worker, made before its pool forks.
    """

    def __init__(self) -> None:
        # Times by `time.monotonic()`, which is the same in all processes: last met, last said.
        self._times = mmap.mmap(-1, 16)

    @property
    def active(self) -> bool:
        """Whether it was met within the last seconds."""
        met_at = struct.unpack_from("d", self._times)[0]
        return bool(met_at) and time.monotonic() - met_at < SETTLE_SECONDS

    def record(self, message: str) -> float:
        """It was met; return for how many seconds to leave it alone."""
        now = time.monotonic()
        logged_at = struct.unpack_from("d", self._times, 8)[0]
        struct.pack_into("d", self._times, 0, now)
        if not logged_at or now - logged_at >= REMIND_SECONDS:
            struct.pack_into("d", self._times, 8, now)
            log.error("worker_cannot_send", error=message, remedy="see to this machine: its jobs go back untouched")
        return PAUSE_SECONDS * random.uniform(0.5, 1.5)  # noqa: S311 - jitter

    def record_success(self) -> None:
        """A request went out. Costs next to nothing as long as there is no trouble."""
        met_at = struct.unpack_from("d", self._times)[0]
        if met_at and time.monotonic() - met_at >= SETTLE_SECONDS:
            struct.pack_into("2d", self._times, 0, 0.0, 0.0)
            log.warning("worker_can_send_again")
