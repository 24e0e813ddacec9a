"""Every Redis key, built here and nowhere else.

The scripts build their keys from the same table: `lua_prelude` writes it out as Lua functions, so a key has one
spelling; each script gets those that it names, because Redis runs the prelude at every call. No script declares KEYS: a
release learns only while it runs which lane it takes, and a cell lives on one primary (never on a cluster that would
need to know the slots beforehand).

Times are integers in microseconds since the epoch, by the clock of Redis.
"""

from collections.abc import Iterable
from dataclasses import dataclass
from enum import StrEnum

SCHEMA = "2"
DEFAULT_PREFIX = "lanes:"


class Kind(StrEnum):
    """The Redis type of a key, as `TYPE` answers it."""

    STRING = "string"
    HASH = "hash"
    LIST = "list"
    SET = "set"
    ZSET = "zset"
    STREAM = "stream"
    CHANNEL = "channel"


@dataclass(frozen=True, slots=True)
class Key:
    """A key's name below the prefix, its type, and what it holds."""

    template: str
    kind: Kind
    holds: str

    @property
    def fields(self) -> tuple[str, ...]:
        """The names in braces, in order."""
        return tuple(part.split("}")[0] for part in self.template.split("{")[1:])


KEYS: dict[str, Key] = {
    # One of each in a cell.
    "schema": Key("schema", Kind.STRING, "version of this layout"),
    "counts": Key("counts", Kind.HASH, "jobs per state over all lanes, and totals since the beginning"),
    "locations": Key("locations", Kind.SET, "every location that ever had a job"),
    "due": Key("due", Kind.ZSET, "location -> time from which it may release; '' before all when the gate is shut"),
    "leases": Key("leases", Kind.ZSET, "job id -> end of the lease of its current attempt"),
    "expiring": Key("expiring", Kind.ZSET, "pending job id -> time after which it must not be sent"),
    "dead": Key("dead", Kind.ZSET, "id of a dead or expired job -> time of its end"),
    "tokens": Key(
        "tokens", Kind.HASH, "location, or agency:company -> version (time of storing) and its encrypted credential"
    ),
    "renewals": Key(
        "renewals",
        Kind.HASH,
        "name in `tokens` -> version, and time of the first request of which nobody knows whether it spent that one",
    ),
    "gate": Key("gate", Kind.HASH, "hold of everything, outage or brake of all, and what may become one"),
    "probes": Key("probes", Kind.ZSET, "job id:attempt that went out in an outage -> end of its lease"),
    "refused_alike": Key(
        "refused_alike", Kind.HASH, "status and shape of refusals -> JSON of the locations on the brake for them"
    ),
    "failing": Key("failing", Kind.HASH, "location -> failures of the API with hardly an answer in between"),
    "blamed": Key("blamed", Kind.HASH, "job id -> those failures that were counted as its own"),
    "held": Key("held", Kind.HASH, "location, or '' for all -> for how long it was held (see held.lua)"),
    "notices": Key("notices", Kind.ZSET, "JSON of a notice -> time from which it may be taken"),
    "mark": Key(
        "mark", Kind.STRING, "written by an enqueue that waits for a disk or replicas: all before it is there too"
    ),
    "recent": Key("recent:{start}", Kind.HASH, "event -> jobs in the ten seconds from then; kept for an hour"),
    "history": Key("history:{start}", Kind.HASH, "the same of five minutes; kept for a day"),
    "totals": Key(
        "totals", Kind.HASH, "event, or dead:reason -> jobs since the beginning, where `counts` goes down; times"
    ),
    "trail": Key("trail", Kind.STREAM, "who changed what by hand, the newest of it"),
    "wake": Key("wake", Kind.CHANNEL, "a message when some lane became due earlier than every other"),
    # One of each per location.
    "lane": Key("lane:{location}", Kind.HASH, "jobs per state, next sequence number, budget, hold, brake"),
    "ready": Key("ready:{location}", Kind.ZSET, "job id -> rank: may be sent now, budget permitting"),
    "later": Key("later:{location}", Kind.ZSET, "job id -> time: waits for its backoff or its not-before"),
    "heads": Key("heads:{location}", Kind.HASH, "record -> the one job of it that is ready, later or in flight"),
    "behind": Key("behind:{location}:{record}", Kind.LIST, "job ids of the record, in order, behind its head"),
    "slots": Key("slots:{location}", Kind.ZSET, "job id:attempt -> time at which the server's window forgot it"),
    "sent": Key(
        "sent:{location}", Kind.ZSET, "number of a request -> time of its release; while others share the budget"
    ),
    "others": Key("others:{location}", Kind.ZSET, "a request of somebody else -> time at which the window forgets it"),
    "day": Key("day:{location}", Kind.HASH, "quarter of an hour -> requests charged before it"),
    "lane_history": Key(
        "lane_history:{location}:{start}", Kind.HASH, "event:five minutes -> jobs, for four hours; kept for a day"
    ),
    "letters": Key("letters:{location}", Kind.HASH, "record -> its jobs that died at some time and are not done with"),
    "newest": Key("newest:{location}", Kind.HASH, "record with such jobs -> its newest delivered one: time, order, id"),
    "events": Key("events:{location}:{record}", Kind.HASH, "field -> event time of what was said of it last"),
    "idempotency": Key("idempotency:{location}:{key}", Kind.STRING, "job id and fingerprint of its body"),
    # One per name in `tokens` that is being renewed.
    "token_lock": Key("token_lock:{name}", Kind.STRING, "who renews it, or why nobody does for the moment"),
    # One per worker that cannot serve all locations.
    "unservable": Key(
        "unservable:{worker}", Kind.SET, "locations whose stored token it cannot use; gone when the worker is"
    ),
    # One of each per seat: a thread or process of a worker that sends one job at a time.
    "seat": Key("seat:{worker}", Kind.STRING, "job id:attempt that it was given last; gone when the lease ends"),
    # One of each per job.
    "job": Key("job:{id}", Kind.HASH, "the job but for its body and its attempts"),
    "body": Key("body:{id}", Kind.STRING, "the JSON that is sent; gone once the job is delivered"),
    "original": Key("original:{id}", Kind.STRING, "the body as it was accepted, once a person edited it"),
    "carried": Key("carried:{id}", Kind.SET, "ids of the jobs that were merged into it"),
    "attempts": Key("attempts:{id}", Kind.LIST, "one line per ended attempt: number outcome start end detail"),
}


def build(prefix: str, name: str, *values: str) -> str:
    """Return the key called `name` under `prefix`, its braces filled with `values` in order."""
    key = KEYS[name]
    return prefix + key.template.format(**dict(zip(key.fields, values, strict=True)))


def lua_prelude(prefix: str, names: Iterable[str] = KEYS) -> str:
    """Return the keys of these names as Lua: `key.due` is a string, `key.lane(location)` a function."""
    lines = ["local key = {}"]
    for name in names:
        key = KEYS[name]
        if not key.fields:
            lines.append(f"key.{name} = '{prefix}{key.template}'")
            continue
        parts = []
        for piece in key.template.split("{"):
            variable, brace, literal = piece.rpartition("}")
            if brace:
                parts.append(variable)
            if literal:
                parts.append(f"'{literal if brace else prefix + literal}'")
        lines.append(f"function key.{name}({', '.join(key.fields)}) return {' .. '.join(parts)} end")
    return "\n".join(lines) + "\n"
