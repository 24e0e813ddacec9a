"""Everything that leaves a process, after a run with recognisable tokens and names."""

import base64
import json
import re
import subprocess
import threading
import uuid
from collections.abc import Callable, Iterator
from typing import Any, cast

import pytest
import redis
import requests

from lanes.queue.store import LaneStore
from lanes.services.store import ServiceStore
from ops.embedded.stack import Stack
from ops.sandbox import Fault, SandboxControl
from producers import OpportunityProducer
from tests.end_to_end.conftest import all_done, producer_of, store_of
from tests.end_to_end.test_tokens import LANES, WITH_TOKENS, import_pairs, lane_of, run
from tests.helpers import row, until

PRIVATE = "pit-recognisable-private-token"
DEFAULT = "recognisable-default-token"
CLIENT_SECRET = "recognisable-client-secret"
NAME = "Recognisable-Name"
REPORTS = (
    *("token list --json", "token list", "status --json"),
    *("service list --json", "service show crm", "audit-log"),
)
PAGES = ("/", "/workers", "/tasks", "/broker", "/metrics", "/api/tasks", "/api/workers?refresh=1", "/api/queues/length")


class Monitor:
    """Every command that Redis was given, while the block runs: all messages, events and writes are among them."""

    def __init__(self, url: str) -> None:
        self.commands: list[str] = []
        self._end = uuid.uuid4().hex
        self._client = redis.Redis.from_url(url)
        self._thread = threading.Thread(target=self._listen, daemon=True)

    def _listen(self) -> None:
        with self._client.monitor() as monitor:  # type: ignore[no-untyped-call]
            for command in monitor.listen():
                self.commands.append(str(command["command"]))
                if self._end in command["command"]:
                    return

    def start(self) -> None:
        self._thread.start()
        until(lambda: self._client.ping() and self.commands, "the monitor to hear")

    def stop(self) -> None:
        self._client.echo(self._end)
        self._thread.join(30)


def unpacked(text: str) -> str:
    """Return a text with the bodies of Celery messages in it, which are in base64."""
    bodies = re.findall(r'body\\*": ?\\*"([A-Za-z0-9+/=]+)', text)
    return text + "".join(base64.b64decode(body).decode("utf-8", "replace") for body in bodies)


def values_of(client: "redis.Redis") -> Iterator[tuple[str, str]]:
    """Go through every key with all that it holds."""
    reads: dict[str, Callable[[bytes], Any]] = {
        "string": client.get,
        "hash": client.hgetall,
        "list": lambda key: client.lrange(key, 0, -1),
        "set": client.smembers,
        "zset": lambda key: client.zrange(key, 0, -1, withscores=True),
        "stream": client.xrange,
    }
    for key in client.scan_iter(count=1000):
        kind = cast("bytes", client.type(key)).decode()
        if kind != "none":
            yield key.decode(), unpacked(str(reads[kind](key)))


@pytest.fixture
def stack(make_stack: Callable[..., Stack]) -> Stack:
    tokens = ("--token", DEFAULT, "--token", f"{PRIVATE}=private", "--token-seconds", "5")
    stack = make_stack(
        *tokens,
        "--known-pipeline",
        "pipe",
        **{**WITH_TOKENS, "oauth_client_secret": CLIENT_SECRET},
        api_token=DEFAULT,
        backoff_max_seconds=0.2,
    )
    stack.settings |= {"FLOWER_UNAUTHENTICATED_API": "true", "LANES_LOG_LEVEL": "debug", "LANES_SERVICE": "crm"}
    return stack


