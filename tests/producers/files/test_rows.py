"""Files of rows as they come: whatever stands in a line costs that line and no other."""

import gzip
import io
import json
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from lanes.settings import ProducerSettings
from producers import EnqueueOptions
from producers.batching import check_rows
from producers.files.rows import MAX_ROW_BYTES, FileRow, Format, read_rows
from tests.producers.conftest import OK

GOOD = json.dumps(OK)
HEADER = "pipelineId,locationId,contactId,name\n"
TABLE = HEADER + "pipe,loc,contact,\n"


def rows_of(content: str | bytes, form: Format) -> list[FileRow]:
    return list(read_rows(io.BytesIO(content.encode() if isinstance(content, str) else content), form))


def reported(content: str | bytes, form: Format) -> list[str]:
    """Return one line for each row: its numbers, and its value or what is wrong with it."""
    lines = []
    for row in rows_of(content, form):
        assert (row.value is None) == bool(row.field_errors)
        number = f"{row.number}" if row.number == row.last_line else f"{row.number}-{row.last_line}"
        lines.append(f"{number} {'; '.join(map(str, row.field_errors)) or json.dumps(row.value, default=str)}")
    return lines


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


@pytest.mark.parametrize(
    ("content", "numbers"),
    [
        ("", []),
        ("\n\n", []),
        (HEADER, []),
        (TABLE, [2]),
        (TABLE.removesuffix("\n"), [2]),
        (TABLE.replace("\n", "\r\n"), [2]),
        (f"\ufeff{TABLE}", [2]),
        (f"\n \n{TABLE}\n\r\npipe,loc,contact,\n\n", [4, 7]),
        (HEADER.replace(",", " , ") + '"pipe","loc","contact",""\n', [2]),
        ('"pipelineId","locationId","contactId"\npipe,loc,contact\n', [2]),
    ],
)
def test_csv_with_and_without_bom_crlf_and_blank_lines(content: str, numbers: list[int]) -> None:
    assert rows_of(content, "csv") == [FileRow(number, OK, (), number) for number in numbers]


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
    ('{"a":"\t"}', "is not JSON: Invalid control character at at column 7"),
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


@pytest.mark.parametrize("form", ["jsonl", "csv"])
def test_a_binary_file_is_reported_by_its_type(form: Format) -> None:
    text = GOOD if form == "jsonl" else TABLE
    assert reported(text.encode("utf-16"), form)[0].startswith("1 must be UTF-8, and seems to be UTF-16 (it is ")
    first = reported(gzip.compress(text.encode()), form)[0]
    assert first.startswith("1 must be UTF-8, and is compressed by gzip: see zcat (it is ")


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
    assert len(rows_of(f"{header}\n{',' * 44_999}\n", "csv")) == 1


# Rows below the header, and what becomes of each.
CSV_FILES: list[tuple[str | bytes, list[str]]] = [
    ("p,l,c", ["2 must have as many cells as the header, 4 (it is 3 cells)"]),
    ("p,l,c,n,", ["2 must have as many cells as the header, 4 (it is 5 cells)"]),
    ("p;l;c;n", ["2 must have as many cells as the header, 4 (it is 1 cells)"]),
    ('p,l,c,"open', ["""2 is not CSV: a quote that opens here is not closed (it is 'p,l,c,"open')"""]),
    (
        'p,l,c,"open\np,l,c,\n',
        ["""2 is not CSV: a quote that opens here is not closed (it is 'p,l,c,"open')""", "3 p l c"],
    ),
    ('p,l,c,"a"b', ["2 is not CSV: ',' expected after '\"'"]),
    ('p,l,c,a"b"', ['2 p l c a"b"']),
    ('p,l,c,"a""b"', ['2 p l c a"b']),
    ('p,l,c,"a,b"', ["2 p l c a,b"]),
    ('p,l,c,"one\ntwo\r\n\nfive"\np,l,d,\n', ["2-5 p l c one\ntwo\r\n\nfive", "6 p l d"]),
    ("p,l,c,a\rb", ["2 is not CSV: there is a carriage return outside quotes (it is 'p,l,c,a\\rb')"]),
    ('p,l,c,"a\rb"', ["2 p l c a\rb"]),
    (",,,", ["2 "]),
    (b"p,l,c,\xff", ["2 must be UTF-8; byte 7 is not"]),
    (b"p,l,c,\0", ["2 must be UTF-8 without NUL; is it UTF-16?"]),
    ("p,l,c," + "n" * MAX_ROW_BYTES, [f"2 must be at most {MAX_ROW_BYTES} bytes long"]),
    ('p,l,c,"' + "n" * 140_000 + '"', ["2 is not CSV: field larger than field limit (131072)"]),
    (
        b'p,l,c,"one\ntwo \xff\nthree"',
        [
            "2 is not CSV: a quote that opens here is not closed",
            "3 must be UTF-8; byte 5 is not",
            "4 must have as many cells as the header, 4 (it is 1 cells)",
        ],
    ),
    (
        'p,l,c,"' + "\n".join(["x" * 100_000] * 3) + '"',
        [
            "2 is not CSV: a quote that opens here is not closed",
            *(f"{number} must have as many cells as the header, 4 (it is 1 cells)" for number in (3, 4)),
        ],
    ),
]


