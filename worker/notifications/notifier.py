"""The notifier: a loop in every worker that logs notifications of the lanes and posts them to the webhook.

One worker at a time has a notification, until its lease ends. So a worker that crashes loses none, and a receiver that
answers too late may get one twice, with the same id.
"""

import structlog

from lanes.queue.notification import UNREADABLE, Notification
from lanes.queue.store import LaneStore
from lanes.retry_loop import SLIGHT, jittered
from lanes.settings import WorkerSettings
from worker.notifications.webhook import SEND_SECONDS, WebhookClient, public_facts

log = structlog.get_logger()

POLL_SECONDS = 1.0
LEASE_SECONDS = 3 * SEND_SECONDS
RETRY_MIN_SECONDS = 1.0
RETRY_MAX_SECONDS = 600.0
GIVE_UP_SECONDS = 86_400.0
# Needs no action: logged once, by one worker, and not posted.
LOGGED_ONLY = frozenset({"limit_changed", UNREADABLE})


class Notifier:
    """The loop of one worker. Times in seconds."""

    def __init__(self, store: LaneStore, settings: WorkerSettings) -> None:
        self._store = store
        self._dead_above = settings.notify_dead_above
        self._client: WebhookClient | None = None
        if settings.notify_url and settings.notify_secret:
            url, secret = settings.notify_url.get_secret_value(), settings.notify_secret.get_secret_value()
            self._client = WebhookClient(url, secret)

    def step(self) -> float:
        """Handle one notification, if one is due; return the pause."""
        return 0.0 if self.work() else jittered(POLL_SECONDS, SLIGHT)

    def work(self) -> bool:
        """Log and post one notification, if one is due; return whether there was one."""
        notification = self._store.claim_notification(LEASE_SECONDS, self._dead_above)
        if notification is None:
            return False
        number, event, facts = notification.id, notification.event, public_facts(notification)
        logged_only = event in LOGGED_ONLY
        if logged_only or notification.new:
            (log.info if logged_only else log.warning)(event, notification=number, **facts)
        else:
            log.info("notification_retried", notification=number, what=event, **facts)
        if logged_only or self._client is None:
            self._store.ack_notification(notification)
            return True
        accepted, answer = self._client.post(notification)
        if accepted:
            self._store.ack_notification(notification)
            log.info("notification_sent", notification=number, answer=answer)
        elif notification.age >= GIVE_UP_SECONDS:
            self._store.ack_notification(notification)
            log.error("notification_abandoned", notification=number, what=event, answer=answer)
        else:
            delay = retry_in(notification)
            self._store.ack_notification(notification, delay)
            log.warning("notification_failed", notification=number, answer=answer, retry_in=round(delay, 1))
        return True


def retry_in(notification: Notification) -> float:
    """Return the pause before a notification is posted again: its age, so that the pauses double."""
    return min(max(notification.age, RETRY_MIN_SECONDS), RETRY_MAX_SECONDS)
