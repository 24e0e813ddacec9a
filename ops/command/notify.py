"""`lanes notify`: tests the receiver of notifications."""

import os
import time

import click

from lanes.queue.notification import Notification
from lanes.settings import NotificationSettings
from ops.command.console import examples, say
from ops.command.failures import Refused, WrongUse
from worker.notifications.webhook import WebhookClient


@click.group(epilog=examples("lanes notify test", "LANES_NOTIFY_URL=http://127.0.0.1:8000/ lanes notify test"))
def notify() -> None:
    """Notifications of held lanes, outages and dead letters go to LANES_NOTIFY_URL, signed with LANES_NOTIFY_SECRET."""


@notify.command("test", epilog=examples("lanes notify test"))
def test() -> None:
    """Send a signed test notification and show the answer. Needs no Redis."""
    settings = NotificationSettings.load()
    if settings.notify_url is None or settings.notify_secret is None:
        raise WrongUse("notifications are off: set LANES_NOTIFY_URL and LANES_NOTIFY_SECRET")
    webhook = WebhookClient(settings.notify_url.get_secret_value(), settings.notify_secret.get_secret_value())
    started = time.monotonic()
    accepted, answer = webhook.post(Notification(f"test-{os.urandom(4).hex()}", "test", time.time()))
    message = f"{answer} after {time.monotonic() - started:.1f} s"
    if not accepted:
        raise Refused(f"the receiver did not accept the notification: {message}")
    say(f"the receiver accepted the notification: {message}")
