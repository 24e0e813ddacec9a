from tests.worker.highlevel.conftest import make_sandbox, sandbox

__all__ = ["make_sandbox", "sandbox"]
