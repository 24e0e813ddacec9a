"""On a terminal there are colours, bars and questions; in a pipe there are none."""

import contextlib
import json
import os
import pty
import subprocess
from collections.abc import Callable
from pathlib import Path

from lanes.queue.store import LaneStore
from tests.ops.command.conftest import LANES, Run, environ

ESCAPE = "\x1b["


def on_terminal(url: str, folder: Path, *arguments: str, typed: str = "", **more: str) -> tuple[int, str]:
    """Run `lanes ...` on a terminal of its own; return its exit status and all that was shown."""
    ours, theirs = pty.openpty()
    settings = {"TERM": "xterm-256color", "COLUMNS": "200", "LINES": "40", **more}
    kept = {name: value for name, value in environ(url).items() if name not in ("NO_COLOR", "CI")}
    with subprocess.Popen(
        [LANES, *arguments], stdin=theirs, stdout=theirs, stderr=theirs, cwd=folder, env={**kept, **settings}
    ) as process:
        os.close(theirs)
        os.write(ours, typed.encode())
        shown = b""
        # Linux answers EIO once the other end is closed.
        with contextlib.suppress(OSError):
            while piece := os.read(ours, 65536):
                shown += piece
        os.close(ours)
        return process.wait(60), shown.decode()


def test_status_has_colours_on_a_terminal_only(
    run: Run, redis_url: str, bury: Callable[..., str], tmp_path: Path
) -> None:
    bury("loc-of-customer")
    status, shown = on_terminal(redis_url, tmp_path, "status")
    assert (status, ESCAPE in shown, "loc-of-customer" in shown) == (0, True, True)
    _, plain = on_terminal(redis_url, tmp_path, "status", NO_COLOR="1")
    assert "\x1b[31m" in shown
    assert "\x1b[31m" not in plain
    assert ESCAPE not in run("status").stdout


def test_enqueue_shows_progress_on_a_terminal_only(run: Run, redis_url: str, store: LaneStore, tmp_path: Path) -> None:
    rows = [{"pipelineId": "p", "locationId": "loc", "contactId": f"c{n}"} for n in range(1200)]
    text = "".join(json.dumps(row) + "\n" for row in rows) + "broken\n"
    (tmp_path / "a.jsonl").write_text(text, encoding="utf-8")
    status, shown = on_terminal(redis_url, tmp_path, "enqueue", "a.jsonl")
    assert status == 1
    assert ESCAPE in shown
    assert "rows accepted" in shown
    assert "a.jsonl:1201: is not JSON: Expecting value at column 1 (it is 'broken')\r\n" in shown
    assert "1200 of 1201 rows accepted, 1 refused" in shown
    piped = run("enqueue", "a.jsonl")
    assert ESCAPE not in piped.stdout + piped.stderr
    assert len(piped.stderr.splitlines()) == 2
    assert store.counts()["accepted"] == 2400


def test_watch_draws_on_a_screen_of_its_own(redis_url: str, bury: Callable[..., str], tmp_path: Path) -> None:
    bury("loc-of-customer")
    ours, theirs = pty.openpty()
    with subprocess.Popen(
        [LANES, "status", "--watch", "--interval", "0.1"],
        stdin=theirs,
        stdout=theirs,
        stderr=theirs,
        cwd=tmp_path,
        env=environ(redis_url, TERM="xterm-256color", COLUMNS="200", LINES="40"),
        start_new_session=True,
    ) as process:
        os.close(theirs)
        shown = b""
        while shown.count(b"loc-of-customer") < 3:
            shown += os.read(ours, 65536)
        process.send_signal(2)
        with contextlib.suppress(OSError):
            while piece := os.read(ours, 65536):
                shown += piece
        os.close(ours)
        assert process.wait(60) == 130
    assert b"\x1b[?1049h" in shown
    assert b"\x1b[?1049l" in shown
    assert shown.endswith(b"lanes: interrupted: nothing was changed\r\n")


def test_purge_asks_on_a_terminal(redis_url: str, store: LaneStore, bury: Callable[..., str], tmp_path: Path) -> None:
    bury("one")
    bury("two")
    status, shown = on_terminal(redis_url, tmp_path, "dead", "purge", "--all", typed="n\n")
    assert status == 1
    assert "purge 2 dead letters? [y/N]: " in shown
    assert "lanes: nothing was changed" in shown
    assert store.counts()["dead"] == 2
    status, shown = on_terminal(redis_url, tmp_path, "dead", "purge", "--all", typed="y\n")
    assert (status, store.counts()["dead"]) == (0, 0)
    assert "purged 2 dead letters" in shown


def test_cancel_of_two_asks_on_a_terminal(
    redis_url: str, store: LaneStore, enqueue: Callable[..., str], tmp_path: Path
) -> None:
    job_ids = enqueue("one"), enqueue("two")
    status, shown = on_terminal(redis_url, tmp_path, "cancel", *job_ids, typed="n\n")
    assert status == 1
    assert "cancel 2 jobs? [y/N]: " in shown
    assert store.counts()["cancelled"] == 0
    status, _ = on_terminal(redis_url, tmp_path, "cancel", *job_ids, typed="y\n")
    assert (status, store.counts()["cancelled"]) == (0, 2)


def test_no_control_characters_reach_the_terminal(redis_url: str, bury: Callable[..., str], tmp_path: Path) -> None:
    job_id = bury(name="\x1b]0;title\x07")
    for arguments in (["dead", "list"], ["dead", "show", job_id], ["job", job_id]):
        _, shown = on_terminal(redis_url, tmp_path, *arguments, NO_COLOR="1")
        assert "\x1b]0;" not in shown
        assert "\x1b[31mbad" not in shown
        assert r"\x1b" in shown


def test_typed_rows_get_a_hint_how_to_end_and_no_progress_bar(redis_url: str, tmp_path: Path) -> None:
    row = '{"pipelineId":"p","locationId":"l","contactId":"c"}'
    status, shown = on_terminal(redis_url, tmp_path, "enqueue", "-", typed=f"{row}\n\x04")
    assert status == 0
    assert "type one row per line; end with Ctrl-D at the start of a line" in shown
    assert "1 of 1 row accepted" in shown
    assert ESCAPE not in shown
