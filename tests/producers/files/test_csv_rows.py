"""CSV files: a broken row affects only itself, a wrong header the whole file."""

import pytest

from producers.files.rows import MAX_ROW_BYTES, FileRow
from tests.producers.conftest import OK
from tests.producers.files.row_files import HEADER, TABLE, reported, rows_of


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


# Rows below the header, and what becomes of each.
CSV_FILES: list[tuple[str | bytes, list[str]]] = [
    ("p,l,c", ["2 must have as many fields as the header, 4 (it is 3 fields)"]),
    ("p,l,c,n,x", ["2 must have as many fields as the header, 4 (it is 5 fields)"]),
    ("p,l,c,n, ,,", ["2 p l c n"]),
    ("p;l;c;n", ["2 must have as many fields as the header, 4 (it is 1 fields)"]),
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
    (",,,\np,l,c,\n , ,\t,\n,,,,,,\n,\n\np,l,d,\n,,,", ["3 p l c", "8 p l d"]),
    (b"p,l,c,\xff", ["2 must be UTF-8; byte 7 is not"]),
    (b"p,l,c,\0", ["2 must be UTF-8 without NUL; is it UTF-16?"]),
    ("p,l,c," + "n" * MAX_ROW_BYTES, [f"2 must be at most {MAX_ROW_BYTES} bytes long"]),
    ('p,l,c,"' + "n" * 140_000 + '"', ["2 is not CSV: field larger than field limit (131072)"]),
    (
        b'p,l,c,"one\ntwo \xff\nthree"',
        [
            "2 is not CSV: a quote that opens here is not closed",
            "3 must be UTF-8; byte 5 is not",
            "4 must have as many fields as the header, 4 (it is 1 fields)",
        ],
    ),
    (
        'p,l,c,"' + "\n".join(["x" * 100_000] * 3) + '"',
        [
            "2 is not CSV: a quote that opens here is not closed",
            *(f"{number} must have as many fields as the header, 4 (it is 1 fields)" for number in (3, 4)),
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
        (
            "contactId;name",
            "has semicolons between its fields: save it with commas, or write sep=; in a line before it",
        ),
        (
            "contactId\tname",
            "has tabs between its fields: save it with commas, or write sep= and a tab in a line before",
        ),
        ("contactId|name", "has bars between its fields: save it with commas, or write sep=| in a line before it"),
        ("contactId,name,contactId", "contactId: must be in the header only once"),
        ("contactId, contactId ", "contactId: must be in the header only once"),
        ('contactId,"open', "the header is not CSV: a quote that opens here is not closed"),
        (b"contactId,\xff", "the header must be UTF-8; byte 11 is not"),
        ("contactId,\0", "the header must be UTF-8 without NUL; is it UTF-16?"),
        ('{"contactId": "c"}', "is JSON, no header: add --format jsonl"),
        ('[{"contactId": "c"}]', "is JSON, no header: add --format jsonl"),
    ],
)
def test_a_wrong_header_is_reported_once(header: str | bytes, wanted: str) -> None:
    raw = header.encode() if isinstance(header, str) else header
    (line,) = reported(b"\n" + raw + b"\na,b\n\na,b,c\n\xff", "csv")
    assert line.startswith(f"2 {wanted}")
    (row,) = rows_of(raw, "csv")
    assert row.unreadable


def test_a_first_line_that_names_another_delimiter_than_the_header_has_is_reported() -> None:
    (line,) = reported(b"sep=;\ncontactId,name\nc,n", "csv")
    assert line.startswith("2 has commas between its fields: remove the line before it, which begins with sep=")


@pytest.mark.parametrize(
    ("first", "delimiter"),
    [("sep=,", ","), ("sep=;", ";"), ('"sep=;"', ";"), ("\ufeffSEP=\t", "\t"), ("\n\nsep=|", "|")],
)
@pytest.mark.parametrize("end", ["\n", "\r\n"])
def test_a_first_line_may_name_the_delimiter(first: str, delimiter: str, end: str) -> None:
    lines = [first, "contactId,name", "c,n", ",", '"a,b",""']
    text = end.join([first, *(line.replace(",", delimiter) for line in lines[1:]), ""])
    offset = first.count("\n")
    assert [(row.number - offset, row.value) for row in rows_of(text, "csv")] == [
        (3, {"contactId": "c", "name": "n"}),
        (5, {"contactId": f"a{delimiter}b"}),
    ]


def test_columns_without_a_name_are_ignored_if_they_are_empty() -> None:
    table = ",,,\ncontactId,,name,,\nc,,n,,\nc, ,n\nd,,n,,x\nd,y,n,,\nd,,n,,,\n"
    assert reported(table, "csv") == [
        '3 {"contactId": "c", "name": "n"}',
        "4 must have as many fields as the header, 5 (it is 3 fields)",
        "5 must be empty in column 5, which has no name in the header (it is 'x')",
        "6 must be empty in column 2, which has no name in the header (it is 'y')",
        '7 {"contactId": "d", "name": "n"}',
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
        (".5", 0.5),
        ("-.5", -0.5),
        (".", "."),
        (".e3", ".e3"),
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