@pytest.mark.parametrize(("content", "wanted"), CSV_FILES, ids=lambda value: repr(value)[:30])
def test_the_rows_of_a_csv_file(content: str | bytes, wanted: list[str]) -> None:
    raw = content.encode() if isinstance(content, str) else content
    found = []
    for row in rows_of(HEADER.encode() + raw, "csv"):
        number = f"{row.number}" if row.number == row.last_line else f"{row.number}-{row.last_line}"
        shown = " ".join(row.value.values()) if isinstance(row.value, dict) else "; ".join(map(str, row.field_errors))
        found.append(f"{number} {shown}")
    assert len(found) == len(wanted)
    assert [line[: len(start)] for line, start in zip(found, wanted, strict=True)] == wanted


@pytest.mark.parametrize(
    ("header", "wanted"),
    [
        ("pipelineId;locationId;contactId", "must have commas between its cells, like the header"),
        ("pipelineId\tlocationId\tcontactId", "must have commas between its cells, like the header"),
        ("contactId,name,contactId", "contactId: must be in the header only once"),
        ("contactId, contactId ", "contactId: must be in the header only once"),
        ("contactId,,name", "cannot be read: column 2 has no name in the header"),
        ("contactId,", "cannot be read: column 2 has no name in the header"),
        ('contactId,"open', "cannot be read: the header in line 1 is invalid"),
        (b"contactId,\xff", "cannot be read: the header in line 1 is invalid"),
        ("contactId,\0", "cannot be read: the header in line 1 is invalid"),
    ],
)
def test_under_a_wrong_header_every_row_is_refused(header: str | bytes, wanted: str) -> None:
    raw = header.encode() if isinstance(header, str) else header
    lines = reported(raw + b"\na,b\n\na,b,c\n", "csv")
    assert [line.split(" (it is ")[0] for line in lines[-2:]] == [f"2 {wanted}", f"4 {wanted}"]
    assert all(line.startswith("1 ") for line in lines[:-2])
    assert len(lines) == (3 if "is invalid" in wanted else 2)


def test_a_broken_row_under_a_wrong_header_is_reported_once() -> None:
    assert reported(b"contactId,contactId\n\xff\na,b\n", "csv") == [
        "2 must be UTF-8; byte 1 is not (it is b'\\xff\\n')",
        "3 contactId: must be in the header only once",
    ]


def test_a_header_may_have_several_lines() -> None:
    assert rows_of('"na\nme",contactId\nn,c\n', "csv") == [FileRow(3, {"na\nme": "n", "contactId": "c"}, (), 3)]


def test_options_come_in_columns() -> None:
    table = "contactId,_options.service,_options.not_before\nc,s,2030-01-01T00:00:00Z\nd,,\n"
    assert [row.value for row in rows_of(table, "csv")] == [
        {"contactId": "c", "_options": {"service": "s", "not_before": "2030-01-01T00:00:00Z"}},
        {"contactId": "d"},
    ]


@pytest.mark.parametrize(
    ("cell", "value"),
    [
        ("12", 12),
        (" 12 ", 12),
        ("+12", 12),
        ("-12.50", -12.5),
        ("12.", 12.0),
        ("1e3", 1000.0),
        ("9007199254740993", 9007199254740993),
        ("1,5", "1,5"),
        (".5", ".5"),
        ("1_000", "1_000"),
        ("٣", "٣"),
        ("0x10", "0x10"),
        ("nan", "nan"),
        ("inf", "inf"),
        ("1e999", "1e999"),
        ("9" * 5000, "9" * 5000),
    ],
    ids=lambda value: repr(value)[:20],
)
@pytest.mark.parametrize("name", ["monetaryValue", "monetary_value"])
def test_a_number_in_a_field(name: str, cell: str, value: object) -> None:
    (row,) = rows_of(f'{name},name\n"{cell}",12\n', "csv")
    assert row.value == {name: value, "name": "12"}
    assert isinstance(row.value, dict)
    assert type(row.value[name]) is type(value)


def check_parsed(content: bytes, form: Format) -> None:
    """Read bytes to their end: rows in order, each good or with problems, all of which can be checked and shown."""
    lines = content.count(b"\n") + 1
    last = 0
    rows = rows_of(content, form)
    for row in rows:
        assert last < row.number <= row.last_line <= lines
        assert isinstance(row.value, dict) or row.field_errors
        last = row.number if row.field_errors else row.last_line
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

    lines = [json.dumps(good(n)).encode() if raw is None else raw for n, raw in enumerate(garbage, 1)]
    found = {row.number: row.value for row in rows_of(end.join(lines), "jsonl")}
    for number, raw in enumerate(garbage, 1):
        if raw is None:
            assert found[number] == good(number)
    assert set(found) <= set(range(1, len(garbage) + 1))
