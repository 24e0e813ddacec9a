"""Notifications, from the script to a receiver that first fails, hangs, answers slowly and crashes."""

import hashlib
import hmac
import json
from collections.abc import Iterator
from typing import Any

import pytest
import structlog
from structlog.testing import LogCapture

from lanes.queue.notification import Notification
from lanes.queue.store import LaneStore
from lanes.queue.transitions import AttemptReport, RateLimitInfo
from lanes.settings import WorkerSettings
from tests.lanes.conftest import LIMITS, ClockedStore, Orders, make_consumer
from tests.worker.highlevel.wire import WireServer
from tests.worker.highlevel.wire import answer as wire_answer
from tests.worker.notifications.receiver import Receiver
from worker.notifications.notifier import GIVE_UP_SECONDS, LEASE_SECONDS, Notifier, retry_in
from worker.notifications.webhook import WebhookClient, public_facts

SECRET = "a-secret-of-both-ends"


@pytest.fixture
def store(redis_url: str) -> Iterator[ClockedStore]:
    store = ClockedStore(redis_url)
    yield store
    store.close()


@pytest.fixture
def receiver() -> Iterator[Receiver]:
    with Receiver() as receiver:
        yield receiver


def notifier(store: LaneStore, receiver: Receiver | None, **settings: object) -> Notifier:
    where = {} if receiver is None else {"notify_url": receiver.url, "notify_secret": SECRET}
    return Notifier(store, WorkerSettings.model_validate(where | settings))


def drain(one: Notifier) -> None:
    while one.work():
        pass


def bodies(receiver: Receiver) -> list[dict[str, object]]:
    return [json.loads(received.body) for received in receiver.received]


def events(receiver: Receiver) -> list[object]:
    return [body["event"] for body in bodies(receiver)]


def bury(store: LaneStore, order: Orders, hold: str = "", message: str = "") -> None:
    store.enqueue(order(f"loc{order.made}", f"r{order.made}"), 60)
    job = store.release(make_consumer(f"w{order.made}")).next
    detail = json.dumps({"message": message})
    store.bury(AttemptReport(getattr(job, "id", ""), 1, detail, LIMITS, RateLimitInfo()), reason="refused", hold=hold)


def test_a_notification_is_signed_and_sent_once(store: ClockedStore, receiver: Receiver) -> None:
    store.hold("loc", "asked the customer", "ada")
    store.hold("loc", "asked again", "ada")
    one = notifier(store, receiver)
    drain(one)
    assert bodies(receiver) == [
        {
            "id": bodies(receiver)[0]["id"],
            "event": "lane_held",
            "at": store.now,
            "location": "loc",
            "by": "ada",
            "reason": "asked the customer",
        }
    ]
    got = receiver.received[0]
    text = got.headers["Lanes-Timestamp"].encode() + b"." + got.body
    assert got.headers["Lanes-Signature"] == "sha256=" + hmac.new(SECRET.encode(), text, hashlib.sha256).hexdigest()
    assert got.headers["Lanes-Notification-Id"] == bodies(receiver)[0]["id"]
    store.pass_time(GIVE_UP_SECONDS)
    drain(one)
    assert len(receiver.received) == 1


@pytest.mark.parametrize("answer", ["500", "404", "302", "cut"])
def test_a_receiver_that_rejects_it_gets_it_again(store: ClockedStore, receiver: Receiver, answer: str) -> None:
    receiver.answers = [answer, answer]
    store.hold_all("prices", "ada")
    one = notifier(store, receiver)
    for sent in (1, 2, 3):
        drain(one)
        assert len(receiver.received) == sent
        drain(one)
        assert len(receiver.received) == sent
        store.pass_time(2)
    drain(one)
    assert len({body["id"] for body in bodies(receiver)}) == 1
    assert store.client.zcard(store.key("notifications")) == 0


