"""What we take from Flower, put into it and change of it is as we know it. When one of these fails after an upgrade of
Flower, its message says what changed; `worker/dashboard/flower.py` is where to follow.
"""

import hashlib
import inspect
import re
from importlib.metadata import version
from pathlib import Path

import flower
import pytest
from flower import command, options, urls
from flower.app import Flower, rewrite_handler
from flower.events import EventsState
from flower.views import BaseHandler
from flower.views.monitor import Healthcheck, Metrics
from tornado.template import BaseLoader, Loader
from tornado.web import url

from worker.dashboard import flower as ours
from worker.dashboard import template_loader

FLOWER = Path(flower.__file__).parent
TEMPLATES = FLOWER / "templates"
VENDOR = Path(ours.__file__).parent / "static" / "vendor"


def test_the_version_that_these_tests_were_written_for() -> None:
    assert version("flower").startswith("2.2."), "another Flower: read what changed in it, then this file"


@pytest.mark.parametrize("name", template_loader.TEMPLATE_ADDITIONS)
def test_the_marker_stands_once_in_the_template(name: str) -> None:
    marker, added = template_loader.TEMPLATE_ADDITIONS[name]
    found = marker.findall((TEMPLATES / name).read_text())
    assert len(found) == 1, f"{name}: the marker {marker.pattern!r} stands there {len(found)} times"
    text = template_loader.Templates(str(TEMPLATES)).load(name).code
    assert added.removesuffix(".html") in text, f"{added} was not put into {name}"


def test_a_navigation_without_the_marker_is_left_as_it_is(tmp_path: Path) -> None:
    (tmp_path / "navbar.html").write_text("<nav>something new</nav>")
    assert template_loader.Templates(str(tmp_path)).load("navbar.html").generate() == b"<nav>something new</nav>"


def test_blocks_and_ids_of_the_base_page() -> None:
    text = (TEMPLATES / "base.html").read_text()
    for block in ("title", "navbar", "container", "extra_scripts"):
        assert f"{{% block {block} %}}" in text, f"base.html has no block {block}"
    for needed in ('id="toast-container"', 'id="main-content"', "bootstrap.bundle.min.js", "js/theme.js"):
        assert needed in text, f"base.html has no {needed}"
    assert "active_tab" in (TEMPLATES / "navbar.html").read_text(), "navbar.html no longer knows active_tab"
    assert "task.name" in (TEMPLATES / "task.html").read_text(), "task.html no longer knows task"


def test_how_templates_are_found() -> None:
    assert list(inspect.signature(Loader._create_template).parameters) == ["self", "name"]
    assert "self._create_template(" in inspect.getsource(BaseLoader.load), "Tornado makes templates otherwise"


def test_no_template_of_ours_hides_one_of_flowers() -> None:
    own = {path.name for path in (Path(ours.__file__).parent / "templates").iterdir()}
    assert not own & {path.name for path in TEMPLATES.iterdir()}


def test_names_of_the_stylesheet() -> None:
    text = (FLOWER / "static/css/flower.css").read_text()
    sheets = (Path(ours.__file__).parent / "static").glob("*.css")
    used = {name for sheet in sheets for name in re.findall(r"var\((--flower-[\w-]+)\)", sheet.read_text())}
    for name in {*used, "--flower-warning", "--flower-danger", "--flower-success", "--flower-active"}:
        assert f"{name}:" in text, f"flower.css has no {name}"
    for name in ("metric-card", "metric-grid", "page-header", "page-eyebrow", "status-dot-live", "workers-table"):
        assert f".{name}" in text, f"flower.css has no .{name}"
    assert '[data-bs-theme="dark"]' in text, "flower.css tells the dark theme otherwise"
    assert "data-bs-theme" in (FLOWER / "static/js/theme.js").read_text(), "theme.js tells the theme otherwise"
    assert "_xsrf" in (FLOWER / "static/js/flower.js").read_text(), "flower.js no longer reads the XSRF cookie"


