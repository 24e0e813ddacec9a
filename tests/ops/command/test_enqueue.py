"""`lanes enqueue`: options, formats, keys, what is refused, and how it goes on after an interruption."""

import json
import signal
import subprocess
from datetime import datetime, timedelta, timezone
from pathlib import Path
from typing import IO

import pytest

from lanes.queue.connecting import connect
from lanes.queue.store import LaneStore
from lanes.services.service import Service
from lanes.services.store import ServiceStore
from ops.embedded.redis_server import RedisServer
from tests.ops.command.conftest import LANES, Run, Write, environ

BATCH = 500


def row(number: int, **fields: object) -> str:
    return json.dumps({"pipelineId": "p", "locationId": "loc", "contactId": f"c{number}", **fields}) + "\n"


def summary(shown: "subprocess.CompletedProcess[str]") -> tuple[int, int, int, list[int]]:
    found = json.loads(shown.stdout)
    return found["rows"], found["accepted"], found["duplicates"], [refusal["row"] for refusal in found["refused"]]


def test_json_lines_and_csv_and_stdin(run: Run, store: LaneStore, write: Write) -> None:
    assert summary(run("enqueue", write("a.jsonl", row(1) + "\n" + row(2)), "--json")) == (2, 2, 0, [])
    table = 'pipelineId,locationId,contactId,name,monetaryValue\r\np,loc,c3,"two\nlines",49.5\r\np,loc,c4,,\r\n'
    assert summary(run("enqueue", write("a.csv", table), "--json")) == (2, 2, 0, [])
    assert summary(run("enqueue", write("a.txt", table), "--format", "csv", "--json")) == (2, 2, 0, [])
    assert summary(run("enqueue", "-", "--json", stdin=row(5).encode())) == (1, 1, 0, [])
    assert store.counts()["pending"] == 7


def test_empty_files(quick: Run, write: Write) -> None:
    for name, text in (
        ("a.jsonl", ""),
        ("b.jsonl", "\n\n"),
        ("c.csv", ""),
        ("d.csv", "pipelineId,locationId,contactId\n"),
    ):
        shown = quick("enqueue", write(name, text))
        assert (shown.returncode, shown.stdout) == (0, "")
        assert shown.stderr == "0 of 0 rows accepted, 0 refused\n"


def test_an_unknown_extension_is_asked_about(run: Run, write: Write) -> None:
    shown = run("enqueue", write("deals.txt", row(1)))
    assert shown.returncode == 2
    assert "add --format jsonl or --format csv" in shown.stderr
    assert run("enqueue", ".").returncode == 2


def test_options_for_all_rows(run: Run, store: LaneStore, write: Write) -> None:
    text = row(1) + row(2, _options={"service": "own"}) + row(3, _options=None)
    noon = datetime.now(timezone(timedelta(hours=2))).replace(microsecond=0) + timedelta(days=2)
    end = noon + timedelta(hours=26)
    times = ["--not-before", noon.isoformat(), "--expires-at", end.isoformat()]
    shown = run("enqueue", write("a.jsonl", text), "--service", "import", *times, "--ids")
    jobs = store.jobs(shown.stdout.split())
    assert [(job.service, job.not_before, job.expires_at) for job in jobs[:2] if job] == [
        ("import", noon.timestamp(), end.timestamp()),
        ("own", noon.timestamp(), end.timestamp()),
    ]
    assert len(jobs) == 3


@pytest.mark.parametrize(
    ("options", "hint"),
    [
        (["--not-before", "2026-05-01T09:00:00"], "must be a time with a zone"),
        (["--not-before", "1700000000"], "must be a time with a zone"),
        (["--not-before", "2026-13-01T09:00:00Z"], "month must be in 1..12"),
        (["--not-before", "2026-05-02T09:00:00Z", "--expires-at", "2026-05-01T09:00:00Z"], "later than not_before"),
        (["--service", "two words"], "must be 1 to 64 printable ASCII characters"),
        (["--idempotency-prefix", "a b"], "must be 1 to 100 printable ASCII characters"),
        (["--idempotency-prefix", ""], "must be printable text"),
        (["--refused-to", "no/such/folder"], "No such file or directory"),
        (["--from-line", "0"], "x>=1"),
    ],
)
def test_wrong_options(quick: Run, store: LaneStore, write: Write, options: list[str], hint: str) -> None:
    shown = quick("enqueue", write("a.jsonl", row(1)), *options)
    assert shown.returncode == 2
    assert hint in shown.stderr
    assert store.counts()["accepted"] == 0


