"""A server that behaves as HighLevel does, beside the client: contract, limits, faults on demand, and an account."""

from ops.sandbox.control import SandboxControl
from ops.sandbox.faults import Fault, FaultKind
from ops.sandbox.request_log import LoggedRequest, RecordKey, RequestLog
from ops.sandbox.runner import Sandbox, serve
from ops.sandbox.settings import DEFAULT_TOKEN, SandboxSettings

__all__ = [
    "DEFAULT_TOKEN",
    "Fault",
    "FaultKind",
    "LoggedRequest",
    "RecordKey",
    "RequestLog",
    "Sandbox",
    "SandboxControl",
    "SandboxSettings",
    "serve",
]