def test_what_our_command_calls() -> None:
    for name in ("apply_env_options", "apply_options", "extract_settings", "setup_logging", "print_banner"):
        assert callable(getattr(command, name, None)), f"flower.command has no {name}"
    assert list(inspect.signature(command.apply_options).parameters) == ["prog_name", "argv"]
    assert list(inspect.signature(command.print_banner).parameters)[:3] == ["app", "ssl", "port"]
    assert command.is_flower_option("--basic_auth=x")
    assert not command.is_flower_option("--bsic_auth=x")
    body = inspect.getsource(command.flower.callback)
    steps = ["apply_env_options()", "apply_options(", "extract_settings()", "setup_logging()", "Flower(capp="]
    places = [body.find(step) for step in steps]
    assert places == sorted(places), f"flower.command does other steps, or in another order: {places}"
    assert -1 not in places, f"flower.command lacks a step of ours: {dict(zip(steps, places, strict=True))}"


@pytest.mark.parametrize(
    "name",
    ["address", "port", "unix_socket", "basic_auth", "auth", "read_only", "url_prefix", "conf", "xheaders"],
)
def test_options_that_we_read(name: str) -> None:
    assert name in options.default_options, f"Flower has no option {name}"


def test_settings_that_we_add_to() -> None:
    assert {"template_path", "static_path", "login_url", "xsrf_cookies"} <= urls.settings.keys()
    assert not {"template_loader", "ui_methods", "xsrf_cookie_kwargs"} & urls.settings.keys(), "Flower sets these now"


def test_how_flower_takes_its_handlers_and_its_prefix() -> None:
    assert {"options", "capp"} <= inspect.signature(Flower.__init__).parameters.keys()
    assert rewrite_handler(url("/x", BaseHandler, name="x"), "/p/").regex.pattern == "/p/x$"
    taken = {pattern for handler in urls.handlers for pattern in [getattr(handler, "regex", None)] if pattern}
    names = {pattern.pattern for pattern in taken}
    from worker.dashboard.routes import handlers  # noqa: PLC0415 - all pages, for this test alone

    assert not names & {handler.regex.pattern for handler in handlers()}, "Flower has a page of that name now"


def test_what_our_handlers_build_upon() -> None:
    for name in ("get_current_user", "check_xsrf_cookie", "write_error", "set_default_headers", "log_exception"):
        assert name in vars(BaseHandler), f"BaseHandler has no {name} of its own any more"
    assert "get" in vars(Metrics), "Flower's /metrics is made otherwise"
    assert (r"/metrics", Metrics) in urls.handlers, "Flower has its metrics elsewhere"
    assert (r"/healthcheck", Healthcheck) in urls.handlers, "Flower has its health check elsewhere"
    source = inspect.getsource(BaseHandler.get_current_user)
    assert "basic_auth" in source, "basic auth is done otherwise"
    assert "get_secure_cookie('user')" in source, "OAuth is done otherwise"
    assert "authenticate(self.application.options.auth, user)" in source, "OAuth is done otherwise"
    assert list(inspect.signature(Flower.start_http_server).parameters) == ["self"], "Flower listens otherwise"


def test_what_we_read_of_tasks() -> None:
    assert hasattr(EventsState(), "tasks"), "Flower keeps its tasks elsewhere"
    assert any(getattr(handler, "name", None) == "task" for handler in urls.handlers), "Flower's task page is elsewhere"


def test_the_library_of_the_charts_is_as_its_makers_shipped_it() -> None:
    for readme in VENDOR.glob("*/README.md"):
        table = dict(re.findall(r"^\| (\S+) \| ([0-9a-f]{64}) \|$", readme.read_text(), re.MULTILINE))
        files = {path.name for path in readme.parent.iterdir()} - {"README.md"}
        assert table.keys() == files
        for name, digest in table.items():
            assert hashlib.sha256((readme.parent / name).read_bytes()).hexdigest() == digest, name
