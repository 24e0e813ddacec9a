"""The startup check: a worker does not start on a Redis that would lose jobs, or without the key of the stored tokens.

A running worker logs a warning when its Redis becomes unsafe.
"""

import contextlib
import os
import sys
import threading
import time
from collections.abc import Callable, Sequence

import structlog
from celery.exceptions import WorkerShutdown
from celery.worker.state import maybe_shutdown

from lanes.checks.finding import Finding
from lanes.checks.server import ServerInfo, check_server, inspect_server, startup_blockers, store_aof_settings
from lanes.credentials import CredentialStore
from lanes.errors import LanesError, RedisUnavailableError
from lanes.queue.store import LaneStore
from lanes.settings import WorkerSettings
from worker.safety.redis_availability import RedisAvailability
from worker.tokens.credential_watch import count_if_all_undecryptable
from worker.tokens.vault import Vault

log = structlog.get_logger()

CHECK_SECONDS = 60.0
RETRY_SECONDS = 1.0
EX_CONFIG = 78  # sysexits.h: a configuration error
EXIT_SECONDS = 15.0


class StartupCheck:
    """Checks the Redis of a worker, at the start and regularly."""

    def __init__(self, store: LaneStore, settings: WorkerSettings) -> None:
        self._store = store
        self._allowed = settings.allow_unsafe_redis
        self._warned: frozenset[str] = frozenset()

    def blocking_findings(self) -> list[Finding]:
        """Return why the worker must not start. Mere risks, and findings that the settings allow, are logged.

        Raises:
            RedisUnavailableError: Redis cannot be reached.
        """
        server_info = self._inspect()
        refused = startup_blockers(server_info)
        codes = {finding.code for finding in refused}
        for finding in check_server(server_info):
            if finding.code in ("no-aof", "no-info") and finding.code not in codes:
                warn_unsafe(finding)
        if not self._allowed:
            return refused
        for finding in refused:
            warn_unsafe(finding)
        return []

    def _inspect(self) -> ServerInfo:
        server_info = inspect_server(self._store)
        with contextlib.suppress(LanesError):  # a server that takes no writes is reported by the checks
            store_aof_settings(self._store, server_info)
        return server_info

    def recheck(self) -> None:
        """Log a warning once for each new reason not to start. The worker continues."""
        try:
            found = startup_blockers(self._inspect())
        except (LanesError, OSError):
            return  # unavailable: logged elsewhere
        for finding in found:
            if finding.code not in self._warned:
                warn_unsafe(finding)
        self._warned = frozenset(finding.code for finding in found)


def warn_unsafe(finding: Finding) -> None:
    """Log a risk."""
    log.warning("redis_unsafe", reason=finding.code, text=finding.text, remedy=finding.advice)


def refusal_lines(findings: Sequence[Finding]) -> list[str]:
    """Return a line for each reason not to start, and one that says how to start anyway."""
    lines = [f"the worker does not start: {finding.text}; {finding.advice}" for finding in findings]
    return [*lines, "LANES_ALLOW_UNSAFE_REDIS=true lets it start anyway"] if lines else []


def undecryptable_lines(store: CredentialStore, settings: WorkerSettings) -> list[str]:
    """Return the line of a worker that cannot decrypt any of the stored tokens, else nothing.

    Raises:
        RedisUnavailableError: Redis cannot be reached.
    """
    stored = count_if_all_undecryptable(store, Vault(settings.secret_key))
    if not stored:
        return []
    tokens = "the one stored token" if stored == 1 else f"any of the {stored} stored tokens"
    why = "LANES_SECRET_KEY does not decrypt" if settings.secret_key else "without LANES_SECRET_KEY it cannot decrypt"
    advice = "give it the key that they were stored with, or store them again: lanes token set, lanes token import"
    return [f"the worker does not start: {why} {tokens}; {advice}"]


def wait_for_redis(reasons: Callable[[], list[str]], availability: RedisAvailability) -> list[str]:
    """Return why the worker must not start, as soon as Redis can be asked. A Redis that cannot be used is a reason.

    Raises:
        WorkerShutdown: the worker was asked to stop meanwhile.
    """
    while True:
        asked_at = time.monotonic()
        try:
            found = reasons()
        except RedisUnavailableError as error:
            if error.trouble.is_permanent:
                return [f"the worker does not start: {error}"]
            availability.mark_unavailable(error)
        else:
            availability.mark_available(asked_at)
            return found
        time.sleep(RETRY_SECONDS)
        maybe_shutdown()


def refuse_start(lines: Sequence[str]) -> None:
    """Print why the worker does not start, and end it, at the latest after EXIT_SECONDS."""
    for line in lines:
        print(f"lanes: {line}", file=sys.__stderr__, flush=True)  # Celery turns sys.stderr into warnings
    timer = threading.Timer(EXIT_SECONDS, os._exit, (EX_CONFIG,))
    timer.daemon = True
    timer.start()
    raise WorkerShutdown(EX_CONFIG)
