"""The sandbox as a process of its own, and what asks it from another."""

import re
import signal
import subprocess
import sys
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path

import pytest
import requests
from click.testing import CliRunner

from ops.sandbox import DEFAULT_TOKEN, Fault, Sandbox, SandboxControl, SandboxSettings
from ops.sandbox.cli import sandbox as command
from ops.sandbox.cli import settings_of
from tests.helpers import until
from tests.worker.highlevel.conftest import DEADLINE_SECONDS, post
from worker.highlevel.client import HighLevelClient
from worker.highlevel.outcomes import Answer

COMMAND = (sys.executable, "-m", "ops.sandbox")
RAW = b'{"pipelineId":"pipe","locationId":"loc","contactId":"contact"}'


@contextmanager
def started(*options: str) -> Iterator[tuple["subprocess.Popen[str]", str]]:
    """Start it on any free port; give the process and the URL that it announces."""
    command = [*COMMAND, "--port", "0", *options]
    with subprocess.Popen(command, stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True) as process:
        try:
            assert process.stdout
            announced = re.search(r"http://\S+", process.stdout.readline())
            assert announced
            yield process, announced[0]
        finally:
            process.kill()


@pytest.mark.parametrize("number", [signal.SIGTERM, signal.SIGINT])
def test_one_line_when_it_listens_and_status_0_when_it_is_stopped(number: signal.Signals) -> None:
    with started() as (process, url):
        control = SandboxControl(url)
        assert control.healthy()
        control.inject(Fault(kind="timeout", contact_prefix="contact"))
        with pytest.raises(requests.Timeout):
            requests.post(f"{url}/opportunities/upsert", data=RAW, headers=headers(), timeout=0.2)
        process.send_signal(number)
        out, err = process.communicate(timeout=DEADLINE_SECONDS)
        assert (process.returncode, out, err) == (0, "", "")
    assert not control.healthy()


def headers() -> dict[str, str]:
    return {
        "Authorization": f"Bearer {DEFAULT_TOKEN}",
        "Content-Type": "application/json",
        "User-Agent": "highlevel-lanes/test",
        "Version": "2021-07-28",
    }


def test_what_another_process_learns() -> None:
    with started("--burst-limit", "2", "--retry-after", "--known-pipeline", "pipe") as (_, url):
        control, client = SandboxControl(url), HighLevelClient(url, "2021-07-28", DEADLINE_SECONDS)
        control.inject(Fault(kind="status", first=1))
        answers = [client.upsert(RAW, DEFAULT_TOKEN) for _ in range(3)]
        assert [answer.status for answer in answers if isinstance(answer, Answer)] == [500, 201, 429]
        summary = control.summary()
        assert (summary["requests"], summary["succeeded"], summary["throttled"], summary["open"]) == (3, 1, 1, 0)
        assert summary["statuses"] == {"500": 1, "201": 1, "429": 1}
        assert summary["locations"] == {"loc": {"requests": 3, "max_in_window": 3, "throttled": 1}}
        assert summary["overlaps"] == []
        assert control.summary(window=1e-9)["locations"]["loc"]["max_in_window"] == 1
        logged = control.requests("loc")
        assert [one["applied"] for one in logged] == [None, 1, None]
        assert logged[1]["body"] == {"pipelineId": "pipe", "locationId": "loc", "contactId": "contact"}
        assert control.arrivals("loc") == [one["arrived_at"] for one in logged]
        assert control.requests("loc-2") == []
        assert [record["contactId"] for record in control.records()] == ["contact"]
        control.reset()
        assert (control.summary()["requests"], control.records()) == (0, [])


def test_control_over_a_sandbox_of_this_process_is_the_same(sandbox: Sandbox) -> None:
    control = SandboxControl(sandbox.url)
    control.inject(Fault(kind="status", status=418))
    assert post(sandbox).status_code == 418
    control.clear_faults()
    assert post(sandbox).status_code == 201
    assert control.summary() == sandbox.request_log.summary(10)


@pytest.mark.parametrize(
    ("method", "path", "data", "says"),
    [
        ("POST", "faults", b'{"kind": "fire"}', "kind: Input should be 'status'"),
        ("POST", "faults", b"{", "Invalid JSON"),
        ("GET", "summary?window=wide", b"", "window: must be seconds (it is 'wide')"),
    ],
)
def test_a_wrong_question_is_answered_with_one_line(
    sandbox: Sandbox, method: str, path: str, data: bytes, says: str
) -> None:
    answer = requests.request(method, f"{sandbox.url}/_sandbox/{path}", data=data, timeout=DEADLINE_SECONDS)
    assert answer.status_code == 400
    assert says in answer.json()["message"]
    assert "\n" not in answer.json()["message"]


