"""How scripts are put together, and the one key that each call declares."""

import asyncio

import pytest
import redis

from lanes.errors import RedisUnavailableError, ScriptError
from lanes.queue.async_store import AsyncLaneStore
from lanes.queue.async_store import connect as connect_async
from lanes.queue.connecting import connect
from lanes.queue.new_job import NewJob
from lanes.queue.results import Released
from lanes.queue.store import LaneStore
from lanes.queue.transitions import AttemptReport
from lanes.storage import scripts
from tests.lanes.conftest import LIMITS, make_consumer


def test_a_script_is_read_from_disk_only_once(monkeypatch: pytest.MonkeyPatch) -> None:
    scripts.load_all()

    def no_files(package: str) -> None:
        raise OSError(24, f"Too many open files: {package}")

    monkeypatch.setattr(scripts, "files", no_files)
    assert scripts.load("retry").sha
    # As workers with any prefix ask for it.
    assert LaneStore(connect("redis://127.0.0.1:1/0"), "some:").script("retry") is scripts.load("retry")
    with pytest.raises(OSError, match="Too many open files"):
        scripts.load("another")


def test_a_missing_script_is_named() -> None:
    with pytest.raises(ScriptError, match=r"no such script: .*nothing\.lua"):
        scripts.load("nothing")


