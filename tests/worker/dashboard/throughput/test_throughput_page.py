"""The throughput page in a browser, in and after a run with every outcome."""

import json
import os
import re
import subprocess
import sys
from typing import Any

import pytest
from playwright.sync_api import Page, expect

from lanes.services.service import Service
from lanes.services.store import ServiceStore
from ops.sandbox import SandboxControl
from tests.helpers import row, until
from tests.worker.dashboard.conftest import DEADLINE_SECONDS, MakeSite, OpenPage, Site, axe, fits
from tests.worker.dashboard.every_outcome import SANDBOX, SETTINGS, run_every_outcome, wait_until_settled

PATIENCE_MS = DEADLINE_SECONDS * 1000


@pytest.fixture(scope="module")
def site(make_site: MakeSite) -> Site:
    """After a run with every outcome, its worker still up."""
    site = make_site(sandbox=SANDBOX, worker=True, **SETTINGS)
    run_every_outcome(site)
    wait_until_settled(site)
    return site


def status_of(site: Site) -> dict[str, Any]:
    """Return what `lanes status --json` prints."""
    command = [sys.executable, "-m", "ops.command", "status", "--json"]
    environ = {**os.environ, **site.stack.environ}
    done = subprocess.run(command, env=environ, cwd=site.stack.folder, capture_output=True, check=True)
    found: dict[str, Any] = json.loads(done.stdout)
    return found


def live(page: Page) -> Page:
    expect(page.get_by_text("Live", exact=True)).to_be_visible(timeout=PATIENCE_MS)
    return page


def figure(page: Page, selector: str) -> int:
    return int((page.locator(selector).text_content() or "").replace(",", ""))


def test_the_totals_are_those_of_the_command_and_of_the_sandbox(site: Site, open_page: OpenPage) -> None:
    page = live(open_page(f"{site.url}/throughput").page)
    said = status_of(site)
    names = [name for name, value in said.items() if isinstance(value, int)]
    assert {"accepted", "pending", "in_flight", "delivered", "dead", "retried", "throttled"} <= set(names)
    for name in names:
        expect(page.locator(f"[data-total={name}]")).to_have_text(f"{said[name]:,}")
    for card in page.locator("[data-count]").all():
        assert (card.text_content() or "").replace(",", "") == str(said[card.get_attribute("data-count") or ""])
    saw = SandboxControl(site.stack.sandbox_url).summary()
    statuses = saw["statuses"]
    assert saw["succeeded"] == said["delivered"]
    assert statuses["503"] == said["retried"]
    assert statuses["429"] == said["throttled"]
    # Of the location whose access was taken away, one or two were on their way when its lane was held.
    locked = next(lane["dead"] for lane in said["locations"] if lane["location_id"] == "loc-locked")
    assert statuses["400"] + locked == said["dead"]
    assert locked > 0
    assert said["merged"] > 0 < said["cancelled"]


def test_latency_pace_and_backlog_are_there(site: Site, open_page: OpenPage) -> None:
    page = live(open_page(f"{site.url}/throughput").page)
    waits, answers = page.locator("[data-band=waits]").first, page.locator("[data-band=answers]").first
    for band in (waits, answers):
        expect(band.locator("td").first).to_have_text(re.compile(r"^\d+(\.\d)? m?s$"), timeout=PATIENCE_MS)
    expect(page.locator("#gone")).to_have_text("nothing pending")
    expect(page.locator("#gone-note")).to_contain_text("more held")
    expect(page.locator("#oldest")).to_have_text("none pending")
    expect(page.locator("#share-note")).to_have_text("no lane has work that it may send")
    expect(page.locator("#stops")).to_contain_text("2 lanes held")


def test_workers_and_their_sender_threads(site: Site, open_page: OpenPage) -> None:
    page = live(open_page(f"{site.url}/throughput").page)
    expect(page.locator("#workers")).to_have_text("1", timeout=PATIENCE_MS)
    expect(page.locator("#workers-note")).to_contain_text(
        "jobs at once, 0 % busy; not bound: workers wait for jobs", timeout=PATIENCE_MS
    )


def test_the_charts_draw_what_happened_and_say_it_in_a_table(site: Site, open_page: OpenPage) -> None:
    page = live(open_page(f"{site.url}/throughput").page)
    expect(page.locator("#hour-chart canvas")).to_be_visible()
    expect(page.locator("#day-chart canvas")).to_be_visible()
    delivered = site.store.counts()["delivered"]
    until(lambda: f"delivered {delivered:,}" in (page.locator("#hour-chart").get_attribute("aria-label") or ""), "all")
    page.locator("#hour-chart + details summary").press("Enter")
    rows = page.locator("#hour-table tbody tr")
    assert rows.count() == 12
    assert any(float(rows.nth(at).locator("td").first.text_content() or 0) > 0 for at in (0, 1))
    assert page.locator("#day-table tbody tr").count() == 24


