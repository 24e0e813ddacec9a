"""Which commands the lanes need, and whether the present user of Redis has them."""

from collections.abc import Iterator
from typing import Any

from redis.exceptions import ResponseError

from lanes.checks.finding import Finding, Severity
from lanes.queue.store import LaneStore
from lanes.storage.redis_errors import own_errors

# Each command with arguments that change nothing where the key does not exist; KEY stands for one that does
# not, WAKE for the channel.
HARMLESS = {
    "DEL": ["KEY"],
    "EXISTS": ["KEY"],
    "EXPIRE": ["KEY", "1"],
    "GET": ["KEY"],
    "GETDEL": ["KEY"],
    "HDEL": ["KEY", "f"],
    "HEXISTS": ["KEY", "f"],
    "HGET": ["KEY", "f"],
    "HGETALL": ["KEY"],
    "HKEYS": ["KEY"],
    "HLEN": ["KEY"],
    "HMGET": ["KEY", "f"],
    "HSCAN": ["KEY", "0"],
    "HVALS": ["KEY"],
    "INFO": ["memory"],
    "LINDEX": ["KEY", "0"],
    "LINSERT": ["KEY", "BEFORE", "a", "b"],
    "LLEN": ["KEY"],
    "LPOP": ["KEY"],
    "LPOS": ["KEY", "a"],
    "LRANGE": ["KEY", "0", "1"],
    "LREM": ["KEY", "1", "a"],
    "PERSIST": ["KEY"],
    "PEXPIRE": ["KEY", "1"],
    "PTTL": ["KEY"],
    "SCARD": ["KEY"],
    "SET": ["KEY", "1", "XX"],
    "SISMEMBER": ["KEY", "a"],
    "SMEMBERS": ["KEY"],
    "SMISMEMBER": ["KEY", "a"],
    "SREM": ["KEY", "a"],
    "SSCAN": ["KEY", "0"],
    "TIME": [],
    "XREVRANGE": ["KEY", "+", "-"],
    "XTRIM": ["KEY", "MAXLEN", "1"],
    "ZADD": ["KEY", "XX", "1", "a"],
    "ZCARD": ["KEY"],
    "ZCOUNT": ["KEY", "0", "1"],
    "ZPOPMIN": ["KEY"],
    "ZRANDMEMBER": ["KEY"],
    "ZRANGE": ["KEY", "0", "1"],
    "ZRANGEBYSCORE": ["KEY", "0", "1"],
    "ZRANK": ["KEY", "a"],
    "ZREM": ["KEY", "a"],
    "ZREMRANGEBYRANK": ["KEY", "0", "1"],
    "ZREMRANGEBYSCORE": ["KEY", "0", "1"],
    "ZREVRANGE": ["KEY", "0", "1"],
    "ZREVRANGEBYSCORE": ["KEY", "1", "0"],
    "ZSCAN": ["KEY", "0"],
    "ZSCORE": ["KEY", "a"],
}
# These would write, or are not for scripts: only asked for where Redis tells without doing (7.0 and later).
DRY_RUN_ONLY = {
    "EVAL": ["return 1", "0"],
    "EVALSHA": ["0" * 40, "0"],
    "HINCRBY": ["KEY", "f", "1"],
    "HSET": ["KEY", "f", "1"],
    "HSETNX": ["KEY", "f", "1"],
    "LPUSH": ["KEY", "a"],
    "PUBLISH": ["WAKE", "a"],
    "RPUSH": ["KEY", "a"],
    "SADD": ["KEY", "a"],
    "SCAN": ["0"],
    "SCRIPT": ["LOAD", "return 1"],
    "SETNX": ["KEY", "a"],
    "SUBSCRIBE": ["WAKE"],
    "XADD": ["KEY", "*", "f", "v"],
}
_TRY = """
local denied = {}
for _, line in ipairs(ARGV) do
  local words = {}
  for word in string.gmatch(line, '%S+') do words[#words + 1] = word end
  local answer = redis.pcall(unpack(words))
  local text = type(answer) == 'table' and answer.err or ''
  if string.find(text, 'NOPERM') or string.find(text, "can't run this command") or string.find(text, 'permission') then
    denied[#denied + 1] = words[1]
  end
end
return denied
"""


def missing_permissions(store: LaneStore) -> Iterator[Finding]:
    """Yield one finding that names the commands that the lanes need and this user may not use, if there are any."""
    key = store.key("lane", "check-of-permissions")
    with own_errors():
        denied = _asked(store, key)
        if denied is None:
            denied = _tried(store, key)
    if denied:
        text = f"this user of Redis may not use {', '.join(denied)} on the keys of the lanes"
        advice = f"ACL SETUSER ... {' '.join(f'+{name.lower()}' for name in denied)} ~{store.prefix}*"
        yield Finding("permissions", Severity.ERROR, "redis", text, advice)


def _asked(store: LaneStore, key: str) -> list[str] | None:
    """Ask Redis what it would let this user do; None where it does not tell."""
    try:
        client: Any = store.client
        user = client.execute_command("ACL", "WHOAMI")
        pipeline = client.pipeline(transaction=False)
        needed = HARMLESS | DRY_RUN_ONLY
        known = {"KEY": key, "WAKE": store.key("wake")}
        for name, arguments in needed.items():
            pipeline.execute_command("ACL", "DRYRUN", user, name, *(known.get(word, word) for word in arguments))
        replies = pipeline.execute()
    except ResponseError:
        return None
    return sorted(name for name, reply in zip(needed, replies, strict=True) if reply not in (b"OK", "OK", True))


def _tried(store: LaneStore, key: str) -> list[str]:
    """Try what changes nothing."""
    lines = [" ".join([name, *(key if word == "KEY" else word for word in words)]) for name, words in HARMLESS.items()]
    return sorted(name.decode() for name in store.read(lambda client: client.eval(_TRY, 0, *lines)))
