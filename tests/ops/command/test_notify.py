"""`lanes notify test`: what came back from the receiver."""

import json

import pytest

from tests.ops.command.conftest import Run
from tests.worker.notifications.receiver import Receiver
from worker.notifications.webhook import sign

SECRET = "a-secret-of-both-ends"


@pytest.mark.parametrize(
    ("answer", "status", "said"),
    [
        ("204", 0, "the receiver accepted the notification: HTTP 204 after "),
        ("500", 1, "lanes: the receiver did not accept the notification: HTTP 500 after "),
        ("302", 1, "lanes: the receiver did not accept the notification: HTTP 302 after "),
        (
            "cut",
            1,
            "lanes: the receiver did not accept the notification: no answer: connection failed: RemoteDisconnected",
        ),
    ],
)
def test_it_says_what_came_back(quick: Run, answer: str, status: int, said: str) -> None:
    with Receiver(answer) as receiver:
        shown = quick("notify", "test", LANES_NOTIFY_URL=receiver.url, LANES_NOTIFY_SECRET=SECRET)
        assert (shown.returncode, shown.stdout) == (status, "")
        assert shown.stderr.startswith(said)
        assert "secret-of-the-url" not in shown.stderr
        got = receiver.received[0]
    assert json.loads(got.body)["event"] == "test"
    assert got.headers["Lanes-Signature"] == sign(SECRET, got.headers["Lanes-Timestamp"], got.body)


@pytest.mark.parametrize(
    ("settings", "said"),
    [
        ({}, "notifications are off: set LANES_NOTIFY_URL and LANES_NOTIFY_SECRET"),
        ({"LANES_NOTIFY_URL": "https://example.com/k=hidden"}, "LANES_NOTIFY_URL needs LANES_NOTIFY_SECRET"),
        ({"LANES_NOTIFY_URL": "http://example.com/k=hidden", "LANES_NOTIFY_SECRET": SECRET}, "must be an https:// URL"),
        (
            {"LANES_NOTIFY_URL": "https://u:p@example.com/k=hidden", "LANES_NOTIFY_SECRET": SECRET},
            "without credentials",
        ),
        ({"LANES_NOTIFY_SECRET": "hidden"}, "LANES_NOTIFY_SECRET: "),
    ],
)
def test_wrong_settings_are_reported_without_their_secrets(quick: Run, settings: dict[str, str], said: str) -> None:
    shown = quick("notify", "test", **settings)
    assert shown.returncode == 2
    assert said in shown.stderr
    assert "hidden" not in shown.stderr
