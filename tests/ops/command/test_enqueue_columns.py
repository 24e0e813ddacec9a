"""CSV files with columns of any name: wrong headers, HighLevel's export, mapping, numbers, empty rows."""

import json
from pathlib import Path
from typing import Any

import pytest

from lanes.queue.store import LaneStore
from tests.ops.command.conftest import Run, Write

EXPORT_HEADER = (
    "Opportunity Name,Contact Name,phone,email,pipeline,stage,Lead Value,source,assigned,status,Opportunity ID,"
    "Contact ID,Pipeline Stage ID,Pipeline ID"
)
EXPORT = f"""{EXPORT_HEADER}
"Roof, east",Ann,+1 555,ann@example.com,Sales,New,1200.5,form,Bob,Open,opp1,con1,sta1,pip1
Boiler,,,,Sales,Won,,,,won,opp2,con2,,pip1
,,,,,,,,,,,,,
Bad,,,,Sales,,,,,Maybe,opp3,con3,,pip1
"""
PRESET = ("--preset", "highlevel-export", "--location", "loc")
TABLE = "pipelineId,locationId,contactId\np,loc,c1\np,loc,c2\n"
ROW = '{"pipelineId":"p","locationId":"loc","contactId":"c%s"}'


def preview(run: Run, *arguments: str, **more: str) -> list[dict[str, Any]]:
    """Return what a dry run shows."""
    found: list[dict[str, Any]] = json.loads(run("enqueue", *arguments, "--dry-run", "--json", **more).stdout)[
        "preview"
    ]
    return found


@pytest.mark.parametrize(
    ("content", "wanted"),
    [
        (
            "p,loc,c1,Deal\n",
            "deals.csv:1: the header must name fields, such as pipelineId, locationId, contactId (it is 'p,loc,c1,",
        ),
        ("p,loc,c1,Deal\np,loc,c2,\n\xff\n", "deals.csv:1: the header must name fields, such as"),
        ("Title\n\n" + TABLE, "deals.csv:1: the header must name fields"),
        (
            "\n,,\n\nname,of,something\n1,2,3\n",
            "deals.csv:4: pipelineId: is required, and no column has it; locationId: is required",
        ),
        ("<!DOCTYPE html><title>Log in</title>\n<p>\n", "deals.csv:1: is a page (HTML or XML), no rows: is it a login"),
        (
            TABLE.replace(",", ";"),
            "deals.csv:1: has semicolons between its fields: save it with commas, or write sep=;",
        ),
        ("name\tpipelineId\tfirst, last\n1\t2\t3\n4\t5\t6\n", "deals.csv:1: has tabs between its fields"),
        (
            TABLE.replace("contactId", "ContactID"),
            "deals.csv:1: contactId: is required, and no column has it; ContactID: no ",
        ),
        (
            TABLE.replace("contactId", "contactId,note"),
            "deals.csv:1: note: no such field; known: pipelineId, locationId, contactId, name,",
        ),
        (
            TABLE.replace("contactId", "contactId,followers"),
            "deals.csv:1: followers: no such field; v3 has it: see LANES_",
        ),
        (
            TABLE.replace("contactId", "contactId,_options.servic"),
            "deals.csv:1: _options.servic: no such field; did you mean _o",
        ),
        (
            TABLE.replace("contactId", "contactId,pipeline_id"),
            "deals.csv:1: pipelineId: must have one column, not 'pipelineId'",
        ),
        (EXPORT, "deals.csv:1: is HighLevel's export: add --preset highlevel-export --location ID"),
    ],
)
def test_a_wrong_header_is_one_error(quick: Run, store: LaneStore, write: Write, content: str, wanted: str) -> None:
    shown = quick("enqueue", write("deals.csv", content))
    assert shown.returncode == 1
    error, summary = shown.stderr.splitlines()
    assert error.startswith(wanted)
    assert summary == "0 of 1 row accepted, 1 refused; nothing of the file was read"
    assert store.counts()["accepted"] == 0


