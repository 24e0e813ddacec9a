"""Overwrites stored keys, and parts of them, with values of any type."""

import random
from collections import Counter
from dataclasses import dataclass, field
from typing import Any

from lanes.checks.services import SERVICE_NUMBERS
from lanes.checks.values import GLOBAL_NUMBERS, JOB_NUMBERS, LANE_NUMBERS
from lanes.storage.keys import ANY, KEYS
from lanes.storage.stored import json_object_of, number_of, text_of

LANES = "lanes:"
# What was overwritten, by type, and what was run.
COUNTED: Counter[str] = Counter()
# What nothing of ours writes.
JUNK = (
    *(b"", b"\0", b"x", b"\xff\xfe", b"nan", b"-nan", b"inf", b"-inf", b"-0", b"1.5", b"-1", b"0x10", b" 7", b"1_000"),
    *(b"9" * 400, b"1e400", b"18446744073709551616", b"9223372036854775807", b"null", b"[]", b"{", b"{}", b'"\\ud800"'),
    *(b'{"a":NaN}', b'{"locationId":"loc"}', b"[" * 5000, b"=nan", b"-x", b"1 retry 1 2 {}", b"1 retry nan 2 {}"),
    *(b'9 x 1 2 {"status":"x","seconds":"y","message":[1,{}]}', b"pending", b"dead", b"\x1b[31m\r\n", b"1-1"),
)
SCORES = (0.0, -1.0, 1.5, float("inf"), float("-inf"), 1e300, 2.0**62)
NUMBERS = {"job": JOB_NUMBERS, "lane": LANE_NUMBERS, "global_state": GLOBAL_NUMBERS, "service": SERVICE_NUMBERS}


@dataclass(slots=True)
class Damage:
    """What was overwritten: keys, their kinds, ids and other words; and the keys that the check must name."""

    done: list[str] = field(default_factory=list)
    touched: set[str] = field(default_factory=set)
    must_find: set[str] = field(default_factory=set)

    def touches(self, *words: str) -> bool:
        """Return whether one of these keys, ids or names was overwritten."""
        return not self.touched.isdisjoint(words)

    @property
    def is_global(self) -> bool:
        """Whether a key of all lanes was overwritten."""
        return any(":" not in name for name in self.touched if name in KEYS)


class Breaker:
    """Overwrites stored values, by a seed."""

    def __init__(self, client: Any, chance: random.Random) -> None:
        self._client, self._chance = client, chance
        self.damage = Damage()

    def break_some(self) -> None:
        """Overwrite one to six keys, or parts of them."""
        for _ in range(self._chance.randint(1, 6)):
            names = sorted(text_of(name) for name in self._client.keys("*"))
            name = self._chance.choice([each for each in names if each != f"{LANES}schema"])
            if self._chance.random() < 0.1:
                kind = self._chance.choice([kind for kind in sorted(KEYS) if kind not in ("schema", "wake")])
                name = LANES + ":".join([kind, *["loc"] * len(KEYS[kind].fields)])
            if self._chance.random() < 0.5:
                self._overwrite(name)
            else:
                self._overwrite_part(name)

    def _junk(self) -> bytes:
        return self._chance.choice(JUNK)

    def _note(self, name: str, what: str, *words: bytes) -> None:
        short = name.removeprefix(LANES)
        self.damage.done.append(f"{what} {short} {words}")
        self.damage.touched |= {short, *short.split(":"), *(text_of(word) for word in words)}
        for word in words:
            self.damage.touched |= set(text_of(word).split(":"))
        COUNTED[what.partition(" ")[0]] += 1

    def _overwrite(self, name: str) -> None:
        kind = self._chance.choice(("string", "hash", "list", "set", "zset", "stream"))
        self._client.delete(name)
        for _ in range(self._chance.randint(1, 3)):
            self._add(name, kind)
        self._note(name, f"whole:{kind}")
        expected = KEYS[name.removeprefix(LANES).partition(":")[0]].kind
        self.damage.must_find.discard(name.removeprefix(LANES))
        if expected not in {kind, ANY}:
            self.damage.must_find.add(name.removeprefix(LANES))

    def _add(self, name: str, kind: str) -> None:
        client, junk = self._client, self._junk()
        if kind == "string":
            client.set(name, junk)
        elif kind == "hash":
            client.hset(name, junk or b"?", self._junk())
        elif kind == "list":
            client.rpush(name, junk)
        elif kind == "set":
            client.sadd(name, junk)
        elif kind == "zset":
            client.zadd(name, {junk: self._chance.choice(SCORES)})
        else:
            client.xadd(name, {junk or b"?": self._junk()})

    def _overwrite_part(self, name: str) -> None:
        client, kind = self._client, text_of(self._client.type(name))
        if kind == "hash":
            at = self._chance.choice(sorted(client.hkeys(name)))
            value = self._junk()
            client.hset(name, at, value)
            self._note(name, "part:hash", at)
            short = name.removeprefix(LANES)
            if text_of(at) in NUMBERS.get(short.partition(":")[0], ()) and number_of(value) is None:
                self.damage.must_find.add(short)
        elif kind == "zset":
            at = self._chance.choice([*sorted(client.zrange(name, 0, -1)), self._junk()])
            client.zadd(name, {at: self._chance.choice(SCORES)})
            self._note(name, "part:zset", at)
        elif kind == "list":
            position = self._chance.randrange(client.llen(name))
            before = client.lindex(name, position)
            client.lset(name, position, self._junk())
            self._note(name, "part:list", before)
        elif kind == "string":
            value = self._junk()
            client.set(name, value, keepttl=True)
            self._note(name, "part:string")
            short = name.removeprefix(LANES)
            if short.startswith("body:") and json_object_of(value) is None:
                self.damage.must_find.add(short)
        elif kind in ("set", "stream"):
            self._add(name, kind)
            self._note(name, f"part:{kind}")
