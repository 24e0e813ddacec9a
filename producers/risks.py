"""Warns of a Redis that may lose jobs, once a producer. A worker refuses to start there; a producer goes on."""

import logging
from collections.abc import Mapping
from typing import Any

from lanes.checks.server import STARTUP_BLOCKERS, ServerInfo, check_server

log = logging.getLogger(__name__)


def warn_of_risks(info: Mapping[str, Any] | None) -> None:
    """Log a line for each reason, by the reply to INFO; None if this user may not ask."""
    if info is not None:
        for finding in check_server(ServerInfo(info, config=None, skew=0.0)):
            if finding.code in STARTUP_BLOCKERS:
                log.warning("LANES_REDIS_URL: %s; %s", finding.text, finding.advice)
