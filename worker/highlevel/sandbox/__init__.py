"""A server that behaves as HighLevel does, beside the client: contract, limits, faults on demand, and an account."""

from worker.highlevel.sandbox.account import Account, RecordKey, Seen
from worker.highlevel.sandbox.control import SandboxControl
from worker.highlevel.sandbox.faults import Fault, FaultKind
from worker.highlevel.sandbox.sandbox import Sandbox, serve
from worker.highlevel.sandbox.settings import DEFAULT_TOKEN, SandboxSettings

__all__ = [
    "DEFAULT_TOKEN",
    "Account",
    "Fault",
    "FaultKind",
    "RecordKey",
    "Sandbox",
    "SandboxControl",
    "SandboxSettings",
    "Seen",
    "serve",
]
