"""Posts notices: signed, to one receiver, within one deadline whatever the receiver does."""

import hashlib
import hmac
import json
import time
from typing import Any

from lanes.queue.notification import Notification
from worker.highlevel.bounded_post import BoundedPost, prepare
from worker.highlevel.client import user_agent
from worker.highlevel.content import KNOWN_WORDS
from worker.highlevel.outcomes import Answer

TIMESTAMP_HEADER = "Lanes-Timestamp"
SIGNATURE_HEADER = "Lanes-Signature"
ID_HEADER = "Lanes-Notification-Id"
SEND_SECONDS = 10.0


def public_facts(notification: Notification) -> dict[str, Any]:
    """Return what may be told of a notice: the reason of a hold only when a person gave it, or its words are known."""
    facts = dict(notification.facts)
    if facts.get("by") == "authorization" and facts.get("reason") not in KNOWN_WORDS:
        facts.pop("reason", None)
    return facts


def sign(secret: str, timestamp: str, body: bytes) -> str:
    """Return the signature: `sha256=` and HMAC-SHA256 in hex over the timestamp, a point and the body."""
    return "sha256=" + hmac.new(secret.encode(), timestamp.encode() + b"." + body, hashlib.sha256).hexdigest()


class WebhookClient:
    """Posts notices, one at a time. Follows no redirect, reads nothing of the answer but its status.

    Args:
        url: the receiver.
        secret: known to both ends.
        seconds: for a whole request.
    """

    def __init__(self, url: str, secret: str, seconds: float = SEND_SECONDS) -> None:
        self._url = url
        self._secret = secret
        self._seconds = seconds
        self._bounded = BoundedPost("the receiver")

    def post(self, notification: Notification) -> tuple[bool, str]:
        """Send a notice; return whether the receiver took it (2xx), and in words what came back."""
        shown = {
            "id": notification.id,
            "event": notification.event,
            "at": notification.at,
            **public_facts(notification),
        }
        body = json.dumps(shown, separators=(",", ":")).encode()
        timestamp = str(int(time.time()))
        headers = {
            "Content-Type": "application/json",
            "User-Agent": user_agent(),
            ID_HEADER: notification.id,
            TIMESTAMP_HEADER: timestamp,
            SIGNATURE_HEADER: sign(self._secret, timestamp, body),
        }
        deadline = time.monotonic() + self._seconds
        answer = self._bounded.send(prepare(self._url, headers, body), self._seconds, reads_body=False)
        if isinstance(answer, Answer):
            return 200 <= answer.status < 300, f"HTTP {answer.status}"
        if time.monotonic() >= deadline:
            return False, f"no answer within {self._seconds:g} s"
        return False, f"no answer: {answer.message}"
