"""edit and restore, and what becomes of expired jobs: what people change of the whole of Redis."""

from lanes.queue.dead_letter import DeadLetter
from lanes.queue.job import Attempt, Reason
from lanes.queue.new_job import NewJob
from tests.lanes.conftest import START, ClockedStore, Orders
from tests.lanes.scripts.test_operator_actions import RECORD, bury
from tests.lanes.whole_state import KEPT, KNOWN, dead_letter_indexed, fields_of, watch


def test_replay_and_purge_take_expired_jobs_too(store: ClockedStore, order: Orders) -> None:
    store.enqueue_many([order(record="a", expires_at=START + 5), order(record="b", expires_at=START + 5)], KNOWN)
    store.pass_time(5)
    store.expire(9)
    with watch(store) as changed:
        assert store.replay("job1") == "replayed"
        assert store.purge("job2", KEPT) == "purged"
    assert changed == {
        **fields_of("job:job1", state="expired -> pending", seq="1 -> 3", first_seq="1", failures="0"),
        **fields_of("job:job1", replayed_at="t+5", held_before="0"),
        **fields_of("job:job1", reason="expired -> gone", ended_at="t+5 -> gone", expires_at="t+5 -> gone"),
        **fields_of("job:job2", state="expired -> cancelled", reason="expired -> purged", was_dead="1 -> gone"),
        "job:job2 ttl": "60 min",
        "body:job2": '{"n":2} -> gone',
        **fields_of("dead", job1="t+5 -> gone", job2="t+5 -> gone"),
        "active:loc.a": "job1",
        "ready:loc.job1": "3",
        "dead_letter_counts:loc.b": "1 -> gone",
        **fields_of("lane:loc", seq="2 -> 3", expired="2 -> 0", pending="0 -> 1", cancelled="1", dead_letters="2 -> 1"),
    }


def test_edit_changes_the_body_and_keeps_the_first(store: ClockedStore, order: Orders) -> None:
    bury(store, order)
    with watch(store) as changed:
        assert store.edit("job1", b'{"n":1}', NewJob("job1", "loc", RECORD, b'{"n":9}')) == "edited"
    assert changed == {"body:job1": '{"n":1} -> {"n":9}', "original:job1": '{"n":1}', "job:job1.edited_at": "t+3"}


def test_restore_makes_a_dead_letter_and_undoes_a_purge(store: ClockedStore, order: Orders) -> None:
    attempt = Attempt(2, "refused", START + 1, START + 2, {"status": 400})
    dead_letter = DeadLetter(order(service="shop"), Reason.REFUSED, START, START + 2, (attempt,), b'{"n":0}')
    store.pass_time(3)
    with watch(store) as changed:
        assert store.restore(dead_letter) == "restored"
    assert changed == dead_letter_indexed() | {
        **fields_of("job:job1", state="dead", reason="refused", accepted_at="t+0", ended_at="t+2", failures="0"),
        **fields_of("job:job1", location="loc", record=RECORD, seq="1", attempt="2", service="shop"),
        "attempts:job1": '2 refused t+1 t+2 {"status":400}',
        "body:job1": '{"n":1}',
        "original:job1": '{"n":0}',
        "dead.job1": "t+2",
        "locations.loc": "in",
        **fields_of("lane:loc", seq="1", accepted="1", dead="1"),
    }
    store.purge("job1", KEPT)
    with watch(store) as changed:
        assert store.restore(dead_letter) == "restored"
    assert changed == {
        **fields_of(
            "job:job1", state="cancelled -> dead", reason="purged -> refused", ended_at="t+3 -> t+2", was_dead="1"
        ),
        "job:job1 ttl": "60 min -> gone",
        "attempts:job1 ttl": "60 min -> gone",
        "body:job1": '{"n":1}',
        "original:job1": '{"n":0}',
        "dead.job1": "t+2",
        f"dead_letter_counts:loc.{RECORD}": "1",
        **fields_of("lane:loc", cancelled="1 -> 0", dead="0 -> 1", dead_letters="0 -> 1"),
    }
    with watch(store) as changed:
        assert store.restore(dead_letter) == "dead"
    assert changed == {}