def test_services_and_those_over_a_quota(site: Site, open_page: OpenPage) -> None:
    page = live(open_page(f"{site.url}/throughput").page)
    expect(page.locator("#services-panel")).to_be_hidden()
    services = ServiceStore(site.store)
    services.add(Service("crm", max_pending=0, rate=50))
    cells = page.locator("#services tr").filter(has_text="crm").locator("td")
    expect(cells).to_have_text(["0 of 0", "0", "50", "0"], timeout=PATIENCE_MS)
    expect(page.locator("#stops")).to_contain_text("service crm is over its quota max_pending")
    axe(page)
    fits(page)
    services.remove("crm")
    expect(page.locator("#services-panel")).to_be_hidden(timeout=PATIENCE_MS)


@pytest.mark.parametrize("look", [{}, {"dark": True}, {"phone": True}], ids=["light", "dark", "phone"])
def test_it_is_accessible(site: Site, open_page: OpenPage, look: dict[str, bool]) -> None:
    page = live(open_page(f"{site.url}/throughput", **look).page)
    page.locator("#hour-chart + details summary").click()
    axe(page)
    fits(page)
    for landmark in ("navigation", "main"):
        assert page.get_by_role(landmark).count() >= 1, landmark
    assert page.get_by_role("heading", level=1).text_content() == "Throughput"
    assert page.locator("[aria-current=page]").text_content() == "Throughput"


def test_the_charts_follow_the_theme(site: Site, open_page: OpenPage) -> None:
    page = live(open_page(f"{site.url}/throughput").page)
    expect(page.locator("#hour-chart canvas")).to_be_visible()
    ink = "(id) => document.querySelector(`#${id} canvas`).toDataURL()"
    light = page.evaluate(ink, "day-chart")
    page.get_by_role("button", name="Select theme").click()
    page.get_by_role("button", name="Dark").click()
    until(lambda: page.evaluate(ink, "day-chart") != light, "the chart to be redrawn")
    axe(page)


def test_it_says_when_its_data_are_old_and_recovers(make_site: MakeSite, open_page: OpenPage) -> None:
    site = make_site()
    page = live(open_page(f"{site.url}/throughput").page)
    site.stack.redis.kill()
    expect(page.get_by_text("Redis does not answer")).to_be_visible(timeout=PATIENCE_MS)
    expect(page.locator("#live-ago")).to_contain_text("data from", timeout=PATIENCE_MS)
    axe(page)
    assert (
        page.get_by_role("status").filter(has_text="data from").count() == 0
    )  # a screen reader does not announce every second
    site.stack.redis.start()
    live(page)
    expect(page.locator("#live-ago")).to_be_empty()
    site.stack.children[-1].stop()
    expect(page.get_by_text("The dashboard does not answer")).to_be_visible(timeout=PATIENCE_MS)


def test_a_global_hold_and_an_outage_are_shown_on_top(site: Site, open_page: OpenPage) -> None:
    page = live(open_page(f"{site.url}/throughput").page)
    stops = page.locator("#stops")
    site.store.hold_all("the API is being moved <b>", "ben")
    site.store.client.hset(
        site.store.key("global_state"), mapping={"outage_since": 1_700_000_000_000_000, "half_open_limit": 1}
    )
    try:
        expect(stops).to_contain_text("by ben: the API is being moved <b>", timeout=PATIENCE_MS)
        expect(stops).to_contain_text("Outage of the API since", timeout=PATIENCE_MS)
        axe(page)
    finally:
        site.store.client.hdel(site.store.key("global_state"), "outage_since", "half_open_limit")
        assert site.store.resume_all() == "resumed"
    expect(stops).not_to_contain_text("Outage", timeout=PATIENCE_MS)
    expect(stops).not_to_contain_text("Everything is held")


def test_nothing_is_requested_while_the_tab_is_hidden(site: Site, open_page: OpenPage) -> None:
    opened = open_page(f"{site.url}/throughput", clock=True)
    page = live(opened.page)

    def asked() -> int:
        page.evaluate("fetch('/healthcheck').then((answer) => answer.text())")  # what was asked before is known then
        return sum(url.endswith("/throughput/data") for url in opened.requests)

    def look(away: str) -> None:
        page.evaluate(f"Object.defineProperty(document, 'hidden', {{value: {away}, configurable: true}})")
        page.evaluate("document.dispatchEvent(new Event('visibilitychange'))")

    before = asked()
    page.clock.run_for(2100)
    until(lambda: asked() > before, "the next look")
    look(away="true")
    before = asked()
    page.clock.run_for(60_000)
    assert asked() == before
    look(away="false")
    until(lambda: asked() > before, "a read as soon as the page is visible")


def test_a_busy_lane_shows_how_full_its_window_is_and_when_it_is_done(site: Site, open_page: OpenPage) -> None:
    page = live(open_page(f"{site.url}/throughput").page)
    site.producer.enqueue_many([row("loc-busy", f"again-{number}") for number in range(150)])
    note = page.locator("#share-note")
    expect(note).to_have_text(
        re.compile(r"^(1\d|20) of 20 requests in the windows of 1 lane with work$"), timeout=PATIENCE_MS
    )
    expect(page.locator("#share")).to_have_text(re.compile(r"^\d+ %$"))
    expect(page.locator("#gone")).to_have_text(re.compile(r"^\d.* (s|min)$"))
    expect(page.locator("#oldest-note")).to_have_text("loc-busy")
