"""Every Redis key, built here only.

Scripts name keys as `key.due` and `key.lane(location)`; `lua_key` says what stands there when a script is assembled.
Each call of a script declares one key, `schema`, from which the script takes the prefix. It finds the others while it
runs: all lanes are on one primary, never on a cluster. Times are integers in microseconds since the epoch, by the clock
of Redis.
"""

import re
from collections.abc import Sequence
from dataclasses import dataclass

# The layout of keys. Data of another number are refused (`lanes.storage.schema`).
SCHEMA = "5"
DEFAULT_PREFIX = "lanes:"
ANY = "any"  # the type of a key that may have any type


@dataclass(frozen=True, slots=True)
class Key:
    """A key's name below the prefix, its Redis type (or `channel`), and what it holds."""

    template: str
    kind: str
    holds: str

    @property
    def fields(self) -> tuple[str, ...]:
        """The names in braces, in order."""
        return tuple(part.split("}")[0] for part in self.template.split("{")[1:])


_KEYS = (
    # One of each.
    Key("schema", "string", "version of this layout"),
    Key("counts", "hash", "jobs per state over all lanes, and totals since the beginning"),
    Key("locations", "set", "every location with a lane"),
    Key("ended_lanes", "hash", "how many lanes ended, their counts, and the highest number of their jobs"),
    Key("due", "zset", "location -> time from which it may release; '' first while all lanes are stopped"),
    Key("leases", "zset", "job id -> end of the lease of its current attempt"),
    Key("expiring", "zset", "pending job id -> time after which it must not be sent"),
    Key("dead", "zset", "id of a dead or expired job -> time of its end"),
    Key("done_ids", "list", "packed ids of delivered and cancelled jobs, in the order of their ends"),
    Key("tokens", "hash", "location, or agency:company -> version (time of storing) and encrypted credential"),
    Key("renewals", "hash", "name in `tokens` -> version, and time of the first request that may have spent its token"),
    Key("global_state", "hash", "hold of all lanes, outage or brake of all, and counts that may lead to one"),
    Key("probes", "zset", "job id:attempt sent in an outage -> end of its lease"),
    Key("refused_alike", "hash", "status and shape of refusals -> JSON of the locations on the brake for them"),
    Key("failing", "hash", "location -> failures of the API in a row (few answers in between)"),
    Key("refundable_failures", "hash", "job id -> those failures that were counted against it"),
    Key("held_time", "hash", "location, or '' for all -> for how long it was held (see held_time.lua)"),
    Key("workers", "hash", "worker -> JSON of its load and limits; one that is gone is removed by the others"),
    Key("notifications", "zset", "JSON of a notification -> time from which it may be claimed"),
    Key(
        "durability_marker", "string", "written by an enqueue that waits until disk or replicas have all earlier writes"
    ),
    Key("memory_checked", "string", "there was ample memory for new jobs a moment ago; expires"),
    Key("aof_settings", "string", "what a worker read for producers, see lanes/storage/durability.py; expires"),
    Key("recent:{start}", "hash", "event -> jobs in the ten seconds from then; kept for an hour"),
    Key("history:{start}", "hash", "the same for five minutes; kept for a day"),
    Key("totals", "hash", "event, or dead:reason -> jobs since the beginning, where `counts` goes down; durations"),
    Key("sampled", "hash", "event -> its count when the series were written; `at`, and the `cursor` over locations"),
    Key("rejected_rows", "hash", "service -> rows that enqueue tasks refused; `other` beyond a number of services"),
    Key("outcome_backlog", "list", "packed outcomes of jobs with many merged ones: a worker writes the rest"),
    Key("services", "set", "every service that was added"),
    Key("service_keys", "hash", "SHA-256 of a service's key -> service"),
    Key("audit_log", "stream", "the newest actions of persons; a consumer group logs each"),
    Key("broken_values", "hash", "a key and a field or line -> a value that nothing could read: a repair removed it"),
    Key("broken_key:{at}:{name}", ANY, "a key that had another type than it should have: a repair renamed it"),
    Key("wake", "channel", "a message when a lane is due earlier than all others"),
    # One of each per location.
    Key("lane:{location}", "hash", "jobs per state, next sequence number, rate limits, hold, brake"),
    Key("ready:{location}", "zset", "job id -> rank: may be sent now, if the rate limit allows"),
    Key("delayed:{location}", "zset", "job id -> time: waits for its backoff or its not-before"),
    Key("active:{location}", "hash", "record -> its one job that is ready, delayed or in flight"),
    Key("blocked:{location}:{record}", "list", "job ids of the record, in order, blocked by its active job"),
    Key("rate_slots:{location}", "zset", "job id:attempt -> time from which the server's window has forgotten it"),
    Key("sent:{location}", "zset", "number of a request -> time of its release; while others share the rate limit"),
    Key("foreign_requests:{location}", "zset", "a request of another client -> time at which the window forgets it"),
    Key("day:{location}", "hash", "quarter of an hour -> requests charged before it"),
    Key("lane_history:{location}:{start}", "hash", "event:five minutes -> jobs, for four hours; kept for a day"),
    Key("dead_letter_counts:{location}", "hash", "record -> its unfinished jobs that are or were dead letters"),
    Key("newest_delivered:{location}", "hash", "record with such jobs -> its newest delivered one: time, order, id"),
    Key("event_times:{location}:{record}", "hash", "field -> time of the latest event that set it"),
    Key("idempotency:{location}:{key}", "string", "job id and fingerprint of its body"),
    Key("over_quota:{bulk}", "string", "the quota that refused a row of this bulk; expires in five minutes"),
    Key("broken_lane:{location}", "string", "what cannot be read of it, once reported; expires in five minutes"),
    # One of each per service that was added.
    Key("service:{service}", "hash", "quotas, jobs that they count, time of the rate's next row, hashes of its keys"),
    Key("outcomes:{service}", "stream", "the outcomes of its jobs"),
    Key("merged_outcomes:{id}:{end}", "set", "merged jobs whose outcome no stream has yet, of an entry of the backlog"),
    # One per name in `tokens` that is being renewed.
    Key("token_lock:{name}", "string", "who renews it, or why renewal is paused"),
    # One per worker that cannot serve all locations.
    Key("unservable:{worker}", "set", "locations whose stored token it cannot use; expires with the worker"),
    # One per consumer: a thread or process of a worker that sends one job at a time.
    Key("consumer:{worker}", "string", "its last job id:attempt; expires with the lease"),
    # One per enqueue task with refused rows; expires like a finished job.
    Key("rejected_task:{task}", "hash", "its time, its rows, and which were refused, without values"),
    # One of each per unfinished job or dead letter.
    Key("job:{id}", "hash", "the job, except body and attempts"),
    Key("body:{id}", "string", "the JSON that is sent"),
    Key("original:{id}", "string", "the body as it was accepted, after a person edited it"),
    Key("merged_jobs:{id}", "set", "ids of the jobs that were merged into it"),
    Key("attempts:{id}", "list", "one line per ended attempt: number outcome start end detail"),
    # One per job that is delivered, cancelled or merged.
    Key("done:{id}", "string", "the job and its attempts, packed (see include/history/pack.lua); expires"),
)
KEYS = {key.template.partition(":")[0]: key for key in _KEYS}


def build(prefix: str, name: str, *values: str) -> str:
    """Return the key called `name` under `prefix`, its braces filled with `values` in order."""
    key = KEYS[name]
    if not values and "{" not in key.template:
        return prefix + key.template
    return prefix + key.template.format(**dict(zip(key.fields, values, strict=True)))


# The first line of every script.
LUA_PREFIX = "local prefix = string.sub(KEYS[1], 1, -7)  -- without 'schema'"


def lua_key(name: str, values: Sequence[str]) -> str:
    """Return the Lua expression of the key called `name`, its braces filled with Lua expressions in order.

    Raises:
        ValueError: the key has another number of braces.
    """
    key = KEYS[name]
    filled = dict(zip(key.fields, values, strict=True))
    pieces = re.split(r"\{(\w+)\}", key.template)  # literals and names in turn
    parts = [filled[piece] if at % 2 else f"'{piece}'" for at, piece in enumerate(pieces) if piece]
    return f"({' .. '.join(['prefix', *parts])})"
