"""`lanes sandbox`: the server that behaves as HighLevel."""

from ops.sandbox.cli import sandbox

__all__ = ["sandbox"]
