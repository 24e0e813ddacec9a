"""A client in TypeScript: its types come from the OpenAPI document, by openapi-typescript."""

import json
import os
import shutil
import subprocess
import sys
from pathlib import Path

import pytest

from ops.openapi_document import FILE
from tests import real_parts
from tests.documentation.pages import blocks
from tests.helpers import row
from tests.producers.gateway.conftest import RunningGateway

CLIENT = Path(__file__).with_name("client")


def run(*command: str, folder: Path) -> str:
    done = subprocess.run(command, cwd=folder, capture_output=True, text=True, check=False, timeout=240)
    assert done.returncode == 0, f"{command}: {done.stdout}{done.stderr}"
    return done.stdout


@pytest.fixture(scope="session")
def client(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The folder of the compiled client. Its packages are those of the lock file, without scripts of their own."""
    node, npm = Path(real_parts.node()), real_parts.npm()
    folder = tmp_path_factory.mktemp("client")
    for name in ("package.json", "tsconfig.json", "client.ts"):
        shutil.copy(CLIENT / name, folder)
    # Names, versions and hashes, as npm writes them with omit-lockfile-registry-resolved.
    shutil.copy(CLIENT / "packages.lock.json", folder / "package-lock.json")
    run(npm, "ci", "--ignore-scripts", "--no-audit", "--no-fund", "--prefer-offline", folder=folder)
    bin_folder = folder / "node_modules" / ".bin"
    run(str(node), str(bin_folder / "openapi-typescript"), str(FILE), "--output", "gateway.d.ts", folder=folder)
    run(str(node), str(bin_folder / "tsc"), folder=folder)
    return folder


def test_a_typed_client_makes_every_call(gateway: RunningGateway, client: Path) -> None:
    found = json.loads(run(real_parts.node(), "client.js", gateway.url, gateway.keys["billing"], folder=client))
    body = {"pipelineId": "pipe", "locationId": "node", "contactId": "contact", "status": "won", "monetaryValue": 12.5}
    assert found == {
        "first": [202, "pending", False],
        "again": [202, True],
        "conflict": [409, True],
        "invalid": [422, ["contactId"]],
        "batch": [200, 3],
        "job": [200, "pending", body],
        "cancelled": [200, "cancelled"],
        "unknown": [404, "/docs#not-found"],
        "outcomes": [200, True],
        "noKey": [401, 'Bearer realm="lanes"'],
    }


def test_a_mistyped_field_does_not_compile(client: Path) -> None:
    text = (
        (client / "client.ts")
        .read_text("utf-8")
        .replace('status: "won", monetaryValue', 'status: "sold", monetaryValue')
    )
    (client / "client.ts").write_text(text)
    command = [real_parts.node(), "node_modules/.bin/tsc", "--noEmit"]
    done = subprocess.run(command, cwd=client, capture_output=True, text=True, check=False, timeout=120)
    assert done.returncode != 0
    assert '"sold"' in done.stdout


def test_the_examples_of_the_documentation_run(gateway: RunningGateway, tmp_path: Path) -> None:
    job_id = gateway.enqueue(row("documented", "a")).json()["job_id"]
    environ = {**os.environ, "GATEWAY": gateway.url, "KEY": gateway.keys["billing"], "JOB": job_id, "CURSOR": ""}
    environ |= {"LANES_REDIS_URL": gateway.redis.url, "PATH": f"{Path(sys.executable).parent}:{os.environ['PATH']}"}
    (readme,) = blocks("README.md", "sh")
    examples = [*blocks("docs/gateway.md", "sh"), readme.replace("http://127.0.0.1:8000", gateway.url)]
    assert len(examples) == 5
    for example in examples:
        done = subprocess.run(
            ["bash", "-eu", "-o", "pipefail", "-c", example],
            env=environ,
            capture_output=True,
            text=True,
            check=False,
            timeout=60,
        )
        assert done.returncode == 0, f"{example}: {done.stdout}{done.stderr}"
    (script,) = blocks("docs/gateway.md", "js")
    (tmp_path / "example.mjs").write_text(script, encoding="utf-8")
    done = subprocess.run(
        [real_parts.node(), "example.mjs"], cwd=tmp_path, env=environ, capture_output=True, text=True, check=False
    )
    assert done.returncode == 0, done.stderr
    job = gateway.store.job(done.stdout.strip())
    assert job is not None
    assert job.service == "billing"