@pytest.mark.parametrize("answer", ["hang", "drip"])
def test_a_receiver_that_hangs_is_given_up_at_the_deadline(
    store: ClockedStore, receiver: Receiver, answer: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("worker.highlevel.deadline.CHECK_SECONDS", 0.02)
    receiver.answers = [answer]
    webhook = WebhookClient(receiver.url, SECRET, seconds=0.3)
    store.hold("loc", "r", "ada")
    notification = store.claim_notification(LEASE_SECONDS, None)
    assert notification is not None
    assert webhook.post(notification) == (False, "no answer within 0.3 s")
    assert webhook.post(notification) == (True, "HTTP 204")


def test_a_1xx_is_not_the_answer_of_the_receiver(store: ClockedStore) -> None:
    hints = b"HTTP/1.1 103 Early Hints\r\nLink: </style.css>; rel=preload\r\n\r\n"
    store.hold("loc", "r", "ada")
    notification = store.claim_notification(LEASE_SECONDS, None)
    assert notification is not None
    with WireServer({1: hints + wire_answer(b"", "500 No"), 2: hints * 2 + wire_answer(b"{}")}) as server:
        webhook = WebhookClient(server.url, SECRET)
        assert webhook.post(notification) == (False, "HTTP 500")
        assert webhook.post(notification) == (True, "HTTP 200")


def test_an_unreachable_receiver(store: ClockedStore) -> None:
    with Receiver() as gone:
        url = gone.url
    store.hold("loc", "r", "ada")
    notification = store.claim_notification(LEASE_SECONDS, None)
    assert notification is not None
    taken, answer = WebhookClient(url, SECRET).post(notification)
    assert not taken
    assert "secret-of-the-url" not in answer


def test_a_worker_that_dies_with_a_notification_loses_nothing(store: ClockedStore, receiver: Receiver) -> None:
    store.hold("loc", "r", "ada")
    dead = store.claim_notification(LEASE_SECONDS, None)
    other = notifier(store, receiver)
    drain(other)
    assert receiver.received == []
    store.pass_time(LEASE_SECONDS)
    drain(other)
    assert events(receiver) == ["lane_held"]
    assert dead is not None
    assert store.ack_notification(dead) == "unknown"
    assert store.ack_notification(dead, 5) == "unknown"
    assert store.claim_notification(LEASE_SECONDS, None) is None


def test_a_notification_is_given_up_after_a_day(store: ClockedStore, receiver: Receiver) -> None:
    receiver.answers = ["500"] * 1000
    store.hold("loc", "r", "ada")
    one = notifier(store, receiver)
    for _ in range(400):
        drain(one)
        store.pass_time(300)
    assert 100 < len(receiver.received) < 200
    assert store.client.zcard(store.key("notifications")) == 0


def test_pauses_double_up_to_a_bound() -> None:
    ages = [0.0]
    for _ in range(12):
        ages.append(ages[-1] + retry_in(Notification("1-1", "lane_held", 0.0, ages[-1])))
    assert ages[:6] == [0, 1, 2, 4, 8, 16]
    assert ages[-1] - ages[-2] == 600


def test_dead_letters_above_the_threshold_send_one_notification_for_each_crossing(
    store: ClockedStore, receiver: Receiver, order: Orders
) -> None:
    one = notifier(store, receiver, notify_dead_above=2)
    drain(one)
    for _ in range(5):
        bury(store, order)
    drain(one)
    assert [(body["event"], body["threshold"]) for body in bodies(receiver)] == [("dead_letters_above", 2)]
    dead: Any = store.client.zrange(store.key("dead"), 0, 3)
    for job_id in dead:
        store.purge(job_id.decode(), 60)
    for _ in range(3):
        bury(store, order)
    drain(one)
    assert events(receiver) == ["dead_letters_above"] * 2
    drain(notifier(store, receiver))
    for _ in range(5):
        bury(store, order)
    drain(notifier(store, receiver))
    assert len(receiver.received) == 2


def test_messages_of_the_api_are_replaced_by_known_text(store: ClockedStore, receiver: Receiver, order: Orders) -> None:
    bury(store, order, hold="no access for Jane Doe, 49.50", message="Jane Doe")
    store.pass_time(1)
    bury(store, order, hold="Invalid JWT")
    drain(notifier(store, receiver))
    assert [body.get("reason") for body in bodies(receiver)] == [None, "Invalid JWT"]
    assert b"Jane" not in b"".join(received.body for received in receiver.received)


def test_without_a_receiver_notifications_are_logged_and_not_stored(
    store: ClockedStore, monkeypatch: pytest.MonkeyPatch
) -> None:
    logged = LogCapture()
    monkeypatch.setattr(
        "worker.notifications.notifier.log", structlog.wrap_logger(structlog.PrintLogger(), processors=[logged])
    )
    store.hold("loc", "r", "ada")
    drain(notifier(store, None))
    assert [entry["event"] for entry in logged.entries] == ["lane_held"]
    assert store.client.zcard(store.key("notifications")) == 0


def test_unclaimed_notifications_are_bounded(store: ClockedStore) -> None:
    store.client.zadd(store.key("notifications"), {f"old{n}": n for n in range(10_000)})
    store.hold("loc", "r", "ada")
    assert store.client.zcard(store.key("notifications")) == 10_000
    assert store.client.zscore(store.key("notifications"), "old0") is None


def test_an_operators_reason_is_sent() -> None:
    assert (
        public_facts(Notification("1-1", "all_held", 0.0, facts={"by": "ada", "reason": "prices"}))["reason"]
        == "prices"
    )
