"""Derives the commands and keys that the lanes need from the scripts, and checks the permissions of the Redis user."""

import json
import re
from collections.abc import Iterable, Iterator
from typing import Any

from redis.exceptions import ResponseError

from lanes.checks.finding import Finding, Severity
from lanes.queue.store import LaneStore
from lanes.storage.keys import KEYS
from lanes.storage.redis_errors import own_errors
from lanes.storage.scripts import load, names

_COMMAND = re.compile(r"redis\.p?call(?:\(|, )'([A-Z]+)'")  # also as a function that another one calls
# What Python calls in addition to the scripts.
OWN = frozenset(
    {"EVAL", "EVALSHA", "HSCAN", "SCAN", "SCRIPT", "SRANDMEMBER", "SUBSCRIBE", "TYPE", "XACK", "XAUTOCLAIM"}
    | {"XGROUP", "XREADGROUP", "XREVRANGE", "ZREVRANGEBYSCORE", "ZSCAN"}
)
# Arguments are the name of a missing key, except for these commands. WAKE stands for the channel.
ARGUMENTS = {
    "EVAL": ["return 1", "0"],
    "EVALSHA": ["0" * 40, "0"],
    "PUBLISH": ["WAKE", "a"],
    "SCRIPT": ["LOAD", "return 1"],
    "SET": ["KEY", "1", "XX"],
    "SUBSCRIBE": ["WAKE"],
    "XAUTOCLAIM": ["KEY", "a", "a", "0", "0-0"],
    "XGROUP": ["CREATE", "KEY", "a", "0"],
    "XINFO": ["GROUPS", "KEY"],
    "XREADGROUP": ["GROUP", "a", "a", "STREAMS", "KEY", ">"],
}
MAX_ARGUMENTS = 4
# These would write or are not for scripts: checked only by ACL DRYRUN (Redis 7.0 and later).
DRY_RUN_ONLY = OWN | {"HSET", "HSETNX", "LPUSH", "MSET", "PUBLISH", "RPUSH", "SADD", "SETNX"}
_TRY = """
local seen, denied = {}, {}
for at = 1, #ARGV do
  local words = cjson.decode(ARGV[at])
  local answer = redis.pcall(unpack(words))
  local text = type(answer) == 'table' and answer.err or ''
  if string.find(text, 'NOPERM') or string.find(text, "can't run this command") or string.find(text, 'permission') then
    seen[words[1]] = true
  end
end
for name in pairs(seen) do denied[#denied + 1] = name end
return denied
"""


def commands_of(scripts: Iterable[str]) -> set[str]:
    """Return the commands that these scripts call."""
    return {command for name in scripts for command in _COMMAND.findall(load(name).text)}


def patterns_of(scripts: Iterable[str], prefix: str) -> list[str]:
    """Return the patterns of the keys that these scripts name; each call declares the key `schema`."""
    found = {"schema"}.union(*(load(name).keys for name in scripts))
    return [pattern(prefix, key) for key in sorted(found) if KEYS[key].kind != "channel"]


def pattern(prefix: str, key: str) -> str:
    """Return the pattern that matches every key of this name."""
    return prefix + re.sub(r"\{\w+\}", "*", KEYS[key].template)


def missing_permissions(store: LaneStore) -> Iterator[Finding]:
    """Yield a finding with the commands that the lanes need and this user may not use, if there are any.

    The lanes work without INFO: `lanes.checks.server` warns of it.
    """
    needed = sorted(commands_of(names()).union(OWN) - {"INFO"})
    with own_errors():
        denied = _denied_by_dry_run(store, needed)
        if denied is None:
            denied = _denied_when_tried(store, needed)
    if denied:
        text = f"this user of Redis may not use {', '.join(denied)} on the keys of the lanes"
        advice = f"ACL SETUSER ... {' '.join(f'+{name.lower()}' for name in denied)} ~{store.prefix}*"
        yield Finding("permissions", Severity.ERROR, "redis", text, advice)


def _calls(store: LaneStore, command: str) -> list[list[str]]:
    """Return the command with each number of arguments; none of the calls changes anything.

    The name of the key may not contain a word of a denial (see `_TRY`): errors about other things repeat it.
    """
    known = {"KEY": store.key("lane", "no-such-lane"), "WAKE": store.key("wake")}
    if command in ARGUMENTS:
        return [[command, *(known.get(word, word) for word in ARGUMENTS[command])]]
    return [[command, *[known["KEY"]] * count] for count in range(MAX_ARGUMENTS + 1)]


def _denied_by_dry_run(store: LaneStore, needed: list[str]) -> list[str] | None:
    """Return the denied commands by ACL DRYRUN; None if Redis does not have it or the user may not use it."""
    calls = [call for name in needed for call in _calls(store, name)]
    try:
        client: Any = store.client
        user = client.execute_command("ACL", "WHOAMI")
        pipeline = client.pipeline(transaction=False)
        for call in calls:
            pipeline.execute_command("ACL", "DRYRUN", user, *call)
        replies = pipeline.execute(raise_on_error=False)
    except ResponseError:
        return None
    allowed = {call[0] for call, reply in zip(calls, replies, strict=True) if reply in (b"OK", "OK", True)}
    return sorted(set(needed) - allowed) if allowed else None


def _denied_when_tried(store: LaneStore, needed: list[str]) -> list[str]:
    """Return the denied commands by trying those that change nothing."""
    lines = [json.dumps(call) for name in needed if name not in DRY_RUN_ONLY for call in _calls(store, name)]
    return sorted(name.decode() for name in store.read(lambda client: client.eval(_TRY, 0, *lines)))
