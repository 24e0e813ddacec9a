"""The notifier: in every worker, a thread that logs the notices of the lanes and sends them to whoever wants to know.

One worker at a time has a notice, until its lease ends; so a worker that dies with it in hand loses nothing, and a
receiver that answered too late may get it twice, under the same id.
"""

import structlog

from lanes.queue.notification import Notification
from lanes.queue.store import LaneStore
from lanes.retry_loop import SLIGHT, jittered
from lanes.settings import WorkerSettings
from worker.notifications.webhook import SEND_SECONDS, WebhookClient, public_facts

log = structlog.get_logger()

LOOK_SECONDS = 1.0
LEASE_SECONDS = 3 * SEND_SECONDS
RETRY_MIN_SECONDS = 1.0
RETRY_MAX_SECONDS = 600.0
GIVE_UP_SECONDS = 86_400.0
# What somebody may look for later, and nobody has to act on: logged once, by one worker, and sent nowhere.
LOGGED_ONLY = frozenset({"limit_changed"})


class Notifier:
    """The loop of one worker. Times in seconds."""

    def __init__(self, store: LaneStore, settings: WorkerSettings) -> None:
        self._store = store
        self._dead_above = settings.notify_dead_above
        self._client: WebhookClient | None = None
        if settings.notify_url and settings.notify_secret:
            self._client = WebhookClient(
                settings.notify_url.get_secret_value(), settings.notify_secret.get_secret_value()
            )

    def step(self) -> float:
        """Log and send one notice, if one is due; return for how long to wait then."""
        return 0.0 if self.work() else jittered(LOOK_SECONDS, SLIGHT)

    def work(self) -> bool:
        """Log and send one notice, if one is due; return whether there was one."""
        notification = self._store.claim_notification(LEASE_SECONDS, self._dead_above)
        if notification is None:
            return False
        if notification.event in LOGGED_ONLY:
            log.info(notification.event, notification=notification.id, **public_facts(notification))
            self._store.ack_notification(notification)
            return True
        if notification.new:
            log.warning(notification.event, notification=notification.id, **public_facts(notification))
        else:
            log.info(
                "notification_retried",
                notification=notification.id,
                what=notification.event,
                **public_facts(notification),
            )
        if self._client is None:
            self._store.ack_notification(notification)
            return True
        taken, answer = self._client.post(notification)
        if taken:
            self._store.ack_notification(notification)
            log.info("notification_sent", notification=notification.id, answer=answer)
        elif notification.age >= GIVE_UP_SECONDS:
            self._store.ack_notification(notification)
            log.error("notification_abandoned", notification=notification.id, what=notification.event, answer=answer)
        else:
            delay = retry_in(notification)
            self._store.ack_notification(notification, delay)
            log.warning("notification_failed", notification=notification.id, answer=answer, retry_in=round(delay, 1))
        return True


def retry_in(notification: Notification) -> float:
    """Return the pause before a notice is sent again: as long as it has waited by now, which doubles the pauses."""
    return min(max(notification.age, RETRY_MIN_SECONDS), RETRY_MAX_SECONDS)
