"""`lanes demo` and `lanes up`, as a person runs them."""

import json
import os
import re
import signal
import subprocess
import sys
from functools import partial
from pathlib import Path

import pytest
import redis
import requests

from tests.helpers import until

LANES = str(Path(sys.executable).with_name("lanes"))


def left_over(folder: Path) -> list[str]:
    """Return the command lines of processes that still work in a folder."""
    found = []
    for process in Path("/proc").glob("[0-9]*"):
        try:
            if str(folder) in str((process / "cwd").readlink()) + (process / "cmdline").read_text(errors="replace"):
                found.append((process / "cmdline").read_text(errors="replace").replace("\0", " "))
        except OSError:
            continue
    return found


def start(folder: Path, *arguments: str) -> "subprocess.Popen[str]":
    environ = {**os.environ, "TMPDIR": str(folder), "PYTHONUNBUFFERED": "1"}
    with (folder / "out").open("w") as out, (folder / "err").open("w") as err:
        return subprocess.Popen([LANES, *arguments], cwd=folder, env=environ, stdout=out, stderr=err, text=True)


def counts_say(client: "redis.Redis", delivered: bytes) -> bool:
    return client.hget("lanes:counts", "delivered") == delivered


def test_the_demo_ends_by_itself_with_every_job_delivered_or_dead(tmp_path: Path) -> None:
    assert start(tmp_path, "demo", "--rows", "120").wait() == 0
    out, err = (tmp_path / "out").read_text(), (tmp_path / "err").read_text()
    summary = json.loads(out.splitlines()[-1])
    assert summary["accepted"] == 120 + 6 * 12
    assert summary["dead"] == 6
    assert summary["delivered"] == summary["accepted"] - 6
    assert summary["pending"] == summary["throttled"] == 0
    assert summary["refused_rows"] == 2
    assert summary["retried"] == 2 * 12
    assert summary["max_in_window"] == 100
    assert len(re.findall(r"^sample.jsonl: row \d+: \w+: ", err, re.MULTILINE)) == 2
    assert "loc-hot" in out
    assert left_over(tmp_path) == []
    assert sorted(path.name for path in tmp_path.iterdir()) == ["err", "out"]


@pytest.mark.parametrize("number", [signal.SIGINT, signal.SIGTERM, signal.SIGKILL])
def test_whatever_ends_the_demo_ends_all_that_it_started(tmp_path: Path, number: signal.Signals) -> None:
    demo = start(tmp_path, "demo")
    until(lambda: "accepted" in (tmp_path / "err").read_text(), "the demo to enqueue")
    assert len(left_over(tmp_path)) > 4
    demo.send_signal(number)
    assert demo.wait() == (-number if number is signal.SIGKILL else 130)
    until(lambda: left_over(tmp_path) == [], "every part to end")


def test_up_keeps_its_data_over_a_restart(tmp_path: Path) -> None:
    sample = tmp_path / "mine.jsonl"
    sample.write_text('{"pipelineId":"pipe-sales","locationId":"loc","contactId":"c"}\n')
    job_ids = []
    for _ in range(2):
        up = start(tmp_path, "up", "--data", "kept")
        until(lambda: "lanes dead list" in (tmp_path / "out").read_text(), "everything up")
        printed = (tmp_path / "out").read_text()
        url = re.search(r"LANES_REDIS_URL=(\S+)", printed)
        flower = re.search(r"(http://\S+)/tasks", printed)
        assert url
        assert flower
        assert requests.get(f"{flower[1]}/tasks", timeout=10).status_code == 200
        command = [LANES, "--redis-url", url[1], "enqueue", str(sample), "--json", "--ids"]
        done = subprocess.run(command, capture_output=True, text=True, check=True)
        job_ids += json.loads(done.stdout)["ids"]
        with redis.Redis.from_url(url[1]) as client:
            delivered = b"%d" % len(job_ids)
            until(partial(counts_say, client, delivered), "the rows delivered")
        jobs = [
            subprocess.run(
                [LANES, "--redis-url", url[1], "job", job_id, "--json"], capture_output=True, check=True
            ).stdout
            for job_id in job_ids
        ]
        assert [json.loads(job)["state"] for job in jobs] == ["delivered"] * len(job_ids)
        up.send_signal(signal.SIGINT)
        assert up.wait() == 0
        until(lambda: left_over(tmp_path / "kept") == [], "every part to end")
