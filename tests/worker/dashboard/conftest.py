"""The dashboard as a process on a real Redis, and a real browser that looks at it."""

from collections.abc import Callable, Iterator
from contextlib import ExitStack
from pathlib import Path
from typing import Any

import pytest
from axe_playwright_python.sync_playwright import Axe
from playwright.sync_api import Browser, Page, expect, sync_playwright

from lanes.queue.connecting import connect
from lanes.queue.store import LaneStore
from ops.embedded.stack import Stack
from producers import OpportunityProducer
from tests import real_parts

TIMEOUT_MILLISECONDS = 60_000  # far beyond what any machine needs
# No sandbox of its own (containers have none to give), no GPU, and nothing that looks for the world outside.
ARGUMENTS = (
    "--no-sandbox",
    "--disable-gpu",
    "--disable-quic",
    "--no-first-run",
    "--disable-background-networking",
    "--disable-component-update",
    "--disable-sync",
)
PHONE = {"width": 390, "height": 844}
DESKTOP = {"width": 1280, "height": 900}
DEADLINE_SECONDS = 60.0
PASSWORD: dict[str, str] = {"username": "ana", "password": "correct horse"}


class Site:
    """A stack with the dashboard up, and what a test asks of it."""

    def __init__(self, stack: Stack, prefix: str, clients: ExitStack) -> None:
        self.stack = stack
        self.url = stack.flower_url + prefix
        self.store = LaneStore(clients.enter_context(connect(stack.redis.url)))
        self.producer = clients.enter_context(OpportunityProducer.from_settings(stack.load_settings()))

    def all_done(self) -> bool:
        counts = self.store.counts()
        return counts["pending"] == 0 and counts["in_flight"] == 0


MakeSite = Callable[..., Site]


def people_file(folder: Path) -> Path:
    """Write the password file."""
    path = folder / "people"
    path.write_text("# who may enter\n{username}:{password}\n".format(**PASSWORD))
    return path


@pytest.fixture(scope="module")
def make_site(tmp_path_factory: pytest.TempPathFactory) -> Iterator[MakeSite]:
    """Start Redis and the dashboard, with these options; `sandbox` and `worker` start those too. All end with the file.

    `password`: whether people have to log in (as PASSWORD says).
    """
    clients = ExitStack()
    stacks: list[Stack] = []

    def make(
        *options: str,
        prefix: str = "",
        password: bool = False,
        sandbox: tuple[str, ...] | None = None,
        worker: bool = False,
        **settings: object,
    ) -> Site:
        texts = {f"LANES_{name.upper()}": str(value) for name, value in settings.items()}
        stack = Stack(tmp_path_factory.mktemp("site"), texts)
        stacks.append(stack)
        stack.start_redis()
        if sandbox is not None:
            stack.start_sandbox(*sandbox)
        own = ["--basic-auth-file", str(people_file(stack.folder))] if password else []
        if prefix:
            options = (*options, f"--url_prefix={prefix}")
        stack.start_dashboard(*own, "--", *options, prefix=prefix and f"/{prefix}")
        if worker:
            stack.start_worker()
        return Site(stack, prefix and f"/{prefix}", clients)

    yield make
    clients.close()
    for stack in stacks:
        stack.stop()


@pytest.fixture(scope="module")
def browser() -> Iterator[Browser]:
    """One Chromium for all tests of a file; beyond it, its event loop would be in the way of other tests."""
    path = real_parts.chromium()
    expect.set_options(timeout=TIMEOUT_MILLISECONDS)
    with sync_playwright() as playwright:
        browser = playwright.chromium.launch(executable_path=path, args=list(ARGUMENTS))
        yield browser
        browser.close()


class Opened:
    """A page in a context of its own, with what it asked for and what its scripts complained of."""

    def __init__(self, page: Page) -> None:
        self.page = page
        self.requests: list[str] = []
        self.errors: list[str] = []
        page.on("request", lambda request: self.requests.append(request.url))
        page.on("pageerror", lambda error: self.errors.append(str(error)))
        page.on("console", self._note)

    def _note(self, message: Any) -> None:
        # An answer of 4xx or 5xx is logged by the browser itself; tests look at what the page says about it.
        if message.type == "error" and "Failed to load resource" not in message.text:
            self.errors.append(message.text)


OpenPage = Callable[..., Opened]


@pytest.fixture
def open_page(browser: Browser) -> Iterator[OpenPage]:
    """Open an address in a new context: `phone` for a screen of 390 px, `dark` for the dark theme, `password` or none;
    with `clock`, time passes in the page only when the test lets it.

    At the end of the test, the page's scripts must not have complained, and no other host been asked for anything.
    """
    opened: list[Opened] = []

    def open_(
        url: str, *, phone: bool = False, dark: bool = False, password: object = True, clock: bool = False
    ) -> Opened:
        context = browser.new_context(
            viewport=PHONE if phone else DESKTOP,  # type: ignore[arg-type]
            color_scheme="dark" if dark else "light",
            http_credentials=PASSWORD if password is True else password or None,  # type: ignore[arg-type]
            reduced_motion="reduce",
        )
        made = Opened(context.new_page())
        opened.append(made)
        if clock:
            made.page.clock.install()
        made.page.goto(url)
        return made

    yield open_
    for made in opened:
        made.page.context.close()
        assert [url for url in made.requests if not url.startswith(("http://127.0.0.1:", "data:", "blob:"))] == []
        assert made.errors == []


def axe(page: Page) -> None:
    """See that nothing serious keeps people with a screen reader, a keyboard or weak eyes from using this page."""
    found = Axe().run(page)
    serious = [
        f"{finding['id']}: {finding['help']}: {[node['html'][:120] for node in finding['nodes'][:3]]}"
        for finding in found.response["violations"]
        if finding["impact"] in ("serious", "critical")
    ]
    assert serious == []


def fits(page: Page) -> None:
    """See that the page needs no scrolling sideways."""
    assert page.evaluate("document.documentElement.scrollWidth <= window.innerWidth"), "wider than the screen"
