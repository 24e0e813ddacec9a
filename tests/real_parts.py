"""Programs that tests drive and a machine may lack (`ops/install_real_parts` brings them).

Each function returns the path of one. Where it is missing, the test that asked is skipped and says why; with
LANES_REQUIRE_REAL_PARTS=1, as in CI, it fails.
"""

import os
import shutil
from typing import NoReturn

import pytest


def chromium() -> str:
    """A browser for Playwright's `executable_path`."""
    return _part("chromium", "chromium-browser", "google-chrome")


def prometheus() -> str:
    """The server that scrapes metrics."""
    return _part("prometheus")


def promtool() -> str:
    """What checks metrics, rules and configuration; Debian's package `prometheus` has it."""
    return _part("promtool")


def systemd_analyze() -> str:
    """What checks units."""
    return _part("systemd-analyze")


def node() -> str:
    """A JavaScript that is no browser."""
    return _part("node")


def npm() -> str:
    """What installs packages for Node."""
    return _part("npm")


def _part(*names: str) -> str:
    path = next(filter(None, map(shutil.which, names)), None)
    return path or missing(f"no {names[0]} on the PATH; ops/install_real_parts installs it")


def missing(message: str, *, expected: bool = True) -> NoReturn:
    """Skip the test that lacks something. In CI it fails, if `.ci/run` was `expected` to bring it."""
    if expected and os.environ.get("LANES_REQUIRE_REAL_PARTS") == "1":
        pytest.fail(message, pytrace=False)
    pytest.skip(message)