def test_known_fields_depend_on_the_api_version_and_the_mapping(quick: Run, write: Write) -> None:
    table = "pipelineId,locationId,followers,isRemoveAllFollowers,followersActionType,id\np,loc,;,false,add,o1\n"
    write("v3.csv", table)
    assert "followers: no such field; v3 has it" in quick("enqueue", "v3.csv", "--dry-run").stderr
    for versions in ({"LANES_API_VERSION": "v3"}, {"LANES_API_VERSIONS": "loc=v3"}):
        assert preview(quick, "v3.csv", **versions)[0]["id"] == "o1"
    assert quick("enqueue", "v3.csv", "--dry-run", "--location", "other", LANES_API_VERSIONS="loc=v3").returncode == 1
    write("own.csv", "Pipe,Who\np,c1\n")
    mapped = ("--map", "Pipe=pipelineId", "--map", "Who=contactId", "--location", "loc")
    assert preview(quick, "own.csv", *mapped) == [{"pipelineId": "p", "locationId": "loc", "contactId": "c1"}]


def test_the_whole_file_of_a_wrong_header_is_kept(quick: Run, tmp_path: Path) -> None:
    text = "p,loc,c1,Deal\n" + "p,loc,c2,Deal\n" * 3
    shown = quick(
        "enqueue", "-", "--format", "csv", "--refused-to", "wrong.csv", "--from-line", "9", stdin=text.encode()
    )
    assert shown.returncode == 1
    assert (tmp_path / "wrong.csv").read_text() == text


def test_the_export_of_highlevel(quick: Run, store: LaneStore, write: Write, tmp_path: Path) -> None:
    command = (
        "enqueue",
        write("export.csv", EXPORT),
        *PRESET,
        "--idempotency-prefix",
        "x",
        "--refused-to",
        "wrong.csv",
    )
    shown = quick(*command, "--json", "--ids")
    assert shown.returncode == 1
    assert "export.csv:5: status: should be 'open', 'won', 'lost', 'abandoned' or 'all' (it is 'Maybe')" in shown.stderr
    first, second = (job.body for job in store.jobs(json.loads(shown.stdout)["ids"]) if job)
    identity = {"pipelineId": "pip1", "locationId": "loc"}
    assert first == {
        **identity,
        "contactId": "con1",
        "name": "Roof, east",
        "status": "open",
        "monetaryValue": 1200.5,
        "pipelineStageId": "sta1",
    }
    assert second == {**identity, "contactId": "con2", "name": "Boiler", "status": "won"}
    assert (tmp_path / "wrong.csv").read_text() == "\n".join([EXPORT_HEADER, EXPORT.splitlines()[4], ""])
    write("fixed.csv", (tmp_path / "wrong.csv").read_text().replace("Maybe", "Lost"))
    assert quick("enqueue", "fixed.csv", *PRESET).stderr == "1 of 1 row accepted, 0 refused\n"
    again = json.loads(quick(*command[:-2], "--from-line", "3", "--json").stdout)
    assert (again["duplicates"], again["accepted"], len(again["refused"])) == (1, 0, 1)


def test_the_export_in_v3_changes_no_followers(quick: Run, write: Write) -> None:
    (first, _) = preview(quick, write("export.csv", EXPORT), *PRESET, LANES_API_VERSION="v3")
    assert first == {
        "id": "opp1",
        "pipelineId": "pip1",
        "locationId": "loc",
        "name": "Roof, east",
        "status": "open",
        "monetaryValue": 1200.5,
        "pipelineStageId": "sta1",
        "followers": [],
        "isRemoveAllFollowers": False,
        "followersActionType": "add",
    }


def test_the_export_without_the_preset_is_recognized(quick: Run, write: Write) -> None:
    shown = quick("enqueue", write("export.csv", EXPORT))
    assert "export.csv:1: is HighLevel's export: add --preset highlevel-export --location ID" in shown.stderr
    assert len(shown.stderr.splitlines()) == 2
    shown = quick("enqueue", "export.csv", *PRESET[:2])
    assert (shown.returncode, "needs --location ID: the export does not name" in shown.stderr) == (2, True)


