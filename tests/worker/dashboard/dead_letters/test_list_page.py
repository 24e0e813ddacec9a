"""The list of the dead letters in a browser: found, chosen, replayed, purged, exported."""

import json
from io import BytesIO
from pathlib import Path
from typing import Any

import pytest
from playwright.sync_api import expect

from lanes.checks.consistency import check_consistency
from lanes.queue.dead_letter import DeadLetter
from lanes.queue.job import Attempt, Reason
from lanes.queue.new_job import NewJob
from producers.files.dead_letters import read_dead_letter
from producers.files.rows import read_rows
from tests.helpers import until
from tests.worker.dashboard.conftest import OpenPage, Site, axe, fits
from tests.worker.dashboard.dead_letters.list_page import COUNT, command, dialog, entries, ids, open_dead_letters, pick
from tests.worker.dashboard.dead_letters.sample_dead_letters import dead_letter

BAD = "<script>hacked = 1</script>\u202e\x1b[31m\"'"
BAD_ID = "<script>hacked=1</script>\"'&/?#%41"


@pytest.mark.parametrize(
    ("query", "options"),
    [
        ("", ()),
        ("location=loc1&reason=refused", ("--location", "loc1", "--reason", "refused")),
        ("status=503&service=shop", ("--status", "503", "--service", "shop")),
        ("message=NO+CONTACT", ("--message", "NO CONTACT")),
        (
            "message_pattern=No+contact+%E2%80%A6+in+this+location",
            ("--message-pattern", "No contact … in this location"),
        ),
        ("code=OPPORTUNITY_BAD_PIPELINE", ("--code", "OPPORTUNITY_BAD_PIPELINE")),
        ("within=15m", ("--newer-than", "15m")),
    ],
)
def test_the_dead_letters_are_those_of_the_command(
    site: Site, open_page: OpenPage, query: str, options: tuple[str, ...]
) -> None:
    reported = [each["id"] for each in command(site, "dead", "list", *options)]
    page = open_dead_letters(open_page, site, f"?size=250&{query}")
    expect(page.locator("#count")).to_have_text(f"{len(reported)} of {COUNT} dead letters")
    assert ids(page) == list(reversed(reported))
    counts = command(site, "status")
    assert counts["dead"] + counts["expired"] == COUNT


def test_groups_are_those_of_the_command_and_link_to_their_dead_letters(site: Site, open_page: OpenPage) -> None:
    reported = command(site, "dead", "list", "--group")
    page = open_dead_letters(open_page, site, "?view=groups")
    rows = page.locator("tbody tr").all()
    assert [int(row.locator("strong").inner_text()) for row in rows] == [each["count"] for each in reported]
    for number, each in enumerate(reported):
        page.locator("tbody tr").nth(number).get_by_role("link").click()
        expect(page.locator("#count")).to_have_text(f"{each['count']} of {COUNT} dead letters")
        page.go_back()


def test_sorted_and_reversed_on_the_server(site: Site, open_page: OpenPage) -> None:
    page = open_dead_letters(open_page, site, "?size=25")
    first = page.locator(".dead-letters-pick input").first
    assert ids(page) == [f"job{number:06d}" for number in range(25)]
    page.get_by_role("link", name="Next").click()
    expect(first).to_have_value("job000025")
    page.get_by_role("link", name="Last", exact=True).click()
    expect(first).to_have_value("job000125")
    assert len(ids(page)) == 5
    page.get_by_role("link", name="Failed at (UTC)").click()
    expect(first).to_have_value(f"job{COUNT - 1:06d}")
    expect(page.get_by_role("columnheader", name="Failed at (UTC)")).to_have_attribute("aria-sort", "ascending")
    page.get_by_role("link", name="Location").click()
    expect(first).to_have_value("job000000")
    assert {text.split()[0] for text in page.locator("td[data-label=Location]").all_inner_texts()} == {"loc0"}


def test_an_invalid_filter_is_reported(site: Site, open_page: OpenPage) -> None:
    page = open_dead_letters(open_page, site, "?status=4xx&within=1h")
    expect(page.get_by_role("alert")).to_have_text("status: must be a number")


