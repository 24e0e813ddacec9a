"""Posts notices: signed, to one receiver, within one deadline whatever the receiver does."""

import hashlib
import hmac
import json
import time
from typing import Any

import requests
from urllib3.exceptions import HTTPError

from lanes.queue.notification import Notification
from worker.highlevel.client import user_agent
from worker.highlevel.content import KNOWN_WORDS
from worker.highlevel.deadline import DeadlineAdapter, RequestDeadlines

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
        self._deadlines = RequestDeadlines()

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
        late = f"no answer within {self._seconds:g} s"
        adapter = DeadlineAdapter(self._deadlines)
        try:
            request = requests.Request("POST", self._url, headers=headers, data=body).prepare()
            with self._deadlines.limit(deadline):
                response = adapter.send(request, stream=True, timeout=self._seconds, verify=True)
        except (requests.RequestException, HTTPError) as error:
            if isinstance(error, requests.Timeout) or time.monotonic() >= deadline:
                return False, late
            return False, f"no answer: {type(error).__name__}"  # its text repeats the URL
        finally:
            adapter.close()
        if time.monotonic() >= deadline:  # headers that were cut off then may look like whole ones
            return False, late
        return 200 <= response.status_code < 300, f"HTTP {response.status_code}"