def test_without_control_there_is_only_the_api(make_sandbox: Callable[..., Sandbox]) -> None:
    sandbox = make_sandbox(control=False)
    assert not SandboxControl(sandbox.url).healthy()
    assert post(sandbox).status_code == 201


@pytest.mark.parametrize(
    ("options", "expected"),
    [
        ([], {}),
        (["--host", "::1", "--port", "7"], {"host": "::1", "port": 7}),
        (["--burst-limit", "5", "--burst-window", "0.5"], {"burst_limit": 5, "burst_window_seconds": 0.5}),
        (["--burst-limit-of", "a=250", "--burst-limit-of", "b=40"], {"burst_limits": {"a": 250, "b": 40}}),
        (["--daily-limit", "9", "--window", "fixed"], {"daily_limit": 9, "window": "fixed"}),
        (["--latency", "0.5"], {"latency_seconds": (0.5, 0.5)}),
        (["--latency", "0.1-0.3"], {"latency_seconds": (0.1, 0.3)}),
        (["--token", "a", "--token", "b=l1,l2"], {"tokens": {"a": None, "b": frozenset({"l1", "l2"})}}),
        (["--known-pipeline", "a", "--known-pipeline", "b"], {"known_pipelines": frozenset({"a", "b"})}),
        (["--no-control", "--retry-after"], {"control": False, "retry_after": True}),
        (["--token-seconds", "0.5", "--grace-seconds", "0"], {"token_seconds": 0.5, "grace_seconds": 0}),
    ],
)
def test_the_options(options: list[str], expected: dict[str, object]) -> None:
    with command.make_context("sandbox", options) as context:
        assert settings_of(**context.params) == SandboxSettings.model_validate({"port": 8090, **expected})


@pytest.mark.parametrize(
    ("options", "says"),
    [
        (["--latency", "soon"], "'--latency': must be seconds like 0.2 or 0.1-0.3 (it is 'soon')"),
        (["--latency", "3-1"], "'--latency': the minimum (3) must not be above the maximum (1)"),
        (["--burst-limit-of", "loc"], "'--burst-limit-of': must be a location and a number like loc=250 (it is 'loc')"),
        (["--burst-limit-of", "loc=0"], "'--burst-limit-of': Input should be greater than 0"),
        (["--burst-window", "nan"], "'--burst-window': Input should be a finite number"),
        (["--token-file", "nowhere"], "'--token-file': 'nowhere' cannot be read: No such file or directory"),
        (["--token-file", "/dev/null"], "'--token-file': '/dev/null' is empty: put a token into it"),
        (["--burst-limit", "0"], "'--burst-limit': Input should be greater than 0"),
        (["--burst-lim", "5"], "No such option '--burst-lim'"),
    ],
)
def test_a_wrong_option_is_one_line(options: list[str], says: str) -> None:
    ended = CliRunner().invoke(command, options)
    assert ended.exit_code == 2
    assert says in ended.stderr.splitlines()[-1]


def test_a_token_of_a_file(tmp_path: Path) -> None:
    file = tmp_path / "token"
    file.write_text("b\n", "utf-8")
    with command.make_context("sandbox", ["--token", "a=l1", "--token-file", str(file)]) as context:
        assert settings_of(**context.params).tokens == {"a": frozenset({"l1"}), "b": None}


def test_a_port_that_is_taken(sandbox: Sandbox) -> None:
    port = sandbox.url.rsplit(":", 1)[1]
    with pytest.raises(OSError, match="in use"), Sandbox(SandboxSettings(port=int(port))):
        pass
    done = subprocess.run([*COMMAND, "--port", port], capture_output=True, text=True, timeout=60, check=False)
    assert done.returncode == 1
    assert done.stderr.count("\n") == 1
    assert f"cannot listen on 127.0.0.1:{port}: " in done.stderr


def open_files() -> int:
    return len(list(Path("/proc/self/fd").iterdir()))


def test_a_client_that_hangs_up_leaves_nothing_behind(make_sandbox: Callable[..., Sandbox]) -> None:
    sandbox = make_sandbox(latency_seconds=(30, 30))
    files = open_files()
    for _ in range(5):
        with pytest.raises(requests.Timeout):
            requests.post(f"{sandbox.url}/opportunities/upsert", data=RAW, headers=headers(), timeout=0.05)
    until(lambda: sandbox.request_log.open == 0, "the server to see that the clients are gone")
    until(lambda: open_files() <= files, "every connection closed")
    assert [logged.status for logged in sandbox.request_log.requests()] == [None] * 5
    assert sandbox.records == {}
