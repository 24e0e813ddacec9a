"""A JSON array: read element by element, however it is written."""

import io
import json
import re
import tracemalloc
from collections.abc import Iterator
from typing import Any, cast

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from producers.files import json_array
from producers.files.rows import MAX_ROW_BYTES, read_rows
from tests.producers.files.row_files import GOOD, reported, rows_of

ROW = {"name": 'a "quoted" \\ ] } , text', "n": [1, {"deep": [[]]}], "e": "Ünal"}


@pytest.mark.parametrize(
    ("text", "lines"),
    [
        ("[]", []),
        ("[ \n ]\n\n", []),
        (f"[{GOOD}]", ["1 (element 1)"]),
        (f"[{GOOD},{GOOD}]", ["1 (element 1)", "1 (element 2)"]),
        (f"\ufeff\n [\r\n  {GOOD},\r\n\r\n  {GOOD}\r\n]\r\n", ["3 (element 1)", "5 (element 2)"]),
        (f"[\n{GOOD}\n,\n{GOOD}\n]", ["2 (element 1)", "4 (element 2)"]),
        (json.dumps([json.loads(GOOD)] * 2, indent=2), ["2 (element 1)", "7 (element 2)"]),
    ],
)
def test_elements_say_where_they_are(text: str, lines: list[str]) -> None:
    rows = rows_of(text, "jsonl")
    assert [row.where for row in rows] == lines
    assert [row.number for row in rows] == list(range(1, len(lines) + 1))
    assert all(row.value == json.loads(GOOD) for row in rows)


@pytest.mark.parametrize(
    ("text", "wanted"),
    [
        ("[1,null,[{}]]", ["1 must be a JSON object (it is 1)", "2 must be a JSON object", "3 must be a JSON object"]),
        (f"[{{'a':1}},{GOOD}]", ["1 is not JSON: Expecting property name", f"2 {GOOD}"]),
        (f"[{GOOD} {GOOD},{GOOD}]", ["1 is not JSON: Extra data", f"2 {GOOD}"]),
        (f"[{GOOD},]", [f"1 {GOOD}", "2 is empty: there is a comma too many"]),
        (f'[{{"a":1,"a":2}},{GOOD}]', ["1 a: must be given only once", f"2 {GOOD}"]),
        (f'[{{"a":"open}},\n{GOOD}]', ["1 is not JSON: Unterminated string starting at column 6", f"2 {GOOD}"]),
        (f'[{{"a":\n"open,\n"b":1}},\n{GOOD}]', ["1 is not JSON", "2 is not JSON", f"3 {GOOD}"]),
        (f'[{{"a":"open}},{GOOD}]', ["1 the array ends without ]"]),
        (f"[{GOOD},", [f"1 {GOOD}", "2 the array ends without ]: is the file complete? The rows before were read"]),
        (f"[{GOOD},{GOOD[:-5]}", [f"1 {GOOD}", "2 the array ends without ]"]),
        ("[", ["1 the array ends without ]"]),
        (f"[{GOOD}]\n{GOOD}", [f"1 {GOOD}", "2 is behind the end of the array: all rows must be in one array"]),
        (f"[{GOOD}][{GOOD}]", [f"1 {GOOD}", "2 is behind the end of the array"]),
        (b'[{"a":"\xff"},{}]', ["1 must be UTF-8; byte 7 is not", "2 {}"]),
        (f'["{"x" * MAX_ROW_BYTES}",{GOOD}]', [f"1 must be at most {MAX_ROW_BYTES} bytes long", f"2 {GOOD}"]),
        (f"[{' ' * 400_000}{GOOD},{GOOD}]", [f"1 {GOOD}", f"2 {GOOD}"]),
    ],
    ids=lambda value: repr(value)[:30],
)
def test_a_broken_element_costs_itself_alone_where_its_end_is_known(text: str | bytes, wanted: list[str]) -> None:
    found = [re.sub(r"^\d+ \(element (\d+)\)", r"\1", line) for line in reported(text, "jsonl")]
    assert len(found) == len(wanted)
    assert all(line.startswith(start) for line, start in zip(found, wanted, strict=True)), found


VALUES = st.recursive(
    st.text(max_size=9) | st.integers(),
    lambda inner: st.lists(inner, max_size=4) | st.dictionaries(st.text(max_size=9), inner, max_size=4),
    max_leaves=9,
)


@given(st.lists(VALUES, max_size=9))
@settings(max_examples=50)
def test_an_array_is_split_like_json_reads_it(values: list[object]) -> None:
    for indent in (None, 1):
        text = json.dumps(values, indent=indent, ensure_ascii=False).encode("utf-8", "surrogatepass")
        for size in (1, 7):
            array = json_array._Array(None)
            chunks = [text[at : at + size] for at in range(0, len(text), size)]
            found = [json.loads(element.raw) for chunk in chunks for element in array.feed(chunk)]
            assert (found, array.closed) == (values, True)


class Endless(io.RawIOBase):
    """An array of so many elements that it does not fit in memory."""

    def __init__(self, elements: int) -> None:
        self._pieces = self._write(elements)

    @staticmethod
    def _write(elements: int) -> Iterator[bytes]:
        yield b"["
        block = (b'{"name":"' + b"n" * 1000 + b'"},') * 64
        for _ in range(elements // 64):
            yield block
        yield b"{}]"

    def readable(self) -> bool:
        return True

    def readinto(self, buffer: bytearray) -> int:  # type: ignore[override]
        piece = next(self._pieces, b"")
        buffer[: len(piece)] = piece
        return len(piece)


def test_memory_does_not_grow_with_the_array() -> None:
    tracemalloc.start()
    file: Any = io.BufferedReader(cast("Any", Endless(64 * 100)), 1 << 17)
    count = 0
    for _ in read_rows(file, "jsonl"):
        count += 1
    _, peak = tracemalloc.get_traced_memory()
    tracemalloc.stop()
    assert count == 64 * 100 + 1
    assert peak < 2 * 1024 * 1024
