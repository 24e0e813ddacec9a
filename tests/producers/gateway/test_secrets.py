"""No key and no content leaves the gateway, except into the lanes."""

from collections.abc import Iterator
from pathlib import Path

import pytest
import requests

from tests.end_to_end.test_secrets import Monitor, values_of
from tests.helpers import row
from tests.producers.gateway.conftest import RunningGateway, running_gateway

NAME = "Recognisable-Name"
WRONG = "lanes_recognisable-wrong-key"


@pytest.fixture
def own(tmp_path: Path) -> Iterator[RunningGateway]:
    with running_gateway(tmp_path, LANES_LOG_LEVEL="debug") as running:
        yield running


def test_no_key_and_no_content_leaves_the_gateway(own: RunningGateway) -> None:
    monitor = Monitor(own.redis.url)
    monitor.start()
    answers: list[requests.Response] = []
    for body in (row("loc", "a", name=NAME), row("loc", "no id", name=NAME), {"name": NAME, "other": NAME}):
        answers += [own.enqueue(body), own.enqueue(body, idempotency_key="k"), own.enqueue_lines([body])]
        answers.append(own.enqueue(body, None, Authorization=f"Bearer {WRONG}"))
        answers.append(own.send("POST", f"/v1/upserts?job_id={WRONG}", None, json=body))
    answers += [own.send("GET", "/v1/outcomes", params={"after": own.keys["billing"]}) for _ in range(2)]
    answers += [own.send("GET", f"/v1/jobs/{own.keys['billing']}"), own.send("GET", "/metrics", None)]
    answers += [own.send("GET", path, None) for path in ("/docs", "/openapi.json", "/readyz")]
    monitor.stop()
    stored = dict(values_of(own.store.client))
    said = [own.child.output, *monitor.commands, *stored.values(), *(answer.text for answer in answers)]
    secrets = [WRONG, own.keys["crm"]]
    assert not [text[:200] for text in said for secret in secrets if secret in text]
    # Only whoever sends a key where an id or a cursor belongs finds it in the answer and in Redis' commands.
    assert own.keys["billing"] not in own.child.output + str(stored)
    assert NAME not in own.child.output + "".join(answer.text for answer in answers)
    home = own.store.key("body", "")
    assert not [key for key, text in stored.items() if NAME in text and not key.startswith(home)]
    assert not [
        text[:200]
        for text in monitor.commands
        if NAME in text and not text.startswith(("EVAL", f"SET {home}", f"MSET {home}"))
    ]
    assert any(NAME in text for text in stored.values())