def test_location_fills_rows_that_have_none(quick: Run, write: Write) -> None:
    table = "pipelineId,locationId,contactId\np,own,c1\np,,c2\n"
    rows = [{"pipelineId": "p", "contactId": "c1", "locationId": "own"}, {"pipelineId": "p", "contactId": "c2"}]
    snake = {"pipeline_id": "p", "contact_id": "c3", "location_id": "own"}
    write("a.csv", table)
    write("a.json", json.dumps([*rows, snake, {**snake, "location_id": None}, {**rows[1], "locationId": None}]))
    for name, wanted in (("a.csv", ["own", "loc"]), ("a.json", ["own", "loc", "own", "loc", "loc"])):
        assert [body["locationId"] for body in preview(quick, name, "--location", "loc")] == wanted


@pytest.mark.parametrize(
    ("options", "wanted"),
    [
        (["--map", "Who=contactId"], {"contactId": "c", "name": None}),
        (["--map", "Who = contactId", "--map", "a=b=name"], {"contactId": "c", "name": "n"}),
        (["--map", "Who=contact_id", "--map", "Rest=_options.service"], {"contactId": "c"}),
    ],
)
def test_columns_with_other_names(quick: Run, write: Write, options: list[str], wanted: dict[str, Any]) -> None:
    write("a.csv", "pipelineId,locationId,Who,a=b,Rest,\np,loc,c,n,r,x\n")
    (body,) = preview(quick, "a.csv", "--ignore-other-columns", *options)
    assert {name: body.get(name) for name in wanted} == wanted


@pytest.mark.parametrize(
    ("options", "status", "hint"),
    [
        (["--map", "contactId=contctId"], 2, "'contctId' is no field; did you mean contactId?"),
        (["--map", "contactId"], 2, "must be COLUMN=FIELD, like 'Lead Value=monetaryValue'"),
        (["--map", "=name"], 2, "must be COLUMN=FIELD"),
        (["--map", "a=name", "--map", "b=name"], 2, "must be given only once"),
        (["--map", "a=name", "--map", "a=status"], 2, "must be given only once"),
        (["--map", "a=id"], 2, "'id' is no field"),
        (["--map", "contactID=name"], 1, "a.csv:1: --map contactID: no such column; did you mean contactId?"),
        (["--map", "pipelineId=contactId"], 1, "contactId: must have one column, not 'pipelineId' and 'contactId'"),
        (["--format", "jsonl", "--numbers", "en"], 2, "--numbers is for CSV; if the file is CSV, add --format csv"),
        (["--format", "jsonl", "--map", "a=name"], 2, "--map is for CSV"),
        (["--format", "jsonl", "--ignore-other-columns"], 2, "--ignore-other-columns is for CSV"),
        (["--location", "a b"], 2, "must be 1 to 64 letters, digits, - or _"),
    ],
)
def test_wrong_mappings(quick: Run, write: Write, options: list[str], status: int, hint: str) -> None:
    shown = quick("enqueue", write("a.csv", TABLE), *options)
    assert (shown.returncode, shown.stdout) == (status, "")
    assert hint in " ".join(shown.stderr.split())


