"""The list of the dead letters in a browser, as the tests use it."""

import json
from typing import Any

import requests
from click.testing import CliRunner
from playwright.sync_api import Page

from lanes.activity import audit_log
from ops.command.root import lanes
from tests.worker.dashboard.conftest import PASSWORD, OpenPage, Site

COUNT = 130
AUTH = (PASSWORD["username"], PASSWORD["password"])


def known_to(site: Site) -> tuple[int, int]:
    reported = requests.get(f"{site.url}/dead-letters/data", auth=AUTH, timeout=30).json()
    return reported["known"], reported["total"]


def open_dead_letters(open_page: OpenPage, site: Site, query: str = "", **how: Any) -> Page:
    page = open_page(f"{site.url}/dead-letters{query}", **how).page
    page.get_by_text("Live", exact=True).wait_for()
    return page


def ids(page: Page) -> list[str]:
    return [box.input_value() for box in page.locator(".dead-letters-pick input").all()]


def pick(page: Page, *job_ids: str) -> None:
    for job_id in job_ids:
        page.locator(f".dead-letters-pick input[value='{job_id}']").check()


def dialog(page: Page) -> Any:
    return page.locator("dialog.lanes-ask[open]")


def command(site: Site, *arguments: str) -> Any:
    shown = CliRunner().invoke(lanes, [*arguments, "--json", "--redis-url", site.stack.redis.url], env={})
    assert shown.exit_code == 0, shown.output
    return json.loads(shown.stdout)


def entries(site: Site) -> list[tuple[str, str, str, str]]:
    return [(each.who, each.what, each.on, each.detail) for each in reversed(audit_log.read(site.store))]
