"""`python -m benchmarks.trusting MODULE ...` runs a module that trusts the certificate in `$BARE_CERTIFICATE` alone.

Our worker verifies certificates by the list of `certifi` and has no setting for another one.
"""

import os
import runpy
import sys

import certifi

if __name__ == "__main__":
    path = os.environ["BARE_CERTIFICATE"]
    certifi.where = lambda: path
    sys.argv = sys.argv[1:]
    runpy.run_module(sys.argv[0], run_name="__main__", alter_sys=True)
