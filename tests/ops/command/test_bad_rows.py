"""Every kind of malformed row: one line each, with line, field, value and what would be right; good rows go in."""

import json

from lanes.queue.store import LaneStore
from tests.ops.command.conftest import Run

OK = '"pipelineId":"p","locationId":"loc","contactId":"c"'
NESTED = "[" * 100_000 + "]" * 100_000

# What stands in the line, and what is said of it.
JSON_ROWS: list[tuple[str | bytes, str]] = [
    ("{}", "pipelineId: is required; locationId: is required; contactId: is required"),
    ('{"pipelineId":"p","locationId":"loc"}', "contactId: is required"),
    ("[]", "must be a JSON object (it is [])"),
    ('["a"]', "must be a JSON object (it is ['a'])"),
    ("null", "must be a JSON object (it is None)"),
    ('"text"', "must be a JSON object (it is 'text')"),
    ("NaN", "must be a JSON object (it is NaN)"),
    ("no json", "is not JSON: Expecting value at column 1 (it is 'no json')"),
    (f"{{{OK}", "is not JSON: Expecting ',' delimiter at column"),
    (f"{{{OK},}}", "is not JSON: Expecting property name enclosed in double quotes at column"),
    (f"{{{OK}}} {{{OK}}}", "is not JSON: Extra data at column"),
    ("{'pipelineId': 'p'}", "is not JSON: Expecting property name enclosed in double quotes at column 2"),
    (f'{{{OK},"contactId":"d"}}', "contactId: must be given only once (it is 'c' and 'd')"),
    (f'{{{OK},"contctId":"d"}}', "contctId: no such field; did you mean contactId?"),
    (f'{{{OK},"custom":"d"}}', "custom: no such field; known: pipelineId, locationId,"),
    (f'{{{OK},"a\\u001b[31mb":1}}', r"'a\x1b[31mb': no such field"),
    (f'{{{OK},"":1}}', "'': no such field"),
    (f'{{{OK},"pipeline_id":"q"}}', "pipeline_id: is also given as pipelineId: keep one of the two"),
    ('{"pipelineId":7,"locationId":"loc","contactId":"c"}', "pipelineId: should be a valid string (it is 7)"),
    ('{"pipelineId":null,"locationId":"loc","contactId":"c"}', "pipelineId: should be a valid string (it is None)"),
    (
        '{"pipelineId":"p","locationId":"l c","contactId":"c"}',
        "locationId: must be 1 to 64 letters, digits, - or _ (it is 'l c')",
    ),
    (
        '{"pipelineId":"p","locationId":"","contactId":"c"}',
        "locationId: must be 1 to 64 letters, digits, - or _ (it is '')",
    ),
    (
        '{"pipelineId":"p","locationId":"loc","contactId":"c\\n"}',
        r"contactId: must be 1 to 64 letters, digits, - or _ (it is 'c\n')",
    ),
    (f'{{"pipelineId":"{"p" * 65}","locationId":"loc","contactId":"c"}}', "pipelineId: must be 1 to 64 letters"),
    (f'{{{OK},"status":"opened"}}', "status: should be 'open', 'won', 'lost', 'abandoned' or 'all' (it is 'opened')"),
    (f'{{{OK},"status":["open"]}}', "status: should be 'open', 'won', 'lost', 'abandoned' or 'all' (it is ['open'])"),
    (f'{{{OK},"monetaryValue":true}}', "monetaryValue: should be a valid number (it is True)"),
    (f'{{{OK},"monetaryValue":"12"}}', "monetaryValue: should be a valid number (it is '12')"),
    (f'{{{OK},"monetaryValue":NaN}}', "monetaryValue: should be a valid number (it is NaN)"),
    (f'{{{OK},"monetaryValue":-Infinity}}', "monetaryValue: should be a valid number (it is -Infinity)"),
    (f'{{{OK},"monetaryValue":1e400}}', "monetaryValue: should be a valid number (it is 1e400)"),
    (f'{{{OK},"monetaryValue":{2**53 + 1}}}', "monetaryValue: must be between -2**53 and 2**53"),
    (f'{{{OK},"monetaryValue":{"9" * 5000}}}', "monetaryValue: should be a valid number (it is 9999"),
    (f'{{{OK},"name":NaN}}', "name: should be a valid string (it is NaN)"),
    (f'{{{OK},"name":{{"a":1}}}}', "name: should be a valid string (it is {'a': 1})"),
    (f'{{{OK},"name":"\\ud800"}}', "name: should be a valid string"),
    (f'{{{OK},"name":"{"n" * 2049}"}}', "name: should have at most 2048 characters (it is 'nnn"),
    (f'{{{OK},"name":{NESTED}}}', "must not be nested so deeply"),
    (f'{{{OK},"name":{"[" * 900 + "]" * 900}}}', "name: should be a valid string (it is [[["),
    (f'{{{OK},"name":"{"n" * 300_000}"}}', "must be at most 262144 bytes long"),
    (f'{{{OK},"name":"{"n" * 70_000}"}}', "name: should have at most 2048 characters"),
    (b"{" + OK.encode() + b',"name":"\xff"}', "must be UTF-8; byte"),
    (f'{{{OK},"name":"x"}}'.encode("utf-16-le"), "must be UTF-8 without NUL; is it UTF-16?"),
    (f"\ufeff{{{OK}}}", "is not JSON: Expecting value at column 1"),
    (f'{{{OK},"name":"a\tb"}}', "is not JSON: Invalid control character at"),
    (f'{{{OK},"_options":[]}}', "_options: must be an object of named fields (it is [])"),
    (f'{{{OK},"_options":{{"servic":"s"}}}}', "_options.servic: no such field; did you mean service?"),
    (
        f'{{{OK},"_options":{{"service":"a b"}}}}',
        "_options.service: must be 1 to 64 printable ASCII characters, no spaces (it is 'a b')",
    ),
    (
        f'{{{OK},"_options":{{"idempotency_key":"é"}}}}',
        "_options.idempotency_key: must be 1 to 128 printable ASCII characters",
    ),
    (
        f'{{{OK},"_options":{{"not_before":"2026-01-01T00:00:00"}}}}',
        "_options.not_before: must be a time with a zone, like 2026-05-01T09:00:00Z (it is '2026-01-01T00:00:00')",
    ),
    (
        f'{{{OK},"_options":{{"not_before":"2100-01-01T00:00:00Z"}}}}',
        "_options.not_before: must be at most 30 days ahead (LANES_MAX_NOT_BEFORE_DAYS) (it is 2100",
    ),
    (f'{{{OK},"_options":{{"expires_at":"tomorrow"}}}}', "_options.expires_at: must be a time with a zone"),
    (f'{{{OK},"_options":{{"expires_at":NaN}}}}', "_options.expires_at: must be a time with a zone"),
    (
        f'{{{OK},"_options":{{"not_before":"2026-01-02T00:00:00Z","expires_at":"2026-01-01T00:00:00Z"}}}}',
        "_options.expires_at: must be later than not_before (it is '2026-01-01T00:00:00Z')",
    ),
]

