"""What the documentation refers to exists: links, headings, files, commands, targets."""

import re
from pathlib import Path

import pytest

from ops.command import COMMANDS
from tests.documentation.pages import PAGES, ROOT, name, text

README_LINES, README_CHARACTERS = 130, 9000
# What a page calls a file that a reader makes, or that is made on their machine.
NOT_IN_THE_TREE = ("ops/secrets",)
PATH = re.compile(r"(?<![\w/.])(?:lanes|producers|worker|ops|tests|docs|benchmarks)/[\w./*-]+")


def heading_anchor(heading: str) -> str:
    """Return the anchor that hosting services give a heading."""
    words = re.sub(r"\[([^\]]*)\]\([^)]*\)", r"\1", heading).lower()
    return re.sub(r"[^\w\- ]", "", words).strip().replace(" ", "-")


def anchors(page: Path) -> set[str]:
    plain = re.sub(r"^```.*?^```", "", page.read_text("utf-8"), flags=re.MULTILINE | re.DOTALL)
    return {heading_anchor(heading) for heading in re.findall(r"^#+ (.+)$", plain, re.MULTILINE)}


@pytest.mark.parametrize("page", PAGES, ids=name)
def test_every_link_leads_somewhere(page: Path) -> None:
    for link in re.findall(r"\]\(([^)\s]+)\)", page.read_text("utf-8")):
        if re.match(r"https?:|mailto:", link):
            continue
        file, _, anchor = link.partition("#")
        target = page if not file else page.parent / file
        assert target.exists(), link
        assert not anchor or anchor in anchors(target), link


@pytest.mark.parametrize("page", PAGES, ids=name)
def test_every_file_that_is_named_exists(page: Path) -> None:
    code = re.findall(r"`([^`\n]+)`", page.read_text("utf-8"))
    paths = {path for words in code for path in re.findall(PATH, words)}
    paths |= {path for words in code for some in re.findall(r"\.venv/bin/pytest (.+)", words) for path in some.split()}
    for path in paths:
        if not path.startswith(NOT_IN_THE_TREE):
            assert list(ROOT.glob(path.rstrip("/."))), path


@pytest.mark.parametrize("page", PAGES, ids=name)
def test_every_command_and_target_that_is_named_exists(page: Path) -> None:
    for command in re.findall(r"`lanes ([a-z-]+)", page.read_text("utf-8")):
        assert command in COMMANDS, command
    makefile = text("Makefile")
    for target in re.findall(r"`make ([a-z-]+)\b", page.read_text("utf-8")):
        assert re.search(rf"^{target}:", makefile, re.MULTILINE), target


def test_every_page_is_in_the_index() -> None:
    index = text("docs/README.md")
    for page in (ROOT / "docs").glob("*.md"):
        assert page.name == "README.md" or f"({page.name}" in index, page.name


def test_the_readme_is_short() -> None:
    readme = text("README.md")
    assert len(readme.splitlines()) <= README_LINES
    assert len(readme) <= README_CHARACTERS