@pytest.mark.parametrize("line", ["return key.nothing", "return key.lane", "return key.due(location)"])
def test_a_wrong_key_is_named(line: str, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(scripts, "read", lambda _: [line])
    with pytest.raises(ScriptError, match=r"no such key: key\.") as error:
        scripts.load(line)  # the name is not cached
    assert "lanes/storage/keys.py" in str(error.value)


def test_every_script_compiles(redis_url: str) -> None:
    with redis.Redis.from_url(redis_url) as client:
        for name in scripts.names():
            script = scripts.load(name)
            assert client.script_load(script.text) == script.sha
            assert len(script.origins) == script.text.count("\n"), name


def test_a_lazy_part_is_made_at_its_use_and_sees_all_includes(redis_url: str, monkeypatch: pytest.MonkeyPatch) -> None:
    texts = {
        "lazy": [
            "-- @lazy a/rare",
            "-- @include a/common",
            "if ARGV[1] then return rare().twice(twenty) end",
            "return 1",
        ],
        "include/a/rare": [
            "-- @lazy a/rarest",
            "redis.call('INCR', prefix .. 'made')",
            "local function twice(n) return rarest().broken and 2 * n or wrong() end",
        ],
        "include/a/rarest": ["-- @include a/common", "local function broken() end"],
        "include/a/common": ["local twenty = 20"],
    }
    monkeypatch.setattr(scripts, "read", lambda name: texts[name])
    script = scripts.load("lazy")
    with redis.Redis.from_url(redis_url) as client:
        assert client.eval(script.text, 1, "some:schema") == 1
        assert not client.exists("some:made")
        assert client.eval(script.text, 1, "some:schema", "x") == 40
        assert client.get("some:made") == b"1"
    assert script.text.count("twenty = 20") == 1
    line = script.text.splitlines().index("redis.call('INCR', prefix .. 'made')") + 1
    assert script.explain(f"user_script:{line}: why").startswith("include/a/rare.lua:2: ")


def test_a_constant_of_a_file_stands_where_it_is_used(redis_url: str, monkeypatch: pytest.MonkeyPatch) -> None:
    # A local of the script would be made by each call, and again for each function that uses it.
    texts = {
        "constants": [
            "-- @lazy a/rare",
            "-- @include a/limits",
            "if ARGV[1] then return rare().name_of() end",
            "return 2 * LONG / SHORT",
        ],
        "include/a/limits": [
            "local SHORT = 3",
            "local LONG = 5 + 2 * 1000  -- longer than SHORT",
            "local NAMES = { LONG = 'LONG' }",
        ],
        "include/a/rare": ["local UUID = '%x-%d'", "local function name_of() return NAMES.LONG .. UUID .. LONG end"],
    }
    monkeypatch.setattr(scripts, "read", lambda name: texts[name])
    script = scripts.load("constants")
    assert "local SHORT" not in script.text
    assert "local LONG" not in script.text
    with redis.Redis.from_url(redis_url) as client:
        assert client.eval(script.text, 1, "some:schema") == 2 * 2005 // 3
        assert client.eval(script.text, 1, "some:schema", "x") == b"LONG%x-%d2005"
    assert len(script.origins) == script.text.count("\n")


def test_a_constant_with_two_values_in_a_script_is_refused(monkeypatch: pytest.MonkeyPatch) -> None:
    texts = {"twice": ["-- @include a/one", "local SHORT = 3"], "include/a/one": ["local SHORT = 4"]}
    monkeypatch.setattr(scripts, "read", lambda name: texts[name])
    with pytest.raises(ScriptError, match="twice: SHORT has two values"):
        scripts.load("twice")


def test_functions_find_the_time_and_the_prefix_at_once() -> None:
    # In a local of the function that makes them, each would search for it behind all others that are used.
    text = scripts.load("deliver").text
    outside, inside = text.split("return (function()\n", 1)
    assert "\nlocal now = " in outside
    assert "local prefix = " in outside
    assert "\nlocal function " not in outside
    assert "\nlocal function " in inside


def test_a_delivery_makes_no_local_for_a_number_or_text() -> None:
    text = scripts.load("deliver").text
    assert "\nlocal FAIR_SHARE" not in text
    assert "lane.in_flight >= (8) * lane.weight" in text


def test_a_delivery_makes_only_the_functions_that_it_calls() -> None:
    text = scripts.load("deliver").text
    lazy_parts = text[text.index("\nfunction lazy(") : text.index("\nlocal job = begin_report(")]
    rare = (
        "end_job",
        "remove_dead_letter",
        "recheck_rate_limit",
        "schedule",
        "enqueue_active",
        "unpack_uuid",
        "pack_line",
    )
    for name in rare:
        assert f"local function {name}(" in lazy_parts, name
    assert text.replace(lazy_parts, "").count("\nlocal function ") <= 30


def use_every_way_to_call(url: str, prefix: str) -> None:
    """Let a job be delivered and one be cancelled: by each of the calls that run a script."""

    async def cancel() -> str:
        store = AsyncLaneStore(connect_async(url), prefix)
        answer = await store.cancel("other", 60)
        await store.close()
        return answer

    with connect(url) as client:
        store = LaneStore(client, prefix)
        store.enqueue_many([NewJob(name, "loc", name, b"{}") for name in ("job", "other")], 60)
        store.enqueue(NewJob("job", "loc", "job", b"{}"), 60)
        released = store.release(make_consumer()).next
        assert isinstance(released, Released)
        store.deliver(AttemptReport(released.id, released.attempt, "{}", LIMITS), retention=60)
        assert asyncio.run(cancel()) == "cancelled"
        assert store.counts() == {**dict.fromkeys(store.counts(), 0), "accepted": 2, "delivered": 1, "cancelled": 1}
        assert store.run_many("hold_all", [["why", "me"]]) == [b"held"]


def test_every_call_declares_a_key_and_one_text_serves_all_prefixes(redis_url: str) -> None:
    with redis.Redis.from_url(redis_url) as client:
        client.script_flush()
        use_every_way_to_call(redis_url, "one:")
        cached = client.info("memory")["number_of_cached_scripts"]
        client.delete("one:memory_checked")  # it expires
        before = {name: client.dump(name) for name in client.scan_iter()}
        client.config_set("slowlog-log-slower-than", 0)
        client.slowlog_reset()
        use_every_way_to_call(redis_url, "two:")
        client.config_set("slowlog-log-slower-than", -1)
        calls = [entry["command"].split() for entry in client.slowlog_get(500)]
        assert client.info("memory")["number_of_cached_scripts"] == cached
        after = {name: client.dump(name) for name in client.scan_iter() if not name.startswith(b"two:")}
    declared = {tuple(call[2:4]) for call in calls if call[0] in (b"EVAL", b"EVALSHA")}
    assert declared == {(b"1", b"two:schema")}
    assert after == before


def test_a_user_of_one_prefix_reads_and_writes_no_other(redis_url: str) -> None:
    with redis.Redis.from_url(redis_url) as admin:
        admin.acl_setuser("one", enabled=True, passwords="+word", keys=["mine:*"], channels=["*"], categories=["+@all"])
        own = redis_url.replace("//", "//one:word@")
        use_every_way_to_call(own, "mine:")
        with connect(own) as client:
            other = LaneStore(client, "other:")
            other._checked = True  # so that the first command is a script
            for name in scripts.names():
                with pytest.raises(RedisUnavailableError, match=r"(?i)permission") as refused:
                    other.run(name)
                # Refused before it ran: the call declares the key.
                assert "script" not in str(refused.value.__cause__), name
        admin.acl_deluser("one")
        assert list(admin.scan_iter("other:*")) == []
