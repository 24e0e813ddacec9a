"""Posts signed notifications to one receiver, with a deadline."""

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
    """Return the facts to publish: the reason of a hold only if a person gave it, or it is one of KNOWN_WORDS."""
    facts = dict(notification.facts)
    if facts.get("by") == "authorization" and facts.get("reason") not in KNOWN_WORDS:
        facts.pop("reason", None)
    return facts


def sign(secret: str, timestamp: str, body: bytes) -> str:
    """Return the signature: `sha256=` and the HMAC-SHA256, in hex, of timestamp, point and body."""
    return "sha256=" + hmac.new(secret.encode(), timestamp.encode() + b"." + body, hashlib.sha256).hexdigest()


class WebhookClient:
    """Posts notifications, at most `seconds` each. Follows no redirect, and reads only the status of the answer."""

    def __init__(self, url: str, secret: str, seconds: float = SEND_SECONDS) -> None:
        self._url = url
        self._secret = secret
        self._seconds = seconds
        self._bounded = BoundedPost("the receiver")

    def post(self, notification: Notification) -> tuple[bool, str]:
        """Post a notification; return whether the receiver accepted it (2xx), and a description of the answer."""
        shown = {"id": notification.id, "event": notification.event, "at": notification.at}
        shown |= public_facts(notification)
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
