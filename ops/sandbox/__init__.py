"""A server that behaves like HighLevel, for tests and demos: contract, rate limits, faults on demand, request log."""

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
