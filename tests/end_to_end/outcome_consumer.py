"""A service that reads its outcomes: writes each as a line of a file, and acknowledges it then. It may be killed."""

import json
import os
import sys

from producers import OpportunityProducer


def consume(path: str) -> None:
    """Append every outcome to a file."""
    file = os.open(path, os.O_WRONLY | os.O_CREAT | os.O_APPEND)
    with OpportunityProducer.from_settings() as producer:
        for outcome in producer.outcomes("crm-sync", claim_seconds=2):
            os.write(file, json.dumps(outcome.as_json()).encode() + b"\n")
            os.fsync(file)
            outcome.ack()


if __name__ == "__main__":
    consume(sys.argv[1])
