"""Files as people have them: arrays, gzip, spreadsheets, and what is not rows."""

import gzip
import json
from pathlib import Path

import pytest

from lanes.queue.store import LaneStore
from tests.ops.command.conftest import Run, Write
from tests.ops.command.dead_letters import Bury, pipeline
from tests.ops.command.test_enqueue_columns import EXPORT, TABLE

ROW = '{"pipelineId":"p","locationId":"loc","contactId":"c%s"}'

ARRAY = f"[\n{ROW % 1},\n{ROW % ' 2'}, {ROW % 3}\n]\n"


@pytest.mark.parametrize("name", ["a.json", "a.jsonl", "a.json.gz"])
def test_an_array_is_enqueued(quick: Run, store: LaneStore, write: Write, tmp_path: Path, name: str) -> None:
    write(name, gzip.compress(ARRAY.encode()) if name.endswith(".gz") else ARRAY)
    shown = quick("enqueue", name, "--idempotency-prefix", "k", "--refused-to", "wrong.jsonl")
    assert shown.stderr.splitlines() == [
        f"{name}:3 (element 2): contactId: must be 1 to 64 letters, digits, - or _ (it is 'c 2')",
        "2 of 3 rows accepted, 1 refused",
    ]
    assert (tmp_path / "wrong.jsonl").read_text() == f"{ROW % ' 2'}\n"
    again = json.loads(quick("enqueue", name, "--idempotency-prefix", "k", "--from-line", "2", "--json").stdout)
    assert (again["duplicates"], [each["row"] for each in again["refused"]]) == (1, [2])
    assert store.counts()["accepted"] == 2


def test_refused_elements_become_one_line_each(quick: Run, write: Write, tmp_path: Path) -> None:
    elements = [json.dumps({"pipelineId": "p", "n": n}, indent=1) for n in range(2)] + [
        '{"a": 1,}',
        f'"{"x" * 300_000}"',
    ]
    write("a.json", f"[{','.join(elements)},{ROW % 1},{{")
    shown = quick("enqueue", "a.json", "--refused-to", "wrong.jsonl")
    assert shown.stderr.splitlines()[-1] == "1 of 6 rows accepted, 5 refused; the file could not be read any further"
    kept = (tmp_path / "wrong.jsonl").read_text().splitlines()
    assert [json.loads(line)["n"] for line in kept[:2]] == [0, 1]
    assert kept[2:] == [*elements[2:], "{"]


def test_gzip_is_enqueued_and_what_is_cut_off_is_one_line(quick: Run, write: Write) -> None:
    rows = [ROW % (n * 7919 % 10_007) for n in range(5000)]
    packed = gzip.compress("\n".join(rows).encode())
    assert quick("enqueue", write("a.jsonl.gz", packed)).stderr == "5000 of 5000 rows accepted, 0 refused\n"
    assert quick("enqueue", "-", stdin=gzip.compress(TABLE.encode())).returncode == 1
    assert quick("enqueue", write("b.csv.gz", gzip.compress(TABLE.encode()))).returncode == 0
    shown = quick("enqueue", write("cut.jsonl", packed[: len(packed) // 2]), "--refused-to", "wrong.jsonl")
    error, summary = shown.stderr.splitlines()
    assert "the gzip file ends too early; the rows before were read" in error
    accepted = int(error.split(":")[1]) - 1
    assert accepted > 100
    assert summary.startswith(f"{accepted} of {accepted + 1} rows accepted, 1 refused; the file could not be read")


@pytest.mark.parametrize(
    ("name", "content", "wanted"),
    [
        ("-", TABLE, "stdin:1: is CSV: add --format csv (it is 'pipelineId,locationId,contactId')"),
        ("-", "\n\n" + TABLE.replace(",", ";"), "stdin:3: is CSV: add --format csv"),
        ("-", "sep=,\n" + TABLE, "stdin:1: is CSV: add --format csv"),
        ("a.jsonl", EXPORT, "a.jsonl:1: is CSV: add --format csv"),
        ("a.csv", ROW % 1, "a.csv:1: is JSON, no header: add --format jsonl"),
        ("a.csv", ARRAY, "a.csv:1: is JSON, no header: add --format jsonl"),
        (
            "a.xlsx",
            b"PK\x03\x04\x14\0\x06\0[Content_Types].xml",
            "a.xlsx:1: is a workbook (xlsx or ods): save it as CSV",
        ),
        ("a.csv", TABLE.encode("utf-16"), "a.csv:1: is UTF-16: save it as CSV UTF-8"),
        ("-", b"PK\x03\x04\n\0\0\0deals.csv", "stdin:1: is a ZIP archive: unpack it"),
        (
            "a.json",
            '{\n "pipelineId": "p"\n}',
            "a.json:1: is not JSON: Expecting property name enclosed in double quotes at",
        ),
    ],
)
def test_other_files_are_told_as_what_they_are(
    quick: Run, write: Write, name: str, content: str | bytes, wanted: str
) -> None:
    raw = content.encode() if isinstance(content, str) else content
    if name != "-":
        write(name, raw)
    shown = quick("enqueue", name, "--dry-run", stdin=raw if name == "-" else b"")
    assert shown.returncode == 1
    assert shown.stderr.startswith(wanted)
    if not raw.startswith(b"{\n"):
        assert len(shown.stderr.splitlines()) == 2


def test_dead_letters_come_in_the_same_ways(quick: Run, write: Write, refuse: Bury, tmp_path: Path) -> None:
    """`lanes dead import` reads what a spreadsheet made of an export."""
    job_id = refuse("loc", "c", pipeline(1), name="Deal")
    quick("dead", "export", "a.csv")
    quick("dead", "export", "a.jsonl")
    header, line = (tmp_path / "a.csv").read_text().splitlines()
    row = (tmp_path / "a.jsonl").read_text()
    commas = "," * header.count(",")
    files: dict[str, str | bytes] = {
        "sep.csv": f"sep=,\n{header},,\n{commas},,\n{line},,\n{commas},,\n",
        "b.json": f"[{row}]",
        "a.csv.gz": gzip.compress(f"{header}\n{line}\n".encode()),
    }
    for name, content in files.items():
        quick("dead", "purge", job_id, "--yes")
        assert quick("dead", "import", write(name, content)).stderr == "imported 1 dead letter of 1 row\n"
    wrong = {
        header.replace(",", ";"): "1: has semicolons between its fields: save it with commas, or write sep=;",
        "p,loc,c": "1: the header must name fields, such as _letter.id (it is 'p,loc,c'); only files of",
        "pipelineId,locationId,contactId": "1: _letter.id: is required, and no column has it; only files of lanes dead",
        f"{header},note": "1: note: no such field; known: pipelineId, locationId,",
    }
    for head, problem in wrong.items():
        shown = quick("dead", "import", write("wrong.csv", f"{head}\n{line}\n{line}\n"))
        assert shown.returncode == 1
        assert shown.stderr.startswith(f"wrong.csv:{problem}")
        assert len(shown.stderr.splitlines()) == 2
    shown = quick("dead", "import", "-", stdin=f"{header}\n{line}\n".encode())
    assert shown.stderr.startswith("stdin:1: is CSV: add --format csv")
