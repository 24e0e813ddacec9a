"""`lanes sandbox`: the server that behaves like HighLevel."""

from ops.sandbox.cli import sandbox

__all__ = ["sandbox"]