def test_no_token_in_clear_and_no_content_outside_lanes_and_dead_letters(stack: Stack) -> None:
    store, control = store_of(stack), SandboxControl(stack.sandbox_url)
    stack.start_flower()
    monitor = Monitor(stack.redis.url)
    monitor.start()
    _, pair = import_pairs(stack, control, ["pair", "refused"])
    run(stack, "set", "private", stdin=PRIVATE)
    service_key = make_service_key(stack, store)
    inject_echoes(control, pair)
    control.revoke("refused")
    producer = producer_of(stack)
    names = {"private": "c", "refused": "c", "pair": "c", "repeats": "c", "plain": "flaky"}
    ids = [producer.enqueue(row(place, contact, name=NAME)).job_id for place, contact in names.items()]
    ids += [producer.enqueue(row("plain", "c", name=NAME, pipelineId="gone"), service="crm").job_id]
    worker = stack.start_worker()
    until(lambda: all(lane_of(stack, place).hold for place in ("private", "refused")), "both lanes held")

    def renewed() -> bool:
        producer.enqueue(row("pair", "c", name=NAME))
        return any(one["location_id"] == "pair" for one in control.oauth())

    until(renewed, "a token renewed")
    until(lambda: all_done(store), "every job done")
    producer.enqueue(row("private", "waits", name=NAME))
    until(lambda: ids[2] in page(stack, "/api/tasks"), "Flower to know the jobs")
    monitor.stop()

    secrets = [PRIVATE, DEFAULT, CLIENT_SECRET, WITH_TOKENS["secret_key"], service_key, *control.secrets()]
    assert len(secrets) >= 5 + 4 + 2
    pages = {place: page(stack, place) for place in (*PAGES, *(f"/task/{job_id}" for job_id in ids))}
    logs = {child.name: child.output for child in stack.children if child.name != "sandbox"}
    reported = {name: output_of(stack, *name.split()) for name in REPORTS}
    dead_letters = {
        name: output_of(stack, *name.split()) for name in ("dead list --json", "dead list", "dead export -")
    }
    traffic = {f"command {number}": unpacked(text) for number, text in enumerate(monitor.commands)}
    stored = dict(values_of(store.client))
    outcomes = outcomes_of(producer, ids)
    assert "event" in logs["worker"]
    assert any("celeryev" in text for text in traffic.values())
    assert any(NAME in text for text in dead_letters.values())
    for found in (pages, logs, reported, dead_letters, traffic, stored, outcomes):
        assert found
        for where, text in found.items():
            assert not [secret for secret in secrets if secret in text], where
    assert any("Bearer [secret]" in text for text in dead_letters.values())  # the API did repeat the token
    for found in (pages, logs, reported):
        for where, text in found.items():
            assert NAME.lower() not in text.lower(), where
    homes = tuple(store.key(name, "") for name in ("body", "attempts", "done", "outcomes"))
    for where, text in stored.items():
        assert NAME.lower() not in text.lower() or where.startswith(homes), where
    writes = ("EVAL", *(f"{verb} {home}" for verb in ("SET", "MSET", "RPUSH", "XADD") for home in homes))
    named = [text for text in traffic.values() if NAME.lower() in text.lower()]
    assert not [text[:200] for text in named if not text.startswith(writes)]
    assert worker.status is None


def make_service_key(stack: Stack, store: LaneStore) -> str:
    """Add the service `crm` by the command, and return its key."""
    output_of(stack, "service", "add", "crm", "--max-pending", "1000")
    key = output_of(stack, "service", "key", "crm").split("\n")[0]
    assert ServiceStore(store).find_by_key(key)
    return key


def inject_echoes(control: SandboxControl, pair: dict[str, Any]) -> None:
    """Let the API repeat what it is sent."""
    # The API repeats what it was sent: the token, the refresh token, the name (a hold shows the words of a 401).
    echoes = f"Invalid JWT: Bearer {PRIVATE} of {NAME} or {NAME.upper()}"
    body = {"message": echoes, "traceId": f"t-{PRIVATE}", "code": PRIVATE}
    control.inject(Fault(kind="status", status=401, body=body, headers={"X-Trace-Id": PRIVATE}, location="private"))
    good = {"opportunity": {"id": f"opp-{DEFAULT}"}, "new": True}
    control.inject(Fault(kind="status", status=200, body=good, location="repeats"))
    echoes = f"invalid_grant {CLIENT_SECRET} {pair['access_token']} {pair['refresh_token']}"
    control.inject(Fault(kind="status", status=400, message=echoes, location="refused", endpoint="token"))
    control.inject(Fault(kind="status", status=500, message=NAME, first=1, contact_prefix="flaky"))


def outcomes_of(producer: OpportunityProducer, ids: list[str]) -> dict[str, str]:
    """Return what the service is told of its jobs."""
    found = {each.job_id: json.dumps(each.as_json()) for each in producer.outcomes("group", wait=0)}
    assert {*ids} <= found.keys()
    return found


def page(stack: Stack, place: str) -> str:
    answer = requests.get(f"{stack.flower_url}{place}", timeout=30)
    assert answer.ok, place
    return answer.text


def output_of(stack: Stack, *arguments: str) -> str:
    done = subprocess.run(
        [LANES, *arguments], capture_output=True, text=True, env=stack.environ, cwd=stack.folder, timeout=60, check=True
    )
    return done.stdout + done.stderr


def test_the_search_finds_what_it_looks_for(redis_url: str) -> None:
    """Else the search above would prove nothing."""
    store = LaneStore(redis.Redis.from_url(redis_url))
    monitor = Monitor(redis_url)
    store.client.set("before", "x")
    monitor._thread.start()
    body = base64.b64encode(json.dumps([PRIVATE]).encode()).decode()

    def heard() -> bool:
        store.client.lpush("celery", json.dumps({"body": body}))
        return bool(monitor.commands)

    until(heard, "a command")
    store.client.hset("hash", "field", PRIVATE)
    store.client.zadd("zset", {PRIVATE: 1})
    store.client.sadd("set", PRIVATE)
    store.client.set("string", PRIVATE)
    monitor.stop()
    found = {key for key, text in values_of(store.client) if PRIVATE in text}
    assert found == {"celery", "hash", "zset", "set", "string"}
    assert sum(PRIVATE in unpacked(command) for command in monitor.commands) >= 5
