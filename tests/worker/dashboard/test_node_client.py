"""A client in Node enqueues through the authenticated REST API of the dashboard, and the job shows on the pages."""

import json
import re
import subprocess
from pathlib import Path

from playwright.sync_api import expect

from tests.helpers import row, until
from tests.real_parts import node
from tests.worker.dashboard.conftest import PASSWORD, MakeSite, OpenPage

ROOT = Path(__file__).parents[3]
CLIENT = ROOT / "tests" / "end_to_end" / "enqueue.mjs"
LOGIN = f"{PASSWORD['username']}:{PASSWORD['password']}"


def enqueue(url: str, login: str, values: dict[str, object], *job_id: str) -> "subprocess.CompletedProcess[str]":
    command = [node(), str(CLIENT), url, login, json.dumps(values), *job_id]
    return subprocess.run(command, capture_output=True, text=True, timeout=60, check=False)


def test_jobs_from_node_are_delivered_and_shown(make_site: MakeSite, open_page: OpenPage) -> None:
    site = make_site(password=True, sandbox=("--known-pipeline", "pipe"), worker=True)
    done = enqueue(site.url, LOGIN, row("loc", "contact", name="From Node"))
    assert (done.returncode, done.stderr) == (0, "")
    job_id = done.stdout.strip()
    until(lambda: (job := site.store.job(job_id)) and job.state.value == "delivered", "the delivery")
    assert enqueue(site.url, LOGIN, row("loc", "contact"), job_id).stdout.strip() == job_id
    refused = enqueue(site.url, LOGIN, row("loc", "contact-2", pipelineId="gone")).stdout.strip()
    until(lambda: (job := site.store.job(refused)) and job.is_dead_letter, "the dead letter")
    assert site.store.counts()["accepted"] == 2, "the same id again makes no second job"

    page = open_page(f"{site.url}/job/{job_id}").page
    expect(page.locator("#state")).to_have_text("delivered")
    page.goto(f"{site.url}/dead-letters")
    page.get_by_role("link", name=refused).click()
    expect(page.get_by_role("heading", level=1)).to_have_text(refused)

    wrong = enqueue(site.url, "ana:guess", row("loc", "contact-3"))
    assert (wrong.returncode, wrong.stdout) == (1, "")
    assert wrong.stderr.startswith("not enqueued: 401")
    assert "From Node" not in site.stack.children[-1].output + site.stack.children[-2].output


def test_the_client_of_the_documentation_is_the_one_that_runs() -> None:
    [example] = re.findall(
        r"^```js\n(.*?)^```", (ROOT / "docs" / "enqueue.md").read_text("utf-8"), re.MULTILINE | re.DOTALL
    )
    assert example in CLIENT.read_text("utf-8")