def test_a_dry_run_needs_no_redis(run: Run, write: Write) -> None:
    file = write("a.jsonl", row(1) + row(2, status="opened"))
    shown = run("enqueue", file, "--dry-run", "--json", url="redis://127.0.0.1:1/0")
    assert shown.returncode == 1
    assert summary(shown) == (2, 1, 0, [2])
    assert json.loads(shown.stdout)["refused"][0]["problems"] == [
        {
            "field": "status",
            "value": "'opened'",
            "message": "should be 'open', 'won', 'lost', 'abandoned' or 'all'",
        }
    ]


def test_the_same_file_twice(run: Run, store: LaneStore, write: Write) -> None:
    text = row(1) + row(2) + row(1) + row(4, _options={"idempotency_key": "own"})
    again = ("enqueue", "a.jsonl", "--json", "--ids", "--idempotency-prefix", "p")
    write("a.jsonl", text)
    first = run(*again)
    assert summary(first) == (4, 4, 0, [])
    write("a.jsonl", text + row(5))
    second = run(*again)
    assert summary(second) == (5, 1, 4, [])
    assert json.loads(second.stdout)["ids"][:4] == json.loads(first.stdout)["ids"]
    write("a.jsonl", row(1) + row(3) + row(1))
    third = run(*again)
    assert summary(third) == (3, 0, 2, [2])
    assert "_options.idempotency_key: was used for another body, by job " in third.stderr
    assert "(it is 'p-2')" in third.stderr
    assert store.counts()["accepted"] == 5


def test_errors_are_limited_and_nothing_is_lost(run: Run, store: LaneStore, write: Write, tmp_path: Path) -> None:
    lines = [
        row(n) if n % 2 else f'{{"n": {n}, "pad": "{"é" * 200_000 if n == 800 else ""}"}}\n' for n in range(1, 1201)
    ]
    shown = run("enqueue", write("a.jsonl", "".join(lines)), "--refused-to", "wrong.jsonl")
    reported = shown.stderr.splitlines()
    assert shown.returncode == 1
    assert [line.split(":")[:2] for line in reported[:20]] == [["a.jsonl", str(2 * n)] for n in range(1, 21)]
    assert reported[20:] == ["... and 580 more", "600 of 1200 rows accepted, 600 refused"]
    assert (tmp_path / "wrong.jsonl").read_text("utf-8") == "".join(lines[1::2])
    assert len(run("enqueue", "a.jsonl", "--dry-run", "--max-errors", "1000").stderr.splitlines()) == 601
    assert run("enqueue", "a.jsonl", "--refused-to", "wrong.jsonl").returncode == 2
    assert store.counts()["accepted"] == 600


def test_refused_rows_of_a_csv_file_can_be_sent_again(run: Run, write: Write, tmp_path: Path) -> None:
    header = '\ufeffpipelineId,locationId,contactId,"name"\r\n'
    bad = ['p,loc,c 1,"two\r\nlines"\r\n', 'p,loc,c2,"open\r\n', "p,loc,c3\r\n", "p,loc,c 4,end"]
    good = [f"p,loc,d{n},n\r\n" for n in range(4)]
    text = header + "".join(line for pair in zip(good, bad, strict=True) for line in pair)
    shown = run("enqueue", write("a.csv", text), "--refused-to", "wrong.csv", "--json")
    assert summary(shown) == (8, 4, 0, [3, 6, 8, 10])
    assert (tmp_path / "wrong.csv").read_bytes().decode() == header + "".join(bad) + "\n"
    corrected = (
        (header + "".join(bad)).replace("c 1", "c1").replace('"open', "open").replace("c3", "c3,n").replace("c 4", "c4")
    )
    assert summary(run("enqueue", write("corrected.csv", corrected), "--json")) == (4, 4, 0, [])


def test_no_file_of_refused_rows_without_any(run: Run, write: Write, tmp_path: Path) -> None:
    assert run("enqueue", write("a.jsonl", row(1)), "--refused-to", "wrong.jsonl").returncode == 0
    assert not (tmp_path / "wrong.jsonl").exists()


def test_from_a_line_on(run: Run, write: Write) -> None:
    write("a.jsonl", "x\n" + row(2) + row(3) + row(4))
    assert summary(run("enqueue", "a.jsonl", "--from-line", "3", "--json")) == (2, 2, 0, [])