def test_by_keyboard_alone(site: Site, open_page: OpenPage) -> None:
    page = open_dead_letters(open_page, site)
    page.locator("summary", has_text="Filter").focus()
    page.keyboard.press("Enter")
    page.keyboard.press("Tab")
    page.keyboard.type("loc2")
    page.keyboard.press("Enter")
    expect(page.locator("#count")).to_have_text(f"{COUNT // 3} of {COUNT} dead letters")
    page.locator(".dead-letters-pick input").first.focus()
    page.keyboard.press("Space")
    expect(page.locator("#picked")).to_have_text("1 chosen")
    page.get_by_role("button", name="Replay…").focus()
    page.keyboard.press("Enter")
    expect(dialog(page)).to_contain_text("Replay 1 dead letter?")
    page.keyboard.press("Escape")
    expect(dialog(page)).to_have_count(0)
    expect(page.get_by_role("button", name="Replay…")).to_be_focused()
    page.keyboard.press("Enter")
    expect(dialog(page).get_by_role("button", name="Replay")).to_be_focused()
    page.keyboard.press("Enter")
    until(lambda: site.store.counts()["pending"] == 1, "the replay")


def test_a_replay_shows_first_what_it_would_overwrite(site: Site, open_page: OpenPage) -> None:
    page = open_dead_letters(open_page, site)
    pick(page, "job000001", "job000002", "job000004")
    page.get_by_role("button", name="Replay…").click()
    expect(dialog(page)).to_contain_text("Replay 2 dead letters?")
    expect(dialog(page)).to_contain_text("1 would be refused: 1 superseded by something newer")
    expect(dialog(page)).to_contain_text("job000001: superseded by newer000001")
    axe(page)
    assert site.store.counts()["pending"] == 0, "the dry run changes nothing"
    assert entries(site) == []
    dialog(page).get_by_role("button", name="Replay").click()
    expect(page.locator("#runs")).to_contain_text("replayed 2 of 2 dead letters, ended")
    expect(page.locator("#count")).to_have_text(f"{COUNT - 2} of {COUNT - 2} dead letters")
    assert site.store.counts()["pending"] == 2
    reported = entries(site)
    assert [each[:3] for each in reported] == [("ana", "replay", "job000001, job000002, job000004")] * 2
    assert reported[0][3].startswith("2 that failed until ")
    assert reported[1][3] == "ended: replayed 2, refused 1"
    pick(page, "job000001")
    page.get_by_role("button", name="Replay…").click()
    dialog(page).get_by_label("superseded").check()
    dialog(page).get_by_role("button", name="Replay").click()
    until(lambda: site.store.counts()["pending"] == 3, "the last word")
    assert list(check_consistency(site.store)) == []


def test_a_purge_asks_with_cancel_in_focus_and_takes_the_bodies(site: Site, open_page: OpenPage) -> None:
    page = open_dead_letters(open_page, site)
    page.get_by_role("button", name="Choose this page").click()
    expect(page.locator("#picked")).to_have_text("50 chosen")
    page.get_by_role("button", name="Purge…").click()
    expect(dialog(page)).to_contain_text("Purge 50 dead letters?")
    expect(dialog(page).get_by_role("button", name="Cancel")).to_be_focused()
    page.keyboard.press("Enter")
    expect(dialog(page)).to_have_count(0)
    assert site.store.counts()["cancelled"] == 0
    page.get_by_role("button", name="Purge…").click()
    dialog(page).get_by_role("button", name="Purge").click()
    expect(page.locator("#count")).to_have_text(f"{COUNT - 50} of {COUNT - 50} dead letters")
    counts = site.store.counts()
    assert (counts["cancelled"], counts["dead"] + counts["expired"]) == (50, COUNT - 50)


def test_rows_stay_during_a_selection_and_new_ones_are_announced(site: Site, open_page: OpenPage) -> None:
    page = open_dead_letters(open_page, site)
    pick(page, "job000003")
    site.store.purge("job000004", 60)
    expect(page.locator("#news")).to_be_visible()
    assert "job000004" in ids(page)
    expect(page.locator("#picked")).to_have_text("1 chosen")
    page.get_by_role("button", name="Show the current list").click()
    expect(page.locator(".dead-letters-pick input[value=job000004]")).to_have_count(0)
    expect(page.locator("#news")).to_be_hidden()
    expect(page.locator("#picked")).to_have_text("None chosen")
    page.get_by_role("button", name="Choose this page").click()
    expect(page.locator("#picked")).to_have_text("50 chosen")


def test_a_bulk_run_goes_on_without_the_page_and_is_shown_on_return(site: Site, open_page: OpenPage) -> None:
    page = open_dead_letters(open_page, site, "?reason=refused&size=25")
    page.get_by_role("button", name="Choose all that match").click()
    expect(page.locator("#picked")).to_have_text("All 65 that match")
    page.get_by_role("button", name="Replay…").click()
    expect(dialog(page)).to_contain_text("Replay 65 dead letters?")
    dialog(page).get_by_role("button", name="Replay").click()
    expect(dialog(page)).to_have_count(0)
    page.goto(f"{site.url}/throughput")
    until(lambda: site.store.counts()["pending"] == 65, "the replay")
    page = open_dead_letters(open_page, site)
    expect(page.locator("#runs")).to_contain_text("Replay of dead letters with reason refused, by ana")
    expect(page.locator("#runs")).to_contain_text("replayed 65 of 65 dead letters, ended")
    assert site.store.counts()["dead"] == 33