@pytest.mark.parametrize(
    ("cell", "style", "value"),
    [
        ("$1,200.00", None, "should be a valid number; add --numbers en to read it as 1200 (it is '$1,200.00')"),
        ("1.200,50", None, "should be a valid number; add --numbers de to read it as 1200.5 (it is '1.200,50')"),
        (
            "1,200",
            None,
            "should be a valid number; add --numbers en to read it as 1200 or --numbers de to read it as 1.2",
        ),
        ("much", None, "should be a valid number (it is 'much')"),
        ("1.200", None, 1.2),
        ("1.200", "en", 1.2),
        ("1.200", "de", 1200),
        ("1,200", "en", 1200),
        ("1,200", "de", 1.2),
        ("$1,234,567.50", "en", 1234567.5),
        ("-$5", "en", -5),
        ("$ -5.", "en", -5),
        ("USD 1,200", "en", 1200),
        ("1.200,50 €", "de", 1200.5),
        ("1200,50\u00a0EUR", "de", 1200.5),
        (",5", "de", 0.5),
        ("1200", "de", 1200),
        ("1,20", "en", "must be a number like 1,200.50 (--numbers en) (it is '1,20')"),
        ("12,00,000", "en", "must be a number like 1,200.50 (--numbers en)"),
        ("1,2000", "en", "must be a number like"),
        ("0,500", "en", "must be a number like"),
        ("1200.50", "de", "must be a number like 1.200,50 (--numbers de) (it is '1200.50')"),
        ("0.500", "de", "must be a number like"),
        ("1.200.50", "de", "must be a number like"),
        ("1,200,50", "de", "must be a number like"),
        ("--5", "en", "must be a number like"),
        ("-$-5", "en", "must be a number like"),
        ("1 200", "de", "must be a number like"),
        ("٣", "en", "must be a number like"),
        ("$", "en", "must be a number like"),
    ],
)
def test_numbers_as_people_write_them(
    quick: Run, write: Write, cell: str, style: str | None, value: float | str
) -> None:
    write("a.csv", f'pipelineId,locationId,contactId,monetaryValue\np,loc,c,"{cell}"\n')
    shown = quick("enqueue", "a.csv", "--dry-run", "--json", *(("--numbers", style) if style else ()))
    if isinstance(value, str):
        assert shown.stderr.startswith(f"a.csv:2: monetaryValue: {value}")
    else:
        assert json.loads(shown.stdout)["preview"][0]["monetaryValue"] == value


def test_every_problem_of_a_row_is_in_its_line(quick: Run, write: Write) -> None:
    write("a.csv", 'pipelineId,locationId,contactId,monetaryValue\np,loc,c 1,"1,5"\n')
    assert quick("enqueue", "a.csv").stderr.splitlines()[0] == (
        "a.csv:2: contactId: must be 1 to 64 letters, digits, - or _ (it is 'c 1'); "
        "monetaryValue: should be a valid number; add --numbers de to read it as 1.5 (it is '1,5')"
    )


def test_a_dry_run_shows_the_first_rows_as_they_are_sent(quick: Run, write: Write) -> None:
    rows = [ROW % number for number in range(9)]
    write("a.jsonl", "\n".join(["broken", *rows]))
    shown = quick("enqueue", "a.jsonl", "--dry-run")
    assert [json.loads(line) for line in shown.stdout.splitlines()] == [json.loads(row) for row in rows[:5]]
    assert shown.stderr.splitlines()[-1] == "9 of 10 rows would be accepted, 1 refused"


def test_empty_rows_keep_line_numbers_right(quick: Run, write: Write) -> None:
    write("a.csv", ",,\n" + TABLE.replace("\n", "\n,,\n , ,\n") + ",,\n" * 5)
    shown = quick("enqueue", "a.csv", "--idempotency-prefix", "k", "--ids", "--json")
    found = json.loads(shown.stdout)
    assert (found["rows"], found["accepted"]) == (2, 2)
    write("b.csv", "sep=,\n" + TABLE.replace("\n", "\n\n\n"))
    assert json.loads(quick("enqueue", "b.csv", "--idempotency-prefix", "k", "--json").stdout)["duplicates"] == 2


def test_refused_rows_can_be_enqueued_with_the_same_options(quick: Run, write: Write, tmp_path: Path) -> None:
    options = ("--map", "Wert=monetaryValue", "--numbers", "de", "--ignore-other-columns", "--location", "loc")
    lines = ["sep=;", "pipelineId;contactId;Wert;x", "p;c1;1.200,50;y", "p;c 2;1,5;", ";;;", "p;c3;1200.50;"]
    quick("enqueue", write("a.csv", "\r\n".join(lines)), *options, "--refused-to", "wrong.csv")
    wrong = (tmp_path / "wrong.csv").read_bytes().decode()
    assert wrong.splitlines() == [*lines[:2], lines[3], lines[5]]
    write("fixed.csv", wrong.replace("c 2", "c2").replace("1200.50", "1200,50"))
    assert [body["monetaryValue"] for body in preview(quick, "fixed.csv", *options)] == [1.5, 1200.5]
