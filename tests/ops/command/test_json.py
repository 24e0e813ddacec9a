"""What commands print as JSON."""

import json
from typing import Any

import pytest

from lanes.storage.stored import text_of
from ops.command.console import as_json

DEEP: Any = []
for _ in range(600):
    DEEP = [DEEP]

VALUES = {
    "letters": {"é": "\x1b ☃"},
    "bytes that are no UTF-8": {text_of(b"key\xff"): [text_of(b"\x80")]},
    "deep": DEEP,
    "numbers": [0, -1, 10**40, 1.5, 1e-7, 1e22, 0.1, None, True],
}


@pytest.mark.parametrize("value", VALUES.values(), ids=VALUES)
def test_every_stored_value_can_be_printed(value: object) -> None:
    line = as_json(value)
    assert line.isascii()
    assert b"\n" not in line
    assert json.loads(line) == value
