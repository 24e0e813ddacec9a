"""JSON Lines, and files of any bytes: a broken line affects only itself."""

import json
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from lanes.settings import ProducerSettings
from producers import EnqueueOptions
from producers.batching import check_rows
from producers.files.rows import MAX_ROW_BYTES, FileRow, Format
from tests.producers.conftest import OK
from tests.producers.files.row_files import GOOD, HEADER, reported, rows_of


@pytest.mark.parametrize(
    ("content", "numbers"),
    [
        ("", []),
        ("\n\n  \n\t\r\n", []),
        (GOOD, [1]),
        (f"{GOOD}\n", [1]),
        (f"{GOOD}\r\n{GOOD}\r\n", [1, 2]),
        (f"\n\n{GOOD}\n\n \n{GOOD}", [3, 6]),
        (f"\ufeff{GOOD}\n", [1]),
        (f"\ufeff\n{GOOD}\n", [2]),
        (f"  {GOOD}\t \r\n", [1]),
        (GOOD.replace(", ", ",\t"), [1]),
    ],
)
def test_json_lines_with_and_without_bom_crlf_and_blank_lines(content: str, numbers: list[int]) -> None:
    assert rows_of(content, "jsonl") == [FileRow(number, OK, (), number) for number in numbers]


NESTED = "[" * 100_000 + "]" * 100_000
TWICE = "must be given only once"

JSON_LINES: list[tuple[str | bytes, str]] = [
    ("null", "must be a JSON object (it is None)"),
    ("[]", "must be a JSON object (it is [])"),
    ('"{}"', "must be a JSON object (it is '{}')"),
    ("NaN", "must be a JSON object (it is NaN)"),
    ("1e999", "must be a JSON object (it is 1e999)"),
    ("9" * 5000, f"must be a JSON object (it is {'9' * 59}…)"),
    ("{", "is not JSON: Expecting property name enclosed in double quotes at column"),
    (GOOD[:-1], "is not JSON: Expecting ',' delimiter at column"),
    (f"{GOOD} {GOOD}", "is not JSON: Extra data at column"),
    (f"{GOOD}\r{GOOD}", "is not JSON: Extra data at column"),
    ('{"a":"\t"}', "is not JSON: Invalid control character at column 7"),
    ('{"a":1,"a":1}', f"a: {TWICE} (it is 1 and 1)"),
    ('{"a":1,"b":{"c":null,"d":1,"c":"x"}}', f"c: {TWICE} (it is None and 'x')"),
    ('{"a":1,"\\u0061":[2]}', f"a: {TWICE} (it is 1 and [2])"),
    ('{"\\n":1,"\\n":2}', rf"\n: {TWICE} (it is 1 and 2)"),
    (NESTED, "must not be nested so deeply"),
    (f'{{"a":{NESTED}}}', "must not be nested so deeply"),
    ('{"a":' * 20_000, "must not be nested so deeply"),
    ("\ufeff{}", "is not JSON: Expecting value at column 1 (it is '\\ufeff{}')"),
    (b'{"a":"\xff"}', "must be UTF-8; byte 7 is not"),
    (b"\xed\xa0\x80", "must be UTF-8; byte 1 is not"),
    (b"\xc3", "must be UTF-8; byte 1 is not"),
    ('{"a":"\0"}', "must be UTF-8 without NUL; is it UTF-16?"),
    (GOOD.encode("utf-16-le"), "must be UTF-8 without NUL; is it UTF-16?"),
    (GOOD.encode("utf-16"), "must be UTF-8; byte 1 is not"),
    (f'{{"a":"{"x" * MAX_ROW_BYTES}"}}', f"must be at most {MAX_ROW_BYTES} bytes long"),
    ("x" * (3 * MAX_ROW_BYTES + 7), f"must be at most {MAX_ROW_BYTES} bytes long"),
    (b"\xff" * (MAX_ROW_BYTES + 1), f"must be at most {MAX_ROW_BYTES} bytes long"),
]


@pytest.mark.parametrize(("line", "wanted"), JSON_LINES, ids=lambda value: repr(value)[:30])
@pytest.mark.parametrize("end", [b"\n", b"\r\n", b""], ids=["lf", "crlf", "end of file"])
def test_a_broken_json_line_costs_itself_alone(line: str | bytes, wanted: str, end: bytes) -> None:
    raw = line.encode() if isinstance(line, str) else line
    first, broken, *rest = reported(GOOD.encode() + b"\n" + raw + end + (GOOD.encode() if end else b""), "jsonl")
    assert broken.startswith(f"2 {wanted}")
    assert broken.isprintable()
    assert len(broken) < 250
    assert [first, *rest] == [f"1 {GOOD}", f"3 {GOOD}"][: 2 if end else 1]