class Feed:
    """A running `lanes enqueue -` that is fed while the test looks at Redis."""

    def __init__(self, url: str, folder: Path, *options: str) -> None:
        self.process = subprocess.Popen(
            [LANES, "enqueue", "-", "--json", *options],
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            stderr=subprocess.PIPE,
            cwd=folder,
            env=environ(url),
        )
        self._stdin: IO[bytes] = self.process.stdin  # type: ignore[assignment]

    def send(self, lines: str) -> None:
        self._stdin.write(lines.encode())
        self._stdin.flush()

    def wait_for_line(self) -> str:
        """Wait until something is reported: a refused row, once its batch is in."""
        assert self.process.stderr is not None
        return self.process.stderr.readline().decode()

    def end(self) -> "subprocess.CompletedProcess[str]":
        out, err = self.process.communicate(timeout=60)
        assert b"Traceback" not in err
        return subprocess.CompletedProcess([], self.process.returncode, out.decode(), err.decode())


FIRST_BATCH = "broken\n" + "".join(row(n) for n in range(1, BATCH))
REST = "".join(row(n) for n in range(BATCH, 3 * BATCH))


@pytest.mark.parametrize("options", [["--idempotency-prefix", "p"], []], ids=["with keys", "without"])
def test_redis_dies_in_the_middle_of_a_file(run: Run, tmp_path: Path, options: list[str]) -> None:
    with RedisServer(tmp_path / "redis") as server:
        feed = Feed(server.url, tmp_path, *options)
        feed.send(FIRST_BATCH)
        assert feed.wait_for_line().startswith("stdin:1: is not JSON")
        server.kill()
        feed.send(REST)
        shown = feed.end()
        assert shown.returncode == 3
        assert summary(shown) == (BATCH, BATCH - 1, 0, [1])
        reported = shown.stderr.splitlines()
        assert reported[-2].startswith("lanes: Redis cannot be reached: ")
        assert reported[-1].startswith(f"lanes: {BATCH - 1} rows accepted, lines 1 to {BATCH} done; to continue, ")
        server.start()
        if options:
            assert "run the same command again" in reported[-1]
        else:
            assert f"add --from-line {BATCH + 1}" in reported[-1]
            options = ["--from-line", str(BATCH + 1)]
        again = run("enqueue", "-", *options, stdin=(FIRST_BATCH + REST).encode(), url=server.url)
        assert again.returncode == (1 if "--idempotency-prefix" in options else 0)
        store = LaneStore(connect(server.url))
        assert store.counts()["pending"] == store.counts()["accepted"] == 3 * BATCH - 1
        store.close()


def test_ctrl_c_says_what_is_in(redis_url: str, store: LaneStore, tmp_path: Path) -> None:
    feed = Feed(redis_url, tmp_path, "--refused-to", "wrong.jsonl")
    feed.send(FIRST_BATCH + row(BATCH))
    feed.wait_for_line()
    feed.process.send_signal(signal.SIGINT)
    shown = feed.end()
    assert shown.returncode == 130
    assert summary(shown) == (BATCH, BATCH - 1, 0, [1])
    assert f"lanes: interrupted: {BATCH - 1} rows accepted" in shown.stderr.splitlines()[-1]
    assert store.counts()["accepted"] == BATCH - 1
    assert (tmp_path / "wrong.jsonl").read_text("utf-8") == "broken\n"


def test_rows_as_safe_as_asked(run: Run, store: LaneStore, write: Write) -> None:
    file = write("a.jsonl", row(1) + row(2))
    assert summary(run("enqueue", file, "--durability", "fsync", "--json")) == (2, 2, 0, [])
    shown = run("enqueue", file, "--durability", "synced")
    assert (shown.returncode, store.counts()["accepted"]) == (2, 2)
    assert "--durability: must be accepted, fsync or replicas:N" in shown.stderr
    shown = run(
        "enqueue", file, "--durability", "replicas:1", "--idempotency-prefix", "k", LANES_ENQUEUE_TIMEOUT_SECONDS="0.5"
    )
    assert (shown.returncode, store.counts()["accepted"]) == (1, 4)
    assert "the durability replicas:1 is not confirmed: 0 of 1 replicas have acknowledged in time" in shown.stderr
    assert "run the same command again" in shown.stderr


def test_rows_over_a_quota_are_refused_and_can_be_enqueued_later(run: Run, store: LaneStore, write: Write) -> None:
    services = ServiceStore(store)
    services.add(Service("import", max_pending=2))
    name = write("a.jsonl", "".join(map(row, range(1, 5))))
    shown = run("enqueue", name, "--service", "import", "--refused-to", "later.jsonl", "--json")
    assert shown.returncode == 1
    assert summary(shown) == (4, 2, 0, [3, 4])
    assert "a.jsonl:3: _options.service: is over its quota max_pending=2: try again in 5 s" in shown.stderr
    services.add(Service("import", max_pending=4))
    assert summary(run("enqueue", "later.jsonl", "--service", "import", "--json")) == (2, 2, 0, [])
