"""Child processes of a command or a test, which never outlive it."""

import contextlib
import ctypes
import os
import signal
import subprocess
import sys
from collections.abc import Mapping, Sequence
from pathlib import Path

PR_SET_PDEATHSIG = 1
STOP_SECONDS = 20.0


def _end_with_parent() -> None:
    """Make Linux kill this process when its parent ends. Runs between fork and exec."""
    if sys.platform == "linux":
        ctypes.CDLL(None).prctl(PR_SET_PDEATHSIG, signal.SIGKILL)


class Child:
    """A process in its own group, so that the terminal's Ctrl-C does not reach it.

    Args:
        name: its name in messages.
        command: the command line.
        log: the file to which its output is appended.
        environ: its whole environment, by default that of this process.
        folder: its working directory, by default that of this process.
    """

    def __init__(
        self,
        name: str,
        command: Sequence[str],
        log: Path,
        *,
        environ: Mapping[str, str] | None = None,
        folder: Path | None = None,
    ) -> None:
        self.name = name
        self.log = log
        with log.open("ab") as output:
            self._begins_at = output.tell()
            self._process = subprocess.Popen(
                command,
                stdin=subprocess.DEVNULL,
                stdout=output,
                stderr=subprocess.STDOUT,
                env=None if environ is None else dict(environ),
                cwd=folder,
                start_new_session=True,
                preexec_fn=_end_with_parent,  # noqa: PLW1509 - one call into libc, from a process's main thread
            )

    @property
    def pid(self) -> int:
        """The process id, also that of its group."""
        return self._process.pid

    @property
    def status(self) -> int | None:
        """The exit status, None while it runs."""
        return self._process.poll()

    def wait(self, seconds: float) -> int | None:
        """Wait for its end; return the exit status, None if it still runs."""
        with contextlib.suppress(subprocess.TimeoutExpired):
            self._process.wait(seconds)
        return self._process.returncode

    def ask_to_end(self) -> None:
        """Send SIGTERM to the process, if it still runs."""
        with contextlib.suppress(ProcessLookupError):
            self._process.terminate()

    def kill(self) -> None:
        """Kill it and its children with SIGKILL."""
        with contextlib.suppress(ProcessLookupError):
            os.killpg(self.pid, signal.SIGKILL)
        self._process.wait()

    def stop(self, seconds: float = STOP_SECONDS) -> int:
        """End it with SIGTERM, or with SIGKILL after `seconds`; return its exit status."""
        self.ask_to_end()
        status = self.wait(seconds)
        self.kill()
        return self._process.returncode if status is None else status

    @property
    def output(self) -> str:
        """Its output."""
        return self.log.read_bytes()[self._begins_at :].decode("utf-8", "replace")

    def tail(self, lines: int = 15) -> str:
        """Return the end of its output."""
        return "\n".join(self.output.splitlines()[-lines:])


def end_on_signals() -> None:
    """Make SIGTERM and SIGHUP (a closed terminal) end this process like Ctrl-C, so that it ends its children."""

    def interrupt(*_: object) -> None:
        raise KeyboardInterrupt

    for number in (signal.SIGTERM, signal.SIGHUP):
        signal.signal(number, interrupt)
