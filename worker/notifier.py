"""The notifier: in every worker, a thread that logs the notices of the lanes and sends them to whoever wants to know.

One worker at a time has a notice, until its lease ends; so a worker that dies with it in hand loses nothing, and a
receiver that answered too late may get it twice, under the same id.
"""

import random
import threading

import redis
import structlog

from lanes.errors import LanesError
from lanes.notice import Notice
from lanes.settings import Settings
from lanes.store import LaneStore
from worker.notices import SEND_SECONDS, Courier, facts_of
from worker.redis_watch import RedisWatch

log = structlog.get_logger()

LOOK_SECONDS = 1.0
LEASE_SECONDS = 3 * SEND_SECONDS
AGAIN_LEAST_SECONDS = 1.0
AGAIN_MOST_SECONDS = 600.0
GIVE_UP_SECONDS = 86_400.0
# What somebody may look for later, and nobody has to act on: logged once, by one worker, and sent nowhere.
LOGGED_ONLY = frozenset({"limit_changed"})


class Notifier:
    """The loop of one worker. Times in seconds."""

    def __init__(self, store: LaneStore, settings: Settings, watch: RedisWatch) -> None:
        self._store = store
        self._redis = watch
        self._dead_above = settings.notify_dead_above
        self._courier: Courier | None = None
        if settings.notify_url and settings.notify_secret:
            self._courier = Courier(settings.notify_url.get_secret_value(), settings.notify_secret.get_secret_value())
        self._stopping = threading.Event()
        self._thread = threading.Thread(target=self._run, name="notifier", daemon=True)

    def start(self) -> None:
        """Begin to look for notices."""
        self._thread.start()

    def stop(self) -> None:
        """Take no further notice."""
        self._stopping.set()

    def _run(self) -> None:
        while not self._stopping.is_set():
            try:
                while not self._stopping.is_set() and self.work():
                    pass
            except (LanesError, redis.RedisError, OSError) as error:
                self._redis.lost(error)
            except Exception:
                log.exception("notifier_failed")
            self._stopping.wait(LOOK_SECONDS * random.uniform(0.8, 1.2))  # noqa: S311 - jitter

    def work(self) -> bool:
        """Log and send one notice, if one is due; return whether there was one."""
        notice = self._store.take_notice(LEASE_SECONDS, self._dead_above)
        if notice is None:
            return False
        if notice.event in LOGGED_ONLY:
            log.info(notice.event, notice=notice.id, **facts_of(notice))
            self._store.settle_notice(notice)
            return True
        if notice.new:
            log.warning(notice.event, notice=notice.id, **facts_of(notice))
        else:
            log.info("notice_again", notice=notice.id, what=notice.event, **facts_of(notice))
        if self._courier is None:
            self._store.settle_notice(notice)
            return True
        taken, answer = self._courier.post(notice)
        if taken:
            self._store.settle_notice(notice)
            log.info("notice_sent", notice=notice.id, answer=answer)
        elif notice.age >= GIVE_UP_SECONDS:
            self._store.settle_notice(notice)
            log.error("notice_given_up", notice=notice.id, what=notice.event, answer=answer)
        else:
            delay = again_in(notice)
            self._store.settle_notice(notice, delay)
            log.warning("notice_not_sent", notice=notice.id, answer=answer, again_in=round(delay, 1))
        return True


def again_in(notice: Notice) -> float:
    """Return the pause before a notice is sent again: as long as it has waited by now, which doubles the pauses."""
    return min(max(notice.age, AGAIN_LEAST_SECONDS), AGAIN_MOST_SECONDS)
