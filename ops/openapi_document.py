"""Writes `docs/openapi.json`, the OpenAPI document of the gateway: `make docs`. A test compares the two."""

import json
from pathlib import Path

from producers.gateway.app import make_api

FILE = Path(__file__).parents[1] / "docs" / "openapi.json"


def document() -> str:
    """Return the document as the file has it."""
    return json.dumps(make_api().openapi(), indent=2) + "\n"


if __name__ == "__main__":
    FILE.write_text(document(), encoding="utf-8")
