"""edit and restore, and what becomes of expired jobs: what people change of the whole of Redis."""

from lanes.job import Attempt, Reason
from lanes.letter import Letter
from lanes.order import Order
from tests.lanes.conftest import START, ClockedStore, Orders
from tests.lanes.test_scripts_people import RECORD, bury
from tests.lanes.whole_state import KEPT, KNOWN, mourned, of, watch


def test_replay_and_purge_take_expired_jobs_too(store: ClockedStore, order: Orders) -> None:
    store.enqueue_many([order(record="a", expires_at=START + 5), order(record="b", expires_at=START + 5)], KNOWN)
    store.pass_time(5)
    store.expire(9)
    with watch(store) as changed:
        assert store.replay("job1") == "replayed"
        assert store.purge("job2", KEPT) == "purged"
    assert changed == {
        **of("job:job1", state="expired -> pending", seq="1 -> 3", born="1", failures="0"),
        **of("job:job1", replayed_at="t+5", held_before="0"),
        **of("job:job1", reason="expired -> gone", ended_at="t+5 -> gone", expires_at="t+5 -> gone"),
        **of("job:job2", state="expired -> cancelled", reason="expired -> purged", died="1 -> gone"),
        "job:job2 ttl": "60 min",
        "body:job2": '{"n":2} -> gone',
        **of("dead", job1="t+5 -> gone", job2="t+5 -> gone"),
        "heads:loc.a": "job1",
        "ready:loc.job1": "3",
        "letters:loc.b": "1 -> gone",
        **of("lane:loc", seq="2 -> 3", expired="2 -> 0", pending="0 -> 1", cancelled="1", letters="2 -> 1"),
    }


def test_edit_changes_the_body_and_keeps_the_first(store: ClockedStore, order: Orders) -> None:
    bury(store, order)
    with watch(store) as changed:
        assert store.edit("job1", b'{"n":1}', Order("job1", "loc", RECORD, b'{"n":9}')) == "edited"
    assert changed == {"body:job1": '{"n":1} -> {"n":9}', "original:job1": '{"n":1}', "job:job1.edited_at": "t+3"}


def test_restore_makes_a_dead_letter_and_undoes_a_purge(store: ClockedStore, order: Orders) -> None:
    attempt = Attempt(2, "refused", START + 1, START + 2, {"status": 400})
    letter = Letter(order(service="shop"), Reason.REFUSED, START, START + 2, (attempt,), b'{"n":0}')
    store.pass_time(3)
    with watch(store) as changed:
        assert store.restore(letter) == "restored"
    assert changed == mourned() | {
        **of("job:job1", state="dead", reason="refused", accepted_at="t+0", ended_at="t+2", failures="0"),
        **of("job:job1", location="loc", record=RECORD, seq="1", attempt="2", service="shop"),
        "attempts:job1": '2 refused t+1 t+2 {"status":400}',
        "body:job1": '{"n":1}',
        "original:job1": '{"n":0}',
        "dead.job1": "t+2",
        "locations.loc": "in",
        **of("lane:loc", seq="1", accepted="1", dead="1"),
    }
    store.purge("job1", KEPT)
    with watch(store) as changed:
        assert store.restore(letter) == "restored"
    assert changed == {
        **of("job:job1", state="cancelled -> dead", reason="purged -> refused", ended_at="t+3 -> t+2", died="1"),
        "job:job1 ttl": "60 min -> gone",
        "attempts:job1 ttl": "60 min -> gone",
        "body:job1": '{"n":1}',
        "original:job1": '{"n":0}',
        "dead.job1": "t+2",
        f"letters:loc.{RECORD}": "1",
        **of("lane:loc", cancelled="1 -> 0", dead="0 -> 1", letters="0 -> 1"),
    }
    with watch(store) as changed:
        assert store.restore(letter) == "dead"
    assert changed == {}