@pytest.mark.parametrize(("label", "form"), [("JSON Lines", "jsonl"), ("CSV", "csv")])
def test_an_export_can_be_imported_and_is_in_the_audit_log(
    site: Site, open_page: OpenPage, label: str, form: Any
) -> None:
    page = open_dead_letters(open_page, site, "?location=loc1")
    page.get_by_role("button", name="Choose all that match").click()
    page.get_by_role("button", name="Export…").click()
    dialog(page).get_by_label(label).check()
    with page.expect_download() as download:
        dialog(page).get_by_role("button", name="Export").click()
    assert download.value.suggested_filename == f"dead-letters.{form}"
    found = [read_dead_letter(row) for row in read_rows(BytesIO(Path(download.value.path()).read_bytes()), form)]
    assert [each.new_job.id for each in found] == [
        each["id"] for each in command(site, "dead", "list", "--location", "loc1")
    ]
    assert found[0].new_job.body == dead_letter(int(found[0].new_job.id[3:])).new_job.body
    exports = [entry for entry in entries(site) if entry[1] == "export"]
    assert exports == [("ana", "export", "dead letters with location loc1", f"{len(found)}, as {form}")]


def test_foreign_text_is_never_markup(site: Site, open_page: OpenPage) -> None:
    attempt = Attempt(
        1, "refused", 1.0, 2.0, {"status": 422, "message": BAD, "code": BAD, "trace_id": BAD, "worker": BAD}
    )
    body = json.dumps({"pipelineId": "pipe", "locationId": "loc", "contactId": "x", "name": BAD}).encode()
    order = NewJob(BAD_ID, "loc", "pipe/x", body, service=BAD_ID[:60])
    site.store.restore(DeadLetter(order, Reason.REFUSED, 1.0, 2.0, (attempt,)))
    shown = "<script>hacked = 1</script>\\u202e\\x1b[31m\"'"
    page = open_dead_letters(open_page, site, "?location=loc")
    expect(page.locator(".dead-letters-message")).to_have_text(shown)
    expect(page.locator(".dead-letters-answer code")).to_have_text(shown)
    assert ids(page) == [BAD_ID]
    page.get_by_role("link", name="Grouped by error").click()
    page.get_by_role("link", name=shown).click()
    expect(page.locator("#count")).to_have_text(f"1 of {COUNT + 1} dead letters")
    page.get_by_role("link", name=BAD_ID).click()
    expect(page.get_by_role("heading", level=1)).to_have_text(BAD_ID)
    expect(page.locator(".dead-letters-attempts .dead-letters-trace").first).to_have_text(shown)
    page.get_by_role("button", name="Show content").click()
    expect(page.locator("[data-field=name] [data-value]")).to_have_text(
        "<script>hacked = 1</script>\\u{202e}\\u{1b}[31m\"'"
    )
    page.get_by_role("link", name="Edit").click()
    page.get_by_role("button", name="Show content and edit").click()
    expect(page.locator("#cell-name")).to_be_disabled()
    page.get_by_role("button", name="JSON").click()
    assert json.loads(page.locator("#text").input_value())["name"] == BAD
    assert "\u202e" not in page.locator("#text").input_value()
    page = open_dead_letters(open_page, site, "?location=loc")
    pick(page, BAD_ID.replace("'", "\\'"))
    page.get_by_role("button", name="Replay…").click()
    dialog(page).get_by_role("button", name="Replay").click()
    expect(page.locator("#runs")).to_contain_text(f"Replay of {BAD_ID}, by ana")
    assert page.evaluate("typeof hacked") == "undefined"


@pytest.mark.parametrize(
    "path", ["/dead-letters", "/dead-letters?view=groups", "/dead-letters?reason=refused&message_pattern=x"]
)
@pytest.mark.parametrize("how", [{"phone": True}, {"dark": True}, {}], ids=["phone", "dark", "light"])
def test_it_is_accessible(site: Site, open_page: OpenPage, path: str, how: dict[str, bool]) -> None:
    page = open_dead_letters(open_page, site, path.removeprefix("/dead-letters"), **how)
    fits(page)
    axe(page)