HEADER = "pipelineId,locationId,contactId,name,monetaryValue,_options.expires_at\n"
CSV_ROWS: list[tuple[str | bytes, str]] = [
    ("p,loc,c", "must have as many fields as the header, 6 (it is 3 fields)"),
    ("p,loc,c,,,,x", "must have as many fields as the header, 6 (it is 7 fields)"),
    ('p,loc,c,"open,,', """is not CSV: a quote that opens here is not closed (it is 'p,loc,c,"open,,')"""),
    ('p,loc,c,"a"b,,', "is not CSV: "),
    ("p,loc,c,a\rb,,", "is not CSV: there is a carriage return outside quotes"),
    ("p,loc,c,a\0b,,", "must be UTF-8 without NUL; is it UTF-16?"),
    (b"p,loc,c,\xff,,", "must be UTF-8; byte 9 is not"),
    (",,,n,,", "pipelineId: is required; locationId: is required; contactId: is required"),
    ("p,loc,c d,,,", "contactId: must be 1 to 64 letters, digits, - or _ (it is 'c d')"),
    ("p,loc,c,,many,", "monetaryValue: should be a valid number (it is 'many')"),
    ('p,loc,c,,"1,5",', "monetaryValue: should be a valid number; add --numbers de to read it as 1.5 (it is '1,5')"),
    ("p,loc,c,,1_000,", "monetaryValue: should be a valid number (it is '1_000')"),
    ("p,loc,c,,nan,", "monetaryValue: should be a valid number (it is 'nan')"),
    ("p,loc,c,,1e400,", "monetaryValue: should be a valid number (it is '1e400')"),
    (f"p,loc,c,,{'9' * 5000},", "monetaryValue: should be a valid number (it is '999"),
    ("p,loc,c,,,2026-01-01T00:00:00", "_options.expires_at: must be a time with a zone"),
    (f"p,loc,c,{'n' * 300_000},,", "must be at most 262144 bytes long"),
    (f'p,loc,c,"{"n" * 200_000}",,', "is not CSV: field larger than field limit"),
]


def test_every_malformed_json_row(run: Run, store: LaneStore) -> None:
    check(run, store, "jsonl", JSON_ROWS, f"{{{OK}}}\n")


def test_every_malformed_csv_row(run: Run, store: LaneStore) -> None:
    check(run, store, "csv", CSV_ROWS, 'p,loc,c,"quoted, too",12.5,2100-01-01T00:00:00Z\r\n')


def check(run: Run, store: LaneStore, form: str, expected: list[tuple[str | bytes, str]], good: str) -> None:
    """Enqueue the bad rows, each followed by a good one, and compare line by line."""
    text = f"\ufeff{good if form == 'jsonl' else HEADER}".encode()
    for line, _ in expected:
        text += (line if isinstance(line, bytes) else line.encode("utf-8", "surrogatepass")) + b"\n" + good.encode()
    shown = run("enqueue", "-", "--format", form, "--max-errors", "1000", "--json", stdin=text)
    assert shown.returncode == 1
    *reported, _ = shown.stderr.splitlines()
    assert len(reported) == len(expected)
    for number, (line, (_, wanted)) in enumerate(zip(reported, expected, strict=True)):
        assert line.startswith(f"stdin:{2 * number + 2}: {wanted}"), (line, wanted)
        assert line.isprintable()
        assert len(line) < 600
    found = json.loads(shown.stdout)
    assert [refusal["row"] for refusal in found["refused"]] == [2 * number + 2 for number in range(len(expected))]
    assert found["accepted"] == len(expected) + (form == "jsonl") == store.counts()["pending"]


def test_a_broken_line_within_quotes_breaks_its_row(run: Run, store: LaneStore) -> None:
    text = HEADER.encode() + b'p,loc,c,"one\ntwo \xff\nthree",,\np,loc,d,,,\n'
    shown = run("enqueue", "-", "--format", "csv", "--json", stdin=text)
    assert [refusal["row"] for refusal in json.loads(shown.stdout)["refused"]] == [2, 3, 4]
    assert store.counts()["accepted"] == 1
