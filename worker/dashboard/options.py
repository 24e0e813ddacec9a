"""Starts the dashboard from its options."""

import atexit
import contextlib
import signal
import sys
from collections.abc import Sequence
from difflib import get_close_matches

from celery import Celery
from prometheus_client import REGISTRY

from lanes.queue.store import LaneStore
from lanes.settings import DashboardSettings
from worker.dashboard import flower
from worker.dashboard.access import AccessPolicy, AccessPolicyError, bind_address, check_credentials
from worker.dashboard.routes import handlers
from worker.metrics import register
from worker.metrics.samples import loops_collector


def check_option_names(arguments: Sequence[str]) -> None:
    """Check that Flower knows these options: it skips unknown ones, and a typing error could disable authentication.

    Raises:
        AccessPolicyError: one is unknown.
    """
    for argument in arguments:
        name = argument.lstrip("-").partition("=")[0].replace("-", "_")
        if argument.startswith("-") and (name == "help" or flower.is_flower_option(argument)):
            continue
        close = get_close_matches(name, [str(known).replace("-", "_") for known in flower.default_options], n=1)
        hint = f"did you mean --{close[0]}?" if close else "see: lanes dashboard -- --help"
        message = f"{argument}: Flower has no such option; {hint}"
        raise AccessPolicyError(message)


def access_policy(arguments: Sequence[str], credentials: Sequence[str] = ()) -> AccessPolicy:
    """Read Flower's options; return who has access.

    Raises:
        AccessPolicyError: an option is unknown or invalid, or would give everyone access.
    """
    check_option_names(arguments)
    options = flower.default_options
    try:
        flower.parse(arguments)
        api_open = flower.unauthenticated_api()
    except Exception as error:  # the configuration file is Python, and may raise anything
        message = f"Flower's options: {error}"
        raise AccessPolicyError(message) from error
    if credentials and options.basic_auth:
        message = "passwords come from --basic-auth-file and from Flower's basic_auth; keep one of the two"
        raise AccessPolicyError(message)
    if credentials:
        options.basic_auth = list(credentials)
    elif options.basic_auth:
        check_credentials(list(options.basic_auth), "basic_auth")
    access = AccessPolicy(bool(options.basic_auth), bool(options.auth), bool(options.read_only))
    options.address = bind_address(
        access, options.address, unix_socket=options.unix_socket, unauthenticated_api=api_open
    )
    return access


def run(capp: Celery, store: LaneStore, settings: DashboardSettings, access: AccessPolicy) -> None:
    """Serve until the process is stopped.

    Raises:
        AccessPolicyError: the address or port is not available.
    """
    flower.extract_settings()
    flower.setup_logging()
    flower.patch_login()
    dashboard = flower.Dashboard(capp, store, settings, access, handlers())
    dashboard.metrics = register(store, settings, wait=0)  # a scrape waits in a thread
    REGISTRY.register(loops_collector(dashboard.supervisor.failures))
    atexit.register(dashboard.stop)
    signal.signal(signal.SIGTERM, flower.sigterm_handler)
    try:
        port = dashboard.start_http_server()
    except OSError as error:
        chosen = dashboard.options
        message = (
            f"cannot listen on {chosen.address or '*'}, port {chosen.port}: {error.strerror}; see --address, --port"
        )
        raise AccessPolicyError(message) from error
    flower.print_banner(capp, "ssl_options" in flower.flower_settings, port)
    if not access.requires_login:
        sys.stderr.write(
            f"No authentication is configured: the dashboard listens on {dashboard.options.address} only and refuses "
            "other machines. For access from other machines: --basic-auth-file, or Flower's --auth.\n"
        )
    with contextlib.suppress(KeyboardInterrupt, SystemExit):
        dashboard.start()
