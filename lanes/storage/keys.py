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

# The layout of keys. Data of another number are refused (`lanes.storage.schema`).
SCHEMA = "3"
DEFAULT_PREFIX = "lanes:"


class KeyType(StrEnum):
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
    kind: KeyType
    holds: str

    @property
    def fields(self) -> tuple[str, ...]:
        """The names in braces, in order."""
        return tuple(part.split("}")[0] for part in self.template.split("{")[1:])


KEYS: dict[str, Key] = {
    # One of each in a cell.
    "schema": Key("schema", KeyType.STRING, "version of this layout"),
    "counts": Key("counts", KeyType.HASH, "jobs per state over all lanes, and totals since the beginning"),
    "locations": Key("locations", KeyType.SET, "every location that ever had a job"),
    "due": Key("due", KeyType.ZSET, "location -> time from which it may release; '' before all when the gate is shut"),
    "leases": Key("leases", KeyType.ZSET, "job id -> end of the lease of its current attempt"),
    "expiring": Key("expiring", KeyType.ZSET, "pending job id -> time after which it must not be sent"),
    "dead": Key("dead", KeyType.ZSET, "id of a dead or expired job -> time of its end"),
    "tokens": Key(
        "tokens", KeyType.HASH, "location, or agency:company -> version (time of storing) and its encrypted credential"
    ),
    "renewals": Key(
        "renewals",
        KeyType.HASH,
        "name in `tokens` -> version, and time of the first request of which nobody knows whether it spent that one",
    ),
    "global_state": Key(
        "global_state", KeyType.HASH, "hold of everything, outage or brake of all, and what may become one"
    ),
    "probes": Key("probes", KeyType.ZSET, "job id:attempt that went out in an outage -> end of its lease"),
    "refused_alike": Key(
        "refused_alike", KeyType.HASH, "status and shape of refusals -> JSON of the locations on the brake for them"
    ),
    "failing": Key("failing", KeyType.HASH, "location -> failures of the API with hardly an answer in between"),
    "refundable_failures": Key(
        "refundable_failures", KeyType.HASH, "job id -> those failures that were counted as its own"
    ),
    "held_time": Key("held_time", KeyType.HASH, "location, or '' for all -> for how long it was held (see held.lua)"),
    "notifications": Key("notifications", KeyType.ZSET, "JSON of a notice -> time from which it may be taken"),
    "durability_marker": Key(
        "durability_marker",
        KeyType.STRING,
        "written by an enqueue that waits for a disk or replicas: all before it is there too",
    ),
    "recent": Key("recent:{start}", KeyType.HASH, "event -> jobs in the ten seconds from then; kept for an hour"),
    "history": Key("history:{start}", KeyType.HASH, "the same of five minutes; kept for a day"),
    "totals": Key(
        "totals", KeyType.HASH, "event, or dead:reason -> jobs since the beginning, where `counts` goes down; times"
    ),
    "audit_log": Key("audit_log", KeyType.STREAM, "who changed what by hand, the newest of it"),
    "wake": Key("wake", KeyType.CHANNEL, "a message when some lane became due earlier than every other"),
    # One of each per location.
    "lane": Key("lane:{location}", KeyType.HASH, "jobs per state, next sequence number, budget, hold, brake"),
    "ready": Key("ready:{location}", KeyType.ZSET, "job id -> rank: may be sent now, budget permitting"),
    "delayed": Key("delayed:{location}", KeyType.ZSET, "job id -> time: waits for its backoff or its not-before"),
    "active": Key("active:{location}", KeyType.HASH, "record -> the one job of it that is ready, later or in flight"),
    "blocked": Key("blocked:{location}:{record}", KeyType.LIST, "job ids of the record, in order, behind its head"),
    "rate_slots": Key(
        "rate_slots:{location}", KeyType.ZSET, "job id:attempt -> time at which the server's window forgot it"
    ),
    "sent": Key(
        "sent:{location}", KeyType.ZSET, "number of a request -> time of its release; while others share the budget"
    ),
    "foreign_requests": Key(
        "foreign_requests:{location}", KeyType.ZSET, "a request of somebody else -> time at which the window forgets it"
    ),
    "day": Key("day:{location}", KeyType.HASH, "quarter of an hour -> requests charged before it"),
    "lane_history": Key(
        "lane_history:{location}:{start}", KeyType.HASH, "event:five minutes -> jobs, for four hours; kept for a day"
    ),
    "dead_letter_counts": Key(
        "dead_letter_counts:{location}", KeyType.HASH, "record -> its jobs that died at some time and are not done with"
    ),
    "newest_delivered": Key(
        "newest_delivered:{location}",
        KeyType.HASH,
        "record with such jobs -> its newest delivered one: time, order, id",
    ),
    "event_times": Key(
        "event_times:{location}:{record}", KeyType.HASH, "field -> event time of what was said of it last"
    ),
    "idempotency": Key("idempotency:{location}:{key}", KeyType.STRING, "job id and fingerprint of its body"),
    # One per name in `tokens` that is being renewed.
    "token_lock": Key("token_lock:{name}", KeyType.STRING, "who renews it, or why nobody does for the moment"),
    # One per worker that cannot serve all locations.
    "unservable": Key(
        "unservable:{worker}", KeyType.SET, "locations whose stored token it cannot use; gone when the worker is"
    ),
    # One of each per seat: a thread or process of a worker that sends one job at a time.
    "consumer": Key(
        "consumer:{worker}", KeyType.STRING, "job id:attempt that it was given last; gone when the lease ends"
    ),
    # One of each per job.
    "job": Key("job:{id}", KeyType.HASH, "the job but for its body and its attempts"),
    "body": Key("body:{id}", KeyType.STRING, "the JSON that is sent; gone once the job is delivered"),
    "original": Key("original:{id}", KeyType.STRING, "the body as it was accepted, once a person edited it"),
    "merged_jobs": Key("merged_jobs:{id}", KeyType.SET, "ids of the jobs that were merged into it"),
    "attempts": Key("attempts:{id}", KeyType.LIST, "one line per ended attempt: number outcome start end detail"),
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
