"""Errors of this machine that prevent it from sending: neither a refusal nor an outage of the API."""

import errno
import mmap
import random
import socket
import ssl
import struct
import time

import structlog

log = structlog.get_logger()

# No descriptors, memory or local ports left, no permission, or a missing file (of trusted certificates). An error that
# may also come from the network or the API is not in this list.
LOCAL = {
    *(errno.EMFILE, errno.ENFILE, errno.ENOBUFS, errno.ENOMEM),
    *(errno.EADDRNOTAVAIL, errno.EACCES, errno.EPERM, errno.ENOENT, errno.ENOTDIR),
}
REMIND_SECONDS = 60.0
SETTLE_SECONDS = 10.0
PAUSE_SECONDS = 1.0


def is_local(error: BaseException | None) -> bool:
    """Return whether an error, or one of its causes, is a local one."""
    while error is not None:
        if isinstance(error, (ssl.SSLError, socket.gaierror)):
            return False  # their errno has another meaning
        if isinstance(error, OSError) and error.errno in LOCAL:
            return True
        error = error.__cause__ or error.__context__
    return False


class LocalFailures:
    """Logs that this worker cannot send, at first and each minute, and once that it can again.

    Shared by all threads and processes of a worker, made before its pool forks.
    """

    def __init__(self) -> None:
        # Times of `time.monotonic()`, the same in all processes: last failure, last logged.
        self._times = mmap.mmap(-1, 16)

    @property
    def active(self) -> bool:
        """Whether there was a failure within the last seconds."""
        met_at = struct.unpack_from("d", self._times)[0]
        return bool(met_at) and time.monotonic() - met_at < SETTLE_SECONDS

    def record(self, message: str) -> float:
        """Note a failure; return for how many seconds to send nothing."""
        now = time.monotonic()
        logged_at = struct.unpack_from("d", self._times, 8)[0]
        struct.pack_into("d", self._times, 0, now)
        if not logged_at or now - logged_at >= REMIND_SECONDS:
            struct.pack_into("d", self._times, 8, now)
            log.error("worker_cannot_send", error=message, remedy="check this machine; its jobs are queued again")
        return PAUSE_SECONDS * random.uniform(0.5, 1.5)  # noqa: S311 - jitter

    def record_success(self) -> None:
        """Note that a request was sent. Cheap while there are no failures."""
        met_at = struct.unpack_from("d", self._times)[0]
        if met_at and time.monotonic() - met_at >= SETTLE_SECONDS:
            struct.pack_into("2d", self._times, 0, 0.0, 0.0)
            log.warning("worker_can_send_again")