@pytest.mark.parametrize("number", ["NaN", "Infinity", "-Infinity", "1e999", "-1e999", "9" * 401, "-" + "9" * 400])
def test_what_is_no_finite_number_is_refused_by_its_field_and_not_by_its_line(number: str) -> None:
    (row,) = rows_of(f'{{"pipelineId":"p","locationId":"l","contactId":"c","monetaryValue":{number}}}', "jsonl")
    assert not row.field_errors
    batch = check_rows([row], EnqueueOptions(), ProducerSettings())
    shown = number if len(number) < 60 else f"{number[:59]}…"
    assert [str(rejected) for rejected in batch.refused] == [
        f"row 1: monetaryValue: should be a valid number (it is {shown})"
    ]


@pytest.mark.parametrize(
    ("number", "value"), [("12", 12), ("12.50", 12.5), ("1e3", 1000.0), ("9" * 400, int("9" * 400))]
)
def test_numbers_of_json(number: str, value: float) -> None:
    (row,) = rows_of(f'{{"n":{number}}}', "jsonl")
    assert row.value == {"n": value}


def test_a_line_may_have_the_most_bytes_and_no_more() -> None:
    frame = len('{"a":""}\n')
    fits = f'{{"a":"{"x" * (MAX_ROW_BYTES - frame)}"}}\n'
    assert len(fits) == MAX_ROW_BYTES
    assert [bool(row.field_errors) for row in rows_of(fits + fits.replace("x", "xx", 1), "jsonl")] == [False, True]


@pytest.mark.timeout(10)
def test_very_many_names_are_no_trouble() -> None:
    """Comparing each with each takes longer than a test may."""
    names = [f"{number:x}" for number in range(24_000)]
    line = ",".join(f'"{name}":1' for name in [*names, names[-1]])
    assert reported(f"{{{line}}}", "jsonl") == [f"1 {names[-1]}: {TWICE} (it is 1 and 1)"]
    header = ",".join(f"{number:x}" for number in range(45_000))
    assert len(rows_of(f"{header}\n{',' * 44_999}x\n", "csv")) == 1


def check_parsed(content: bytes, form: Format) -> None:
    """Read bytes to their end: rows in order, each good or with problems, all of which can be checked and shown."""
    lines = content.count(b"\n") + 1
    last = 0
    rows = rows_of(content, form)
    for row in rows:
        assert last < row.number <= row.last_line
        assert (row.array_line or row.last_line) <= lines
        assert isinstance(row.value, dict) or row.field_errors
        last = row.number if row.field_errors else row.last_line
    assert not any(row.unreadable for row in rows[:-1])
    batch = check_rows(rows, EnqueueOptions(), ProducerSettings())
    assert len(batch.new_jobs) + len(batch.refused) == len(rows)
    assert all(str(rejected).isprintable() for rejected in batch.refused)


PIECES = st.sampled_from(
    [
        *(b"\n", b"\r", b"\r\n", b'"', b'""', b",", b";", b"{", b"}", b"[", b":", b"\\", b"\\u0000", b"\\ud800", b"\0"),
        *(
            b"\xef\xbb\xbf",
            b"\xff",
            b" ",
            b"contactId",
            b"_options",
            b"_options.service",
            b"monetaryValue",
            b"1",
            b"1e999",
        ),
        *(GOOD.encode(), HEADER.encode(), b"NaN", b"null"),
    ]
)
BYTES = st.binary(max_size=200) | st.lists(PIECES, max_size=40).map(b"".join)


@given(BYTES, st.sampled_from(["jsonl", "csv"]))
def test_any_bytes_whatever_are_read(content: bytes, form: Format) -> None:
    check_parsed(content, form)
    check_parsed(HEADER.encode() + content, form)


@given(
    st.lists(BYTES.map(lambda raw: raw.replace(b"\n", b"")) | st.none(), max_size=20), st.sampled_from([b"\n", b"\r\n"])
)
def test_good_rows_come_through_whatever_stands_in_the_lines_between(garbage: list[bytes | None], end: bytes) -> None:
    """A None stands for a good row; each says in which line it is."""

    def good(number: int) -> dict[str, Any]:
        return {**OK, "name": f"line {number}"}

    garbage = [None, *garbage]  # the first line decides what the file is
    lines = [json.dumps(good(n)).encode() if raw is None else raw for n, raw in enumerate(garbage, 1)]
    found = {row.number: row.value for row in rows_of(end.join(lines), "jsonl")}
    for number, raw in enumerate(garbage, 1):
        if raw is None:
            assert found[number] == good(number)
    assert set(found) <= set(range(1, len(garbage) + 1))
